package jetstream

import (
	"encoding/json"
	"path"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// idles waits until the info of consumer c of stream S gives a reason, and returns the whole of it.
func (n *node) idles(reason string) string {
	n.t.Helper()
	for {
		var i struct{ Idle string }
		m := ok(n.nc.Request("$JS.API.CONSUMER.INFO.S.c", nil, patience))
		if err := json.Unmarshal(m.Data, &i); err != nil {
			n.t.Fatal(err)
		}
		if strings.Contains(i.Idle, reason) {
			return i.Idle
		}
		if n.ctx.Err() != nil {
			n.t.Fatalf("idle: %q; want %q", i.Idle, reason)
		}
		time.Sleep(time.Millisecond) // there is no event to wait for
	}
}

// A disk that hangs is why a consumer has nothing to deliver.
func TestIdleSinceNothingIsCommitted(t *testing.T) {
	var stuck atomic.Bool
	goOn := make(chan struct{})
	disk := sim.New(1, sim.Options{Capacity: 1 << 30})
	disk.Hook(func(o sim.Op) sim.Fault {
		if stuck.Load() && o.Call == sim.Sync {
			<-goOn
		}
		return sim.Fault{}
	})
	n := newNodeOn(t, disk, "/js")
	s := n.stream(jetstream.FileStorage, 2)
	c := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy}))
	batch := ok(c.Fetch(3, jetstream.FetchMaxWait(patience)))
	for range 2 {
		<-batch.Messages()
	}
	if got := n.idles("no match after sequence 2"); strings.Contains(got, "commit") {
		t.Error(got)
	}
	stuck.Store(true)
	acked := ok(n.js.PublishAsync("s.1", nil))
	n.idles("waiting for commit: 1 messages")
	if f := n.server.Accounts()[0].Streams[0].Figures(); f.Waiting != 1 {
		t.Errorf("%+v", f)
	}
	stuck.Store(false)
	close(goOn)
	<-acked.Ok()
	if m := <-batch.Messages(); m == nil {
		t.Error("the message that waited does not come")
	}
	if f := n.server.Accounts()[0].Streams[0].Figures(); f.Waiting != 0 {
		t.Errorf("%+v", f)
	}
}

// A page that cannot be read is why a consumer delivers nothing: for now, or, where the disk has lost it, for good.
func TestIdleSinceAPageIsUnreadable(t *testing.T) {
	var fails, lost atomic.Bool
	disk := sim.New(1, sim.Options{})
	n := newNodeOn(t, disk, "/js")
	s := n.stream(jetstream.FileStorage, 30)
	ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy}))
	n.stop()

	n = newNodeOn(t, disk, "/js")
	c := ok(ok(n.js.Stream(n.ctx, "S")).Consumer(n.ctx, "c"))
	disk.Hook(func(o sim.Op) sim.Fault {
		switch {
		case o.Call != sim.Read || path.Ext(o.Name) != ".seg":
		case lost.Load():
			return sim.Fault{Err: syscall.EIO}
		case fails.Load():
			return sim.Fault{Err: syscall.ENOMEM}
		}
		return sim.Fault{}
	})
	n.server.files.node.Shrink(0)
	fails.Store(true)
	ok(c.Fetch(30, jetstream.FetchMaxWait(patience)))
	n.idles("page unreadable, message 1: ")
	if f := n.server.Accounts()[0].Streams[0].Figures(); f.Resting != 1 {
		t.Errorf("%+v", f)
	}
	lost.Store(true)
	if got := n.idles("page unreadable: 30 messages were stepped over, sequence 30 the last"); !strings.HasPrefix(got, "no match after sequence 30") {
		t.Error(got)
	}
	for f := (Figures{Resting: 1}); f.Resting > 0; f = n.server.Accounts()[0].Streams[0].Figures() {
		time.Sleep(time.Millisecond) // as above
	}
}
