package streams

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestShortHeaders publishes messages whose header is as long as the client says, which may be less than the end of one, and
// reads them by direct gets, which add lines to it. (A header of one byte that is republished, or sent without its payload, ends
// nats-server: TestShortHeaders in daemon/jetstream.)
func TestShortHeaders(t *testing.T) {
	theirs, ours := pair(t, "")
	want, got := shortHeaders(t, theirs), shortHeaders(t, ours)
	if want != got {
		t.Error(diff(want, got))
	}
	if strings.Count(want, "Nats-Sequence: ") != 4 {
		t.Error(want)
	}
}

func shortHeaders(t *testing.T, p *peer) string {
	said := p.play(talk{steps: []string{
		`req $JS.API.STREAM.CREATE.S {"name":"S","subjects":["s.*"],"storage":"memory","allow_direct":true}`,
	}}, "memory", 1)
	nc, err := net.Dial("tcp", p.srv.Addr())
	p.must(err)
	defer nc.Close()
	p.must(nc.SetDeadline(time.Now().Add(patience)))
	headers := []string{"", "X", "\r\n", "XYZ"}
	fmt.Fprint(nc, "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\nSUB in 1\r\n")
	r := bufio.NewReader(nc)
	next := func() {
		for {
			line, err := r.ReadString('\n')
			p.must(err)
			f := strings.Fields(line)
			if f[0] != "MSG" && f[0] != "HMSG" {
				continue
			}
			var size int
			_, err = fmt.Sscan(f[len(f)-1], &size)
			p.must(err)
			b := make([]byte, size+2)
			_, err = io.ReadFull(r, b)
			p.must(err)
			text := string(b)
			if _, rest, ok := strings.Cut(text, "Nats-Time-Stamp: "); ok {
				stamp, _, _ := strings.Cut(rest, "\r\n")
				text = strings.ReplaceAll(text, stamp, "<time>")
			}
			said += fmt.Sprintf("%s %s: %q\n", f[0], f[1], text)
			return
		}
	}
	for i, h := range headers {
		fmt.Fprintf(nc, "HPUB s.%d in %d %d\r\n%sbody\r\n", i, len(h), len(h)+4, h)
		next()
	}
	for i := range headers {
		body := fmt.Sprintf(`{"seq":%d}`, i+1)
		fmt.Fprintf(nc, "PUB $JS.API.DIRECT.GET.S1 in %d\r\n%s\r\n", len(body), body)
		next()
	}
	return said
}
