package broker

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// passOver hands the connections of one broker over to another, as between two
// processes: by copies of the descriptors.
func passOver(t testing.TB, from, to *Broker) Restored {
	t.Helper()
	if !from.Freeze(10 * time.Second) {
		t.Fatal("the broker does not freeze")
	}
	h := from.Park()
	var state bytes.Buffer
	if _, err := h.WriteTo(&state); err != nil {
		t.Fatal(err)
	}
	var fds []int
	for _, fd := range h.FDs() {
		n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, n)
	}
	h.Release()
	from.Stop()
	if err := to.Adopt(state.Bytes()); err != nil {
		t.Fatal(err)
	}
	r, err := to.Restore(state.Bytes(), fds)
	if err != nil {
		t.Fatal(err)
	}
	clear(state.Bytes()) // nothing of it may be kept
	to.Resume()
	return r
}

// successor is a broker without listeners.
func successor(t testing.TB, o Options) *Broker {
	t.Helper()
	b, err := New(o, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b
}

// conversation is everything a client may say, and what it hears, with marks for what
// differs between runs.
const conversation = "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true,\"protocol\":1,\"name\":\"n\"}\r\n" +
	"SUB a.b 1\r\nSUB a.> 22 \r\nSUB q group 3\r\nSUB few 4\r\nUNSUB 4 2\r\n" +
	"PUB a.b 5\r\nhello\r\nPUB a.c back 0\r\n\r\nPING\r\n" +
	"HPUB a.b 21 24\r\nNATS/1.0\r\nHead: v\r\n\r\nabc\r\n" +
	"PUB few 1\r\n1\r\nPUB few 1\r\n2\r\nPUB few 1\r\n3\r\nPUB q 1\r\nq\r\n" +
	"PUB nobody a.r 1\r\nx\r\nUNSUB 1\r\nPUB a.b 2\r\nyz\r\nPING\r\n"

// overheard returns what a conversation is answered with, up to its last PONG, if the
// broker is exchanged after the first n bytes.
func overheard(t *testing.T, n int) string {
	t.Helper()
	a, err := New(Options{}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Stop()
	l, err := a.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := dial(t, l.Addr().String())
	defer p.nc.Close()
	p.send("%s", conversation[:n])
	if n > 0 && n < len(conversation) {
		b, err := New(Options{Port: a.Options().Port}, logging.Discard())
		if err != nil {
			t.Fatal(err)
		}
		defer b.Stop()
		if r := passOver(t, a, b); r.Moved != 1 || len(r.Lost) > 0 {
			t.Fatalf("at %d: %+v", n, r)
		}
		p.send("%s", conversation[n:])
	}
	var got strings.Builder
	for pongs := 0; pongs < 2; {
		line, err := p.r.ReadString('\n')
		if err != nil {
			t.Fatalf("at %d: %v after %q", n, err, got.String())
		}
		if strings.HasPrefix(line, "PONG") {
			pongs++
		}
		if strings.HasPrefix(line, "INFO") {
			line = "INFO\r\n"
		}
		got.WriteString(line)
	}
	return got.String()
}

// Whatever the byte at which the process is exchanged, the peer hears the same.
func TestHandoverAtEveryByte(t *testing.T) {
	want := overheard(t, 0+len(conversation))
	for _, must := range []string{"MSG a.b 1 5\r\nhello", "HMSG a.b 22 21 24", "MSG few 4 1\r\n2", "HMSG a.r 22", "PONG"} {
		if !strings.Contains(want, must) {
			t.Fatalf("without a handover %q is missing in %q", must, want)
		}
	}
	if strings.Contains(want, "\n3\r") || strings.Contains(want, "-ERR") {
		t.Fatalf("without a handover: %q", want)
	}
	for n := 1; n < len(conversation); n++ {
		if got := overheard(t, n); got != want {
			t.Fatalf("at %d, behind %q:\n got %q\nwant %q", n, conversation[max(0, n-20):n], got, want)
		}
	}
}

// What waits for a slow consumer waits on, and comes out whole and in order, also what
// a publisher adds behind it in the new process.
func TestHandoverOfFullQueue(t *testing.T) {
	a, addr := start(t, Options{})
	slow, pub := connect(t, addr), connect(t, addr)
	slow.send("SUB foo 1\r\n")
	slow.sync()
	const n = 3000
	var want bytes.Buffer
	say := func(p *peer, from, to int) {
		for i := from; i < to; i++ {
			body := strings.Repeat(fmt.Sprintf("%07d|", i), 1000)
			p.send("PUB foo %d\r\n%s\r\n", len(body), body)
			fmt.Fprintf(&want, "MSG foo 1 %d\r\n%s\r\n", len(body), body)
		}
		p.sync()
	}
	say(pub, 0, n)
	slowOne := a.Clients()[0]
	if slowOne.Out.Stats().Pending < 1<<20 {
		t.Fatalf("only %d bytes wait", slowOne.Out.Stats().Pending)
	}
	b := successor(t, Options{})
	if r := passOver(t, a, b); r.Moved != 2 {
		t.Fatalf("%+v", r)
	}
	say(pub, n, n+100)
	got := make([]byte, want.Len())
	if _, err := io.ReadFull(slow.r, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("what came is not what was sent")
	}
	slow.sync()
	if s := b.Stats(); s.InMsgs != n+100 || s.OutMsgs != n+100 || s.Total != 2 || s.Connections != 2 {
		t.Errorf("counted %+v", s)
	}
}

// BenchmarkHandover is the time in which connections with a subscription each are
// brought to rest, and taken over.
func BenchmarkHandover(b *testing.B) {
	const n = 1000
	for b.Loop() {
		b.StopTimer()
		from, addr := start(b, Options{})
		to := successor(b, Options{Port: from.Options().Port})
		peers := make([]*peer, n)
		for i := range peers {
			peers[i] = connect(b, addr)
			peers[i].send("SUB carry.%d 1\r\n", i)
			peers[i].sync()
		}
		b.StartTimer()
		r := passOver(b, from, to)
		b.StopTimer()
		if r.Moved != n {
			b.Fatalf("%+v", r)
		}
		for _, p := range peers {
			p.nc.Close()
		}
		to.Stop()
		b.StartTimer()
	}
}
