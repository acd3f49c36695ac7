package cluster

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
)

// raw is a client that speaks the protocol itself.
type raw struct {
	t  testing.TB
	nc net.Conn
	in *bufio.Reader
}

func (n *node) raw(t testing.TB) *raw {
	t.Helper()
	nc := must2(net.Dial("tcp", strings.TrimPrefix(n.url, "nats://")))(t)
	t.Cleanup(func() { nc.Close() })
	c := &raw{t, nc, bufio.NewReaderSize(nc, 1<<20)}
	c.say("CONNECT {\"verbose\":false,\"headers\":true}\r\n")
	return c
}

// say sends something and waits until it has been read.
func (c *raw) say(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.nc, text+"PING\r\n"); err != nil {
		c.t.Fatal(err)
	}
	for {
		line, err := c.in.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "-ERR") {
			c.t.Fatalf("%q, %v", line, err)
		}
		if line == "PONG\r\n" {
			return
		}
	}
}

// ways are kinds of messages that cross a route, and what becomes of them there.
var ways = []struct{ name, sub, pub, gets string }{
	{"plain", "SUB a.b 1\r\n", "PUB a.b 5\r\nhello\r\n", "MSG a.b 1 5\r\nhello\r\n"},
	{"wildcard", "SUB a.* 1\r\n", "PUB a.b 5\r\nhello\r\n", "MSG a.b 1 5\r\nhello\r\n"},
	{"empty", "SUB a.b 1\r\n", "PUB a.b 0\r\n\r\n", "MSG a.b 1 0\r\n\r\n"},
	{"headers", "SUB a.b 1\r\n", "HPUB a.b 18 23\r\nNATS/1.0\r\nA: b\r\n\r\nhello\r\n", "HMSG a.b 1 18 23\r\nNATS/1.0\r\nA: b\r\n\r\nhello\r\n"},
	{"reply", "SUB a.b 1\r\n", "PUB a.b in.box 5\r\nhello\r\n", "MSG a.b 1 in.box 5\r\nhello\r\n"},
	{"headers and reply", "SUB a.b 1\r\n", "HPUB a.b in.box 18 23\r\nNATS/1.0\r\nA: b\r\n\r\nhello\r\n", "HMSG a.b 1 in.box 18 23\r\nNATS/1.0\r\nA: b\r\n\r\nhello\r\n"},
	{"queue", "SUB a.b q 1\r\n", "PUB a.b 5\r\nhello\r\n", "MSG a.b 1 5\r\nhello\r\n"},
	{"queue and headers", "SUB a.b q 1\r\n", "HPUB a.b 18 23\r\nNATS/1.0\r\nA: b\r\n\r\nhello\r\n", "HMSG a.b 1 18 23\r\nNATS/1.0\r\nA: b\r\n\r\nhello\r\n"},
	{"queue and reply", "SUB a.b q 1\r\n", "PUB a.b in.box 5\r\nhello\r\n", "MSG a.b 1 in.box 5\r\nhello\r\n"},
	{"odd spelling", "SUB a.b 1\r\n", "pub  a.b \t5 \r\nhello\r\n", "MSG a.b 1 5\r\nhello\r\n"},
	{"large", "SUB a.b 1\r\n", "PUB a.b 40000\r\n" + strings.Repeat("0123456789", 4000) + "\r\n", "MSG a.b 1 40000\r\n" + strings.Repeat("0123456789", 4000) + "\r\n"},
}

// Messages of all kinds come out of a route as they went in, byte by byte, and none
// costs an allocation. One kind after another goes over the same route, and each also
// mixed with the first.
func TestRelay(t *testing.T) {
	for _, mixed := range []bool{false, true} {
		for _, w := range ways {
			t.Run(fmt.Sprintf("%s, mixed %v", w.name, mixed), func(t *testing.T) {
				a := ours(t, "a", nil)
				b := ours(t, "b", nil, a.route)
				meshed(t, a, b)
				out, in := a.raw(t), b.raw(t)
				in.say(w.sub)
				linked(t, a, b) // told behind it
				pub, gets := w.pub, w.gets
				if mixed {
					pub, gets = w.pub+ways[0].pub+w.pub, w.gets+ways[0].gets+w.gets
				}
				relay(t, out, in, pub, gets)
			})
		}
	}
}

func relay(t *testing.T, out, in *raw, pub, gets string) {
	t.Helper()
	times := max(1, 20000/len(pub))
	pubs, want := []byte(strings.Repeat(pub, times)), strings.Repeat(gets, times)
	got := make([]byte, len(want))
	round := func() {
		sent := make(chan error, 1)
		go func() { _, err := out.nc.Write(pubs); sent <- err }()
		if _, err := io.ReadFull(in.in, got); err != nil {
			t.Fatal(err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			at := 0
			for got[at] == want[at] {
				at++
			}
			t.Fatalf("differs at %d: %.200q, want %.200q", at, got[at:], want[at:])
		}
	}
	for range 20 {
		round()
	}
	const rounds = 40
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		round()
	}
	runtime.ReadMemStats(&after)
	n, of := after.Mallocs-before.Mallocs, uint64(rounds*times)
	if n > of/20+rounds*20 && !raceEnabled {
		t.Errorf("%d allocations for %d messages", n, of)
	}
}
