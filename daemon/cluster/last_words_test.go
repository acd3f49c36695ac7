package cluster

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/transport"
)

// TestLastWords: a peer that refuses us closes at once, and what we send it then fails before its -ERR is read. The
// connection ends for what it said.
func TestLastWords(t *testing.T) {
	n := ours(t, "a", nil)
	l := must2(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer l.Close()
	nc := must2(net.Dial("tcp", l.Addr().String()))(t)
	peer := must2(l.Accept())(t)
	if _, err := fmt.Fprintf(peer, "%s\r\n-ERR 'Authorization Violation'\r\n", infoLine(`,"compression":"off"`)); err != nil {
		t.Fatal(err)
	}
	_ = peer.(*net.TCPConn).SetLinger(0)
	peer.Close()
	r := n.hub.newRoute(nc, target{url: must2(url.Parse("nats://" + l.Addr().String()))(t)})
	if err := transport.NewConn(&r.Conn, nc); err != nil {
		t.Fatal(err)
	}
	r.Out.Limits(1<<20, time.Hour)
	err := r.run(n.hub.opts.Load())
	r.teardown(err)
	if err == nil || !strings.Contains(err.Error(), "Authorization Violation") {
		t.Errorf("ended with: %v", err)
	}
}
