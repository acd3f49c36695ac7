package differential

import (
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// notByWeb are scripts that are not played by WebSocket.
var notByWeb = map[string]string{
	"auth-connection-types": "what is allowed there is TCP",
	"proxy-protocol":        "headers of the PROXY protocol come before everything there",
	"max-connections":       "one too many is told by HTTP: 503, before the upgrade",
}

// notDeflated are scripts whose messages would shrink to nothing, and then are not too many.
var notDeflated = []string{"write-deadline", "max-pending"}

// TestScriptsByWebSocket plays the same scripts through frames: unmasked with each byte of each frame by itself, and
// masked and compressed. What is answered is what nats-server answers by TCP or, where that differs, by WebSocket. What its
// close frames say, ours have to say too; they always come here, and there, as a last -ERR, not always.
func TestScriptsByWebSocket(t *testing.T) {
	if *update {
		t.Skip("nothing is recorded of it")
	}
	for _, file := range scripts(t, "testdata/*.txt") {
		if notByWeb[name(file)] != "" {
			continue
		}
		t.Run(name(file), func(t *testing.T) {
			t.Parallel()
			playByWeb(t, file)
		})
	}
}

func playByWeb(t *testing.T, file string) {
	script, byTCP := brokertest.ReadScript(t, file)
	play := func(o brokertest.PlayOptions) (string, map[string]string) {
		closed := map[string]string{}
		o.Closed = func(conn, said string) { closed[conn] = said }
		return brokertest.Play(t, script, o), closed
	}
	theirs := sync.OnceValues(func() (string, map[string]string) {
		return play(brokertest.PlayOptions{Binary: brokertest.NATSServer(t), Web: &brokertest.Web{}})
	})
	for _, web := range []brokertest.Web{
		{Unmasked: true, Bytewise: true}, {Deflate: !slices.Contains(notDeflated, name(file))},
	} {
		got, said := play(brokertest.PlayOptions{Web: &web})
		if got != byTCP {
			want, _ := theirs()
			if diff := difference(want, got); diff != "" {
				t.Errorf("%s by %+v: not what nats-server answers (- nats-server)\n%s", file, web, diff)
			}
		}
		for _, conn := range slices.Sorted(maps.Keys(said)) {
			_, there := theirs()
			switch {
			case said[conn] == "":
				t.Errorf("%s by %+v: no close frame came on %s", file, web, conn)
			case there[conn] != "" && there[conn] != said[conn]:
				t.Errorf("%s by %+v: %s is closed by %q, nats-server says %q", file, web, conn, said[conn], there[conn])
			}
		}
	}
}
