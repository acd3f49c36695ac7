package jetstream

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// What somebody publishes as a header may be shorter than the end of one. It counts as none where a line is added to it.
func TestShortHeaders(t *testing.T) {
	n := newNode(t)
	s := n.stream(jetstream.MemoryStorage, 0)
	sizes := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "sizes", HeadersOnly: true}))
	pinned := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "pinned", PriorityPolicy: jetstream.PriorityPolicyPinned,
		PinnedTTL: patience, PriorityGroups: []string{"A"}}))
	headers := []string{"", "X", "\r\n", "XYZ"}
	nc := ok(net.Dial("tcp", n.nc.ConnectedAddr()))
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(nc, "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\nSUB in 1\r\n")
	for _, h := range headers {
		fmt.Fprintf(nc, "HPUB s.a %d %d\r\n%sbody\r\n", len(h), len(h)+4, h)
	}
	r := bufio.NewReader(nc)
	pull := func(c jetstream.Consumer, more string) (got []string) {
		fmt.Fprintf(nc, "PUB $JS.API.CONSUMER.MSG.NEXT.S.%s in %d\r\n{\"batch\":4%s}\r\n", c.CachedInfo().Name, len(more)+11, more)
		for range headers {
			var hdr, size int
			for {
				if line := ok(r.ReadString('\n')); strings.HasPrefix(line, "HMSG") {
					f := strings.Fields(line)
					ok(fmt.Sscan(f[len(f)-2]+" "+f[len(f)-1], &hdr, &size))
					break
				}
			}
			b := make([]byte, size+2)
			for k := 0; k < len(b); {
				k += ok(r.Read(b[k:]))
			}
			got = append(got, string(b[:hdr])+"|"+string(b[hdr:size]))
		}
		return got
	}
	const none = "NATS/1.0\r\nNats-Msg-Size: 4\r\n\r\n|"
	if got := pull(sizes, ""); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", []string{none, none, none, "XNats-Msg-Size: 4\r\n\r\n|"}) {
		t.Errorf("%q", got)
	}
	for i, g := range pull(pinned, `,"group":"A"`) {
		if strings.HasPrefix(g, "NATS/1.0\r\nNats-Pin-Id: ") != (i < 3) || !strings.HasSuffix(g, "\r\n\r\n|body") {
			t.Errorf("%q: %q", headers[i], g)
		}
	}
}
