package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/subject"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// waitFor waits until cond holds; the test's deadline ends it otherwise.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	end := time.Now().Add(longest)
	for !cond() {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// reasonOfLast returns why the connection that was closed last was closed.
func reasonOfLast(b *Broker) string {
	if all := b.Closed(); len(all) > 0 {
		return all[len(all)-1].Reason
	}
	return ""
}

// A subscriber that does not read is closed as a slow consumer; one beside it gets
// everything, and the publisher is not held up.
func TestSlowConsumer(t *testing.T) {
	b, addr := start(t, Options{MaxPending: 2 << 20, MaxPayload: 1 << 20})
	slow, quick, pub := connect(t, addr), connect(t, addr), connect(t, addr)
	for _, p := range []*peer{slow, quick} {
		p.send("SUB foo 1\r\n")
		p.sync()
	}
	const rounds, each = 25, 16 // a round is half of what may be pending
	frame := int64(len("MSG foo 1 65536\r\n") + 65536 + 2)
	body := strings.Repeat("x", 65536)
	for range rounds {
		for range each {
			pub.send("PUB foo 65536\r\n%s\r\n", body)
		}
		if _, err := io.CopyN(io.Discard, quick.r, each*frame); err != nil {
			t.Fatal(err)
		}
	}
	pub.sync()
	waitFor(t, "the slow consumer to be closed", func() bool { return b.NumClients() == 2 })
	if r := reasonOfLast(b); r != "Slow Consumer (Pending Bytes)" {
		t.Errorf("closed for %q", r)
	}
	if s := b.Stats(); s.SlowConsumers != 1 || s.Subscriptions != 1 {
		t.Errorf("%d slow consumers, %d subscriptions", s.SlowConsumers, s.Subscriptions)
	}
	if s := b.Global().Stats(); s.SlowConsumers != 1 {
		t.Errorf("the account counts %d slow consumers", s.SlowConsumers)
	}
}

func TestStaleConnection(t *testing.T) {
	b, addr := start(t, Options{PingInterval: 20 * time.Millisecond, PingMax: 2})
	p := connect(t, addr)
	p.expect("PING", "PING", "-ERR 'Stale Connection'")
	p.closed()
	waitFor(t, "the reason", func() bool { return reasonOfLast(b) == "Stale Connection" })
	if n := b.Stats().StaleConnections; n != 1 {
		t.Errorf("%d stale connections", n)
	}
}

func TestMaxConnections(t *testing.T) {
	b, addr := start(t, Options{MaxConnections: 1})
	first := connect(t, addr)
	second := dial(t, addr)
	second.expect("-ERR 'maximum connections exceeded'")
	second.closed()
	if r := reasonOfLast(b); r != "Maximum Connections Exceeded" {
		t.Errorf("closed for %q", r)
	}
	first.nc.Close()
	waitFor(t, "the first to go", func() bool { return b.NumClients() == 0 })
	connect(t, addr)
}

func TestLameDuck(t *testing.T) {
	b, addr := start(t, Options{LameDuckDuration: 60 * time.Millisecond, LameDuckGrace: 30 * time.Millisecond})
	modern, old := dial(t, addr), connect(t, addr)
	modern.send(`CONNECT {"verbose":false,"protocol":1}` + "\r\n")
	modern.sync()
	if line := modern.line(); !strings.Contains(line, `"connect_info":true`) {
		t.Fatalf("got %q", line)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.LameDuck()
	}()
	if line := modern.line(); !strings.Contains(line, `"ldm":true`) {
		t.Errorf("got %q", line)
	}
	modern.closed()
	old.closed()
	<-done
	if r := reasonOfLast(b); r != "Server Shutdown" {
		t.Errorf("closed for %q", r)
	}
}

func TestKick(t *testing.T) {
	b, addr := start(t, Options{})
	p := connect(t, addr)
	if b.Kick(4711) {
		t.Error("kicked nobody")
	}
	if !b.Kick(b.Clients()[0].CID()) {
		t.Error("did not kick")
	}
	p.closed()
	waitFor(t, "the reason", func() bool { return reasonOfLast(b) == "Kicked" })
}

// Limits that are reloaded hold for connections that are there already.
func TestPrepare(t *testing.T) {
	b, addr := start(t, Options{})
	p := dial(t, addr)
	p.send(`CONNECT {"verbose":false,"protocol":1}` + "\r\nSUB a 1\r\n")
	p.sync()
	p.line() // INFO
	if _, err := b.Prepare(Options{MaxPayload: 10, MaxPending: 5}); err == nil {
		t.Error("took a max_payload above max_pending")
	}
	commit, err := b.Prepare(Options{MaxPayload: 10, MaxSubscriptions: 1})
	if err != nil {
		t.Fatal(err)
	}
	commit()
	if line := p.line(); !strings.Contains(line, `"max_payload":10,`) {
		t.Errorf("got %q", line)
	}
	p.send("SUB b 2\r\nPUB a 11\r\n")
	p.expect("-ERR 'maximum subscriptions exceeded'", "-ERR 'Maximum Payload Violation'")
	p.closed()
}

// rules are Permissions of the tests.
type rules struct {
	publish, subscribe, receive string
	answers                     *ResponsePermission
}

func (r rules) CanPublish(s string) bool { return subject.Matches(r.publish, s) }
func (r rules) CanSubscribe(s, _ string) (ok, filter bool) {
	return subject.IsSubset(s, r.subscribe), r.receive != ""
}
func (r rules) CanReceive(s, _ string) bool    { return subject.Matches(r.receive, s) }
func (r rules) Responses() *ResponsePermission { return r.answers }

// gate lets in who names the right user.
type gate struct{ rules map[string]rules }

func (gate) Requires() AuthRequirements { return AuthRequirements{Auth: true, Told: true} }
func (g gate) Authenticate(_ context.Context, r *AuthRequest) (*Identity, error) {
	p, ok := g.rules[r.Connect.User]
	if !ok {
		return nil, &Denied{Err: errors.New("unknown")}
	}
	return &Identity{User: r.Connect.User, Permissions: p}, nil
}

func login(t *testing.T, addr, user string) *peer {
	p := dial(t, addr)
	p.send("CONNECT {\"verbose\":false,\"user\":%q}\r\n", user)
	p.sync()
	return p
}

func TestAuthenticationAndPermissions(t *testing.T) {
	b, addr := start(t, Options{Authenticator: gate{map[string]rules{
		"all":      {publish: ">", subscribe: ">"},
		"narrow":   {publish: "foo.*", subscribe: "bar.>", receive: "bar.ok"},
		"answerer": {publish: "none", subscribe: ">", answers: &ResponsePermission{MaxMsgs: 1}},
	}}})
	for _, send := range []string{"PING\r\n", "CONNECT {\"user\":\"x\"}\r\n"} {
		p := dial(t, addr)
		p.send("%s", send)
		p.expect("-ERR 'Authorization Violation'")
		p.closed()
	}
	all, narrow := login(t, addr, "all"), login(t, addr, "narrow")
	all.send("SUB foo.> 1\r\n")
	all.sync()
	narrow.send("PUB foo.a 1\r\nx\r\nPUB foo.a.b 1\r\ny\r\nSUB bar.* 1\r\nSUB foo.* 2\r\n")
	all.expect("MSG foo.a 1 1", "x")
	narrow.expect(`-ERR 'Permissions Violation for Publish to "foo.a.b"'`, `-ERR 'Permissions Violation for Subscription to "foo.*"'`)
	all.send("PUB bar.no 1\r\nx\r\nPUB bar.ok 1\r\ny\r\n")
	narrow.expect("MSG bar.ok 1 1", "y")

	answerer := login(t, addr, "answerer")
	answerer.send("SUB ask 1\r\n")
	answerer.sync()
	all.send("SUB inbox 2\r\nPUB ask inbox 1\r\n?\r\n")
	answerer.expect("MSG ask 1 inbox 1", "?")
	answerer.send("PUB inbox 1\r\n!\r\nPUB inbox 1\r\n!\r\n")
	all.expect("MSG inbox 2 1", "!")
	answerer.expect(`-ERR 'Permissions Violation for Publish to "inbox"'`)

	// Tightened while connected.
	for _, c := range b.Clients() {
		if c.User() == "narrow" {
			c.SetPermissions(rules{publish: "other", subscribe: "other"})
		}
	}
	narrow.expect(`-ERR 'Permissions Violation for Subscription to "bar.*" (sid "1")'`)
	narrow.send("PUB foo.a 1\r\nx\r\n")
	narrow.expect(`-ERR 'Permissions Violation for Publish to "foo.a"'`)
}

func TestAuthTimeout(t *testing.T) {
	_, addr := start(t, Options{Authenticator: gate{}, AuthTimeout: 20 * time.Millisecond})
	p := dial(t, addr)
	p.expect("-ERR 'Authentication Timeout'")
	p.closed()
}

func TestInternalSubscriptions(t *testing.T) {
	b, addr := start(t, Options{})
	var n atomic.Int64
	sub, err := b.Global().SubscribeInternal("svc.*", "", func(m *Message) {
		n.Add(1)
		m.Account.Publish(string(m.Reply), "", []byte("NATS/1.0\r\nX: y\r\n\r\n"), append([]byte("re: "), m.Payload...))
	})
	if err != nil {
		t.Fatal(err)
	}
	p := connect(t, addr)
	p.send("SUB in.box 1\r\nPUB svc.a in.box 2\r\nhi\r\n")
	p.expect("HMSG in.box 1 18 24", "NATS/1.0", "X: y", "", "re: hi")
	sub.Unsubscribe()
	p.send("PUB svc.a in.box 2\r\nhi\r\n")
	p.expect("HMSG in.box 1 37 37", "NATS/1.0 503", "Nats-Subject: svc.a", "", "")
	if n.Load() != 1 {
		t.Errorf("called %d times", n.Load())
	}
}

// farPeer is a Remote of the tests.
type farPeer struct {
	mu  sync.Mutex
	got []string
}

func (f *farPeer) Deliver(d *Delivery) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, fmt.Sprintf("%s %s %q %v", d.Subject, d.Frame.Reply, d.Frame.Body, d.Queues))
	return true
}

func (f *farPeer) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.got
}

// A peer gets a message once, whatever of its interest matches, and the queue
// groups it is to serve with it; what comes from a peer goes to no peer.
func TestRemoteInterest(t *testing.T) {
	b, addr := start(t, Options{})
	far := &farPeer{}
	acc := b.Global()
	for _, i := range []struct{ subject, queue string }{{"foo.*", ""}, {"foo.>", ""}, {"foo.a", "q"}, {"bar", "q"}} {
		if _, err := acc.AddRemote(far, []byte(i.subject), i.queue, Members{2, 2}); err != nil {
			t.Fatal(err)
		}
	}
	p := connect(t, addr)
	p.send("PUB foo.a re 1\r\nx\r\nPUB bar 1\r\ny\r\nPUB none 1\r\nz\r\n")
	p.sync()
	want := []string{`foo.a re "x\r\n" [q]`, `bar  "y\r\n" [q]`}
	if got := far.all(); !slices.Equal(got, want) {
		t.Errorf("the peer got %q, want %q", got, want)
	}
	p.send("SUB foo.> 1\r\nSUB foo.a q 2\r\n")
	p.sync()
	deliverAsPeer(acc, "foo.a", "1", []string{"q"})
	p.expect("MSG foo.a 1 1", "1", "MSG foo.a 2 1", "1")
	deliverAsPeer(acc, "foo.a", "2", nil)
	p.expect("MSG foo.a 1 1", "2")
	if got := far.all(); len(got) != 2 {
		t.Errorf("a peer's message went to a peer: %q", got)
	}
}

func deliverAsPeer(a *Account, subject, payload string, queues []string) {
	injectFrame(subject, payload, func(p *PeerPublisher, f *proto.Frame) { p.Deliver(a, Published, f, false, queues) })
}

func TestClientLibrary(t *testing.T) {
	b, addr := start(t, Options{})
	nc, err := nats.Connect(addr, nats.Name("tester"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.QueueSubscribe("echo", "q", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		t.Fatal(err)
	}
	m, err := nc.Request("echo", []byte("hello"), 10*time.Second)
	if err != nil || string(m.Data) != "hello" {
		t.Fatalf("%v, %v", m, err)
	}
	if _, err := nc.Request("nobody", nil, 10*time.Second); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("got %v", err)
	}
	ci := b.Clients()[0].Info(true)
	if ci.Name != "tester" || ci.Lang != "go" || ci.InMsgs != 3 || ci.OutMsgs < 2 || ci.NumSubs != 2 || len(ci.Subs) != 2 || ci.Account != "$G" || ci.RTT == 0 {
		t.Errorf("described as %+v", ci)
	}
}

// A second CONNECT starts afresh.
func TestConnectTwice(t *testing.T) {
	b, addr := start(t, Options{})
	p := connect(t, addr)
	p.send("SUB foo 1\r\n" + `CONNECT {"verbose":false}` + "\r\nPUB foo 1\r\nx\r\n")
	p.sync()
	if n := b.Stats().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions outlived it", n)
	}
}

// A panic while a connection is served ends that connection and no other.
func TestPanicEndsOneConnection(t *testing.T) {
	logs, err := logging.New(logging.Options{File: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close()
	b, err := New(Options{}, logs.Logger("broker"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop()
	l, err := b.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if _, err := b.Global().SubscribeInternal("boom", "", func(*Message) { panic("boom") }); err != nil {
		t.Fatal(err)
	}
	p, other := connect(t, addr), connect(t, addr)
	p.send("PUB boom 0\r\n\r\n")
	p.closed()
	other.sync()
	waitFor(t, "the connection to be gone", func() bool { return b.NumClients() == 1 })
	reported := false
	for _, line := range logs.Tail(100) {
		if line.Event != logging.ConnectionPanic.Name() {
			if strings.Contains(line.Message, "boom") {
				t.Errorf("said twice: %s", line.Message)
			}
			continue
		}
		reported = true
		for _, want := range logging.ConnectionPanic.Fields() {
			if !slices.ContainsFunc(line.Fields, func(f logging.Field) bool { return f.Key() == want && f.Value() != "" }) {
				t.Errorf("the line carries no %s: %v", want, line.Fields)
			}
		}
	}
	if !reported {
		t.Error("nothing is said of it")
	}
}
