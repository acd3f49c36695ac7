package broker

import (
	"strings"
	"testing"
)

// A client that has just connected expects a PONG and nothing else: where the servers
// are it is told behind that, also if it has changed meanwhile.
func TestNoInfoBeforeTheFirstPong(t *testing.T) {
	b, addr := start(t, Options{})
	q := dial(t, addr)
	q.send("CONNECT {\"verbose\":true,\"protocol\":1}\r\n")
	q.expect("+OK")
	b.SetConnectURLs([]string{"1.2.3.4:5"}, nil)
	q.send("PING\r\n")
	q.expect("PONG")
	if info := q.line(); !strings.HasPrefix(info, "INFO ") || !strings.Contains(info, "1.2.3.4:5") {
		t.Error("behind PONG came", info)
	}
	b.SetConnectURLs([]string{"1.2.3.4:6"}, nil)
	if info := q.line(); !strings.HasPrefix(info, "INFO ") || !strings.Contains(info, "1.2.3.4:6") {
		t.Error("after the change came", info)
	}
}

// The first PONG, too, says that what came before the PING was delivered.
func TestFirstPongDoesNotOvertake(t *testing.T) {
	_, addr := start(t, Options{})
	sub := connect(t, addr)
	sub.send("SUB foo 1\r\n")
	sub.sync()
	for range 300 {
		pub := dial(t, addr)
		pub.send("CONNECT {\"verbose\":false,\"protocol\":1}\r\nPUB foo 2\r\nhi\r\nPING\r\n")
		pub.expect("PONG")
		sub.send("PING\r\n")
		sub.expect("MSG foo 1 2", "hi", "PONG")
		pub.nc.Close()
	}
}
