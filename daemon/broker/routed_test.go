package broker

import (
	"slices"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// farLeaf is a leaf node connection, of a cluster.
type farLeaf struct {
	farPeer
	cluster string
}

func (l *farLeaf) Takes(_, origin string) (ok, depends bool) {
	return origin == "" || origin != l.cluster, false
}
func (l *farLeaf) Head(*Account, Entry, string) string { return "" }
func (l *farLeaf) Relay(bool) *batch.Outlet            { return nil }

// fromLeaf publishes a message of a leaf node of this server.
func fromLeaf(a *Account, from Source, subject string, queues ...string) {
	injectFrame(subject, "x", func(p *PeerPublisher, f *proto.Frame) {
		q := NewLinkPublisher(a, from, "LMSG ")
		q.Begin(p.in)
		q.Deliver(a, Published, f, false, queues)
		q.End()
	})
}

// fromFar publishes a message of a leaf node of another server.
func fromFar(a *Account, origin, subject string, queues ...string) {
	injectFrame(subject, "x", func(p *PeerPublisher, f *proto.Frame) { p.DeliverFrom([]byte(origin), a, f, queues) })
}

// TestRoutedInterest: what is wanted by leaf nodes of another server goes there, unless it comes from a leaf node of their cluster;
// and what leaf nodes of another server publish does not go to those here of the same cluster.
func TestRoutedInterest(t *testing.T) {
	b, addr := start(t, Options{})
	acc := b.Global()
	far, here := &farPeer{}, &farLeaf{cluster: "X"}
	add := func(i RemoteInterest, err error) RemoteInterest {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	add(acc.AddRouted(far, "X", []byte("in.a"), "", Members{1, 1}))
	add(acc.AddLeaf(here, "X", []byte("in.a"), "", 1))
	p := connect(t, addr)
	p.send("PUB in.a 1\r\nx\r\n")
	p.sync()
	took := func(what string, routed, leaf int) {
		t.Helper()
		if n, m := len(far.all()), len(here.all()); n != routed || m != leaf {
			t.Errorf("%s: the other server has %d, the leaf node %d; want %d and %d", what, n, m, routed, leaf)
		}
	}
	took("of a client", 1, 1)
	fromLeaf(acc, Source{Link: here, Origin: "X"}, "in.a")
	took("of the cluster, here", 1, 1)
	fromLeaf(acc, Source{Link: &farLeaf{cluster: "Y"}, Origin: "Y"}, "in.a")
	took("of another cluster, here", 2, 2)
	fromFar(acc, "X", "in.a")
	took("of the cluster, from far", 2, 2)
	fromFar(acc, "Y", "in.a")
	took("of another cluster, from far", 2, 3)
	own := add(acc.AddRemote(far, []byte("in.*"), "", Members{1, 1}))
	fromLeaf(acc, Source{Link: here, Origin: "X"}, "in.a")
	took("with clients of the other server", 3, 3)
	own.Remove()
}

// TestRoutedQueue: leaf nodes of another server serve a queue group if nobody in the cluster does.
func TestRoutedQueue(t *testing.T) {
	b, addr := start(t, Options{})
	acc := b.Global()
	far := &farPeer{}
	if _, err := acc.AddRouted(far, "X", []byte("in.q"), "q", Members{3, 3}); err != nil {
		t.Fatal(err)
	}
	p := connect(t, addr)
	p.send("PUB in.q 1\r\nx\r\n")
	p.sync()
	fromLeaf(acc, Source{Link: &farLeaf{}, Origin: "X"}, "in.q", "q")
	want := []string{`in.q  "x\r\n" [q]`}
	if got := far.all(); !slices.Equal(got, want) {
		t.Errorf("the other server has %q, want %q", got, want)
	}
	p.send("SUB in.q q 1\r\nPUB in.q 1\r\ny\r\n")
	p.expect("MSG in.q 1 1", "y")
	if got := far.all(); len(got) != 1 {
		t.Errorf("the other server has %q", got)
	}
}

// TestManyOrigins: what is kept of the clusters of leaf nodes behind a peer is bounded, and messages come in the order in which
// they are sent, whatever cluster they are of.
func TestManyOrigins(t *testing.T) {
	b, addr := start(t, Options{})
	acc := b.Global()
	c := connect(t, addr)
	c.send("SUB a 1\r\n")
	c.sync()
	const n = 3 * maxOrigins
	injectFrame("a", "x", func(p *PeerPublisher, f *proto.Frame) {
		for i := range n {
			text := []byte{byte('0' + i%10), '\r', '\n'}
			m := proto.Frame{Op: proto.Pub, Subject: f.Subject, Hdr: -1, Size: 1, SizeText: []byte("1"), Body: text}
			p.DeliverFrom([]byte{'o', byte(i), byte(i >> 8)}, acc, &m, nil)
		}
		if all := p.senders[acc]; len(all.origins) > maxOrigins {
			t.Errorf("%d are kept", len(all.origins))
		}
	})
	for i := range n {
		c.expect("MSG a 1 1", string(rune('0'+i%10)))
	}
}

// countingLeaf counts.
type countingLeaf struct {
	farLeaf
	n int
}

func (l *countingLeaf) Deliver(*Delivery) bool { l.n++; return true }

// TestNothingIsAllocatedByOrigin: messages of leaf nodes of other servers cost no allocation each.
func TestNothingIsAllocatedByOrigin(t *testing.T) {
	b, _ := start(t, Options{})
	acc := b.Global()
	l := &countingLeaf{}
	l.cluster = "X"
	if _, err := acc.AddLeaf(l, "X", []byte("a"), "", 1); err != nil {
		t.Fatal(err)
	}
	transport.Inject([]byte("x\r\n"), func(in *transport.Input) {
		p := NewPeerPublisher(func(*Account, Entry) string { return "RMSG " })
		p.Begin(in)
		defer p.End()
		f := proto.Frame{Op: proto.Pub, Subject: []byte("a"), Hdr: -1, Size: 1, SizeText: []byte("1"), Body: in.Data}
		origin := []byte("Y")
		if per := testing.AllocsPerRun(1000, func() { p.DeliverFrom(origin, acc, &f, nil) }); per > 0 && !raceEnabled {
			t.Errorf("%v allocations a message", per)
		}
	})
	if l.n != 1001 {
		t.Errorf("%d messages", l.n)
	}
}
