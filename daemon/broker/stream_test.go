package broker

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What every receiver gets is exactly what was published, in that order, whatever the
// receivers have in common, however long their sids are, whether messages repeat each
// other's lines, and also if a receiver does not read until all was sent.
func TestStreamsAreExact(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(strconv.Itoa(int(seed)), func(t *testing.T) { exactStreams(t, rand.New(rand.NewPCG(seed, 7))) })
	}
}

// stream is a receiver and what it has to get.
type stream struct {
	*peer
	pattern, sid string
	plain        bool // takes no headers
	want         bytes.Buffer
}

func exactStreams(t *testing.T, r *rand.Rand) {
	b, addr := start(t, Options{NoShortFirstPing: true})
	sids := []string{"1", "1", "2", "7", "12", "12", "34", "567", "long-sid-8901"}
	var streams []*stream
	for i := range 12 {
		s := &stream{sid: sids[r.IntN(len(sids))], pattern: []string{"a.b", "a.b", "a.b", "a.*", "c"}[r.IntN(5)], plain: i == 5}
		if s.plain {
			s.peer = dial(t, addr)
			s.send(`CONNECT {"verbose":false,"pedantic":false,"headers":false}` + "\r\n")
		} else {
			s.peer = connect(t, addr)
		}
		s.send("SUB %s %s\r\n", s.pattern, s.sid)
		s.sync()
		streams = append(streams, s)
	}
	slow := 0
	b.EachClient(func(c *Client) bool { // some fill up: what they are sent has to wait
		if slow++; slow%2 == 0 {
			if err := c.NetConn().(*net.TCPConn).SetWriteBuffer(256 << 10); err != nil {
				t.Error(err)
			}
		}
		return true
	})
	pub := connect(t, addr)
	var out bytes.Buffer
	for range 4000 {
		publishRandomly(r, &out, streams)
	}
	done := make(chan error, 1)
	go func() { // ends when all is written; waited for below
		_, err := pub.nc.Write(append(out.Bytes(), "PING\r\n"...))
		done <- err
	}()
	if err := <-done; err != nil { // all of it is taken although nobody reads
		t.Fatal(err)
	}
	pub.expect("PONG")
	for _, s := range streams {
		s.nc.SetReadDeadline(time.Now().Add(longest))
		got := make([]byte, s.want.Len())
		if n, err := io.ReadFull(s.r, got); err != nil {
			t.Fatalf("%s with sid %s: %v after %d bytes of %d", s.pattern, s.sid, err, n, len(got))
		}
		if at := differ(got, s.want.Bytes()); at >= 0 {
			from := max(at-40, 0)
			t.Fatalf("%s with sid %s differs at %d: %q, want %q", s.pattern, s.sid, at,
				got[from:min(at+40, len(got))], s.want.Bytes()[from:min(at+40, len(got))])
		}
		s.sync()
	}
}

// publishRandomly appends one frame, repeated or not, and notes who gets what.
func publishRandomly(r *rand.Rand, out *bytes.Buffer, streams []*stream) {
	subject, size, times := []string{"a.b", "a.b", "a.x", "c"}[r.IntN(4)], r.IntN(300), 1
	switch r.IntN(200) {
	case 0:
		size = 20000
	case 1, 2, 3:
		times = 400
	}
	header := ""
	if r.IntN(8) == 0 {
		header = "NATS/1.0\r\nK: v\r\n\r\n"
	}
	for range times {
		body := strings.Repeat(string(rune('a'+r.IntN(26))), size)
		sizes, verb := strconv.Itoa(size), "MSG"
		if header != "" {
			sizes, verb = fmt.Sprintf("%d %d", len(header), len(header)+size), "HMSG"
		}
		fmt.Fprintf(out, "%sPUB %s %s\r\n%s%s\r\n", strings.TrimSuffix(verb, "MSG"), subject, sizes, header, body)
		for _, s := range streams {
			switch {
			case s.pattern != subject && (s.pattern != "a.*" || subject == "c"):
			case s.plain && header != "":
				fmt.Fprintf(&s.want, "MSG %s %s %d\r\n%s\r\n", subject, s.sid, size, body)
			default:
				fmt.Fprintf(&s.want, "%s %s %s %s\r\n%s%s\r\n", verb, subject, s.sid, sizes, header, body)
			}
		}
	}
}

// differ returns where a and b begin to differ, -1 if they do not.
func differ(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}
