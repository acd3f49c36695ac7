package broker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// passOver hands the connections of one broker over to another, as between two
// processes: by copies of the descriptors.
func passOver(t testing.TB, from, to *Broker) Restored {
	t.Helper()
	if !from.Freeze(longest) {
		t.Fatal("the broker does not freeze")
	}
	h := from.Park()
	var state bytes.Buffer
	if _, err := h.WriteTo(&state); err != nil {
		t.Fatal(err)
	}
	fds := copied(t, h.FDs())
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
	a, err := New(Options{NoShortFirstPing: true}, logging.Discard())
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
		b, err := New(Options{Port: a.Options().Port, NoShortFirstPing: true}, logging.Discard())
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
	a, addr := start(t, Options{NoShortFirstPing: true})
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
	b := successor(t, Options{NoShortFirstPing: true})
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

// keeper knows users that may be taken away, and carries their names.
type keeper struct {
	users map[string]*Identity
	nonce atomic.Value // of the request before
}

func (*keeper) Requires() AuthRequirements {
	return AuthRequirements{Auth: true, Told: true, Nonce: true}
}

func (k *keeper) Authenticate(_ context.Context, r *AuthRequest) (*Identity, error) {
	k.nonce.Store(r.Nonce)
	if id := k.users[r.Connect.User]; id != nil {
		return id, nil
	}
	return nil, &Denied{}
}

func (k *keeper) Carry(id *Identity) []byte { return []byte(id.User) }

func (k *keeper) Readmit(r *AuthRequest, proof []byte) (*Identity, error) {
	if id := k.users[string(proof)]; id != nil && r.Connect.User == id.User {
		return id, nil
	}
	return nil, &Denied{}
}

// onlyOn allows one subject.
type onlyOn string

func (o onlyOn) CanPublish(subject string) bool                   { return subject == string(o) }
func (o onlyOn) CanSubscribe(subject, _ string) (ok, filter bool) { return subject == string(o), false }
func (o onlyOn) CanReceive(string, string) bool                   { return true }
func (o onlyOn) Responses() *ResponsePermission                   { return nil }

// The new configuration decides who goes on, and with what.
func TestHandoverAsksAgain(t *testing.T) {
	id := func(user, account string) *Identity { return &Identity{User: user, Account: account} }
	a, addr := start(t, Options{NoShortFirstPing: true, Authenticator: &keeper{users: map[string]*Identity{
		"stays": id("stays", ""), "goes": id("goes", ""), "moves": id("moves", ""), "less": id("less", ""),
	}}})
	peers := map[string]*peer{}
	for _, user := range []string{"stays", "goes", "moves", "less"} {
		p := dial(t, addr)
		p.send(`CONNECT {"verbose":false,"user":"%s"}`+"\r\nSUB foo 1\r\nSUB bar 2\r\n", user)
		p.sync()
		peers[user] = p
	}
	late := dial(t, addr) // has not said who it is
	less := id("less", "")
	less.Permissions = onlyOn("foo")
	waitFor(t, "the last one to be registered, which comes behind its INFO", func() bool { return len(a.Clients()) == 5 })
	all := a.Clients()
	nonce := all[len(all)-1].nonce
	keep := &keeper{users: map[string]*Identity{
		"stays": id("stays", ""), "moves": id("moves", "other"), "less": less, "late": id("late", ""),
	}}
	b := successor(t, Options{Port: a.Options().Port, NoShortFirstPing: true, Authenticator: keep})
	b.AddAccount("other")
	r := passOver(t, a, b)
	if r.Moved != 3 || r.Lost["Authentication Failure"] != 1 || r.Lost["Client Closed"] != 1 {
		t.Errorf("%+v", r)
	}
	peers["goes"].expect("-ERR 'Authorization Violation'")
	peers["goes"].closed()
	peers["moves"].closed()
	peers["less"].expect(`-ERR 'Permissions Violation for Subscription to "bar" (sid "2")'`)
	late.send(`CONNECT {"verbose":false,"user":"late"}` + "\r\nPUB foo 1\r\nf\r\nPUB bar 1\r\nb\r\n")
	late.sync()
	if nonce == "" || keep.nonce.Load() != nonce {
		t.Errorf("who signs %q is checked against %q", nonce, keep.nonce.Load())
	}
	peers["stays"].expect("MSG foo 1 1", "f", "MSG bar 2 1", "b")
	peers["less"].expect("MSG foo 1 1", "f")
	peers["less"].sync()
	if n := b.Global().Stats(); n.Connections != 3 || n.Subscriptions != 3 {
		t.Errorf("%+v", n)
	}
	if next := dial(t, listenOn(t, b)); next == nil || b.lastCID.Load() != 6 {
		t.Errorf("the next client has number %d", b.lastCID.Load())
	}
	if a.ID() != b.ID() {
		t.Error("another server id")
	}
}

func listenOn(t *testing.T, b *Broker) string {
	t.Helper()
	l, err := b.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// A descriptor that is not the one the state is about is not served.
func TestHandoverOfOtherDescriptors(t *testing.T) {
	a, addr := start(t, Options{})
	p, q := connect(t, addr), connect(t, addr)
	a.Freeze(longest)
	h := a.Park()
	var state bytes.Buffer
	if _, err := h.WriteTo(&state); err != nil {
		t.Fatal(err)
	}
	var fds []int
	for _, fd := range h.FDs() {
		n, err := unix.Dup(fd)
		if err != nil {
			t.Fatal(err)
		}
		fds = append([]int{n}, fds...) // the other way round
	}
	h.Release()
	b := successor(t, Options{})
	if r, err := b.Restore(state.Bytes(), fds); err != nil || r.Moved != 0 || r.Lost[lostDescriptor] != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	p.closed()
	q.closed()
}

func FuzzReadMoved(f *testing.F) {
	m := movedSample()
	for _, c := range movedClientSamples() {
		m.clients = append(m.clients, fields.Append(nil, &c))
	}
	f.Add(fields.Append(nil, &m))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := readGolden(b)
		if err != nil {
			return
		}
		for _, c := range v.(goldenState).clients {
			_ = c.addr()
			if c.tls != nil {
				_, _ = c.tls.state()
			}
		}
	})
}
