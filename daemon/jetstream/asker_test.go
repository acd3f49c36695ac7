package jetstream

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// Everything that says who has sent a message is taken out of it before it is stored.
func TestWithoutInfo(t *testing.T) {
	for in, want := range map[string]string{
		"NATS/1.0\r\nA: 1\r\n\r\n":                                                         "NATS/1.0\r\nA: 1\r\n\r\n",
		"NATS/1.0\r\nNats-Request-Info: {}\r\n\r\n":                                        "",
		"NATS/1.0\r\nNats-Request-Info: {}\r\nNats-Request-Info: {}\r\n\r\n":               "",
		"NATS/1.0\r\nNats-Request-Info: 1\r\nA: 1\r\nNats-Request-Info: 2\r\nB: 2\r\n\r\n": "NATS/1.0\r\nA: 1\r\nB: 2\r\n\r\n",
		"NATS/1.0\r\nA: 1\r\nNats-Request-Info: 2\r\nNats-Request-Info: 3\r\n\r\n":         "NATS/1.0\r\nA: 1\r\n\r\n",
		"NATS/1.0\r\nNats-Request-Info: 2":                                                 "NATS/1.0\r\nNats-Request-Info: 2",
		"NATS/1.0\r\nNats-Request-Infos: 2\r\n\r\n":                                        "NATS/1.0\r\nNats-Request-Infos: 2\r\n\r\n",
	} {
		before := strings.Clone(in)
		if got := string(withoutInfo([]byte(in))); got != want || in != before {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// Who asks is what the server knows of a client, whatever that client says of itself.
func TestNobodyAsksAsAnother(t *testing.T) {
	n := newNode(t)
	sub := ok(n.nc.SubscribeSync(advisories + "API"))
	m := nats.NewMsg("$JS.API.INFO")
	m.Header.Set(requestInfo, `{"user":"forged","acc":"forged"}`)
	ok(n.nc.RequestMsg(m, patience))
	if e := ok(sub.NextMsg(patience)); strings.Contains(string(e.Data), "forged") || !strings.Contains(string(e.Data), `"acc":"$G"`) {
		t.Errorf("%s", e.Data)
	}
}
