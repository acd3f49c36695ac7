package jetstream

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/budget"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// await polls until something is so; nobody tells of it.
func (n *node) await(what string, so func() bool) {
	n.t.Helper()
	for !so() {
		select {
		case <-n.ctx.Done():
			n.t.Fatal(what)
		case <-time.After(time.Millisecond):
		}
	}
}

// What waits for files and what is known of subjects is given back when all of it is too much, and nothing is lost by that.
func TestMemoryIsGivenBack(t *testing.T) {
	n := newNodeOn(t, sim.New(1, sim.Options{}), "/js")
	m := n.server.memory
	const limit = 1 << 20
	m.SetLimit(limit)
	js := ok(n.nc.JetStream(nats.PublishAsyncMaxPending(64), nats.MaxWait(patience)))
	text := make([]byte, 2000)
	var acks []nats.PubAckFuture
	for i := range 3 {
		ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: fmt.Sprint("S", i), Subjects: []string{fmt.Sprintf("s%d.*", i)}}))
	}
	for i := range 1200 { // 2.4 MB, which would wait in memory: no stream has a megabyte
		acks = append(acks, ok(js.PublishAsync(fmt.Sprintf("s%d.%d", i%3, i), text, nats.StallWait(patience))))
	}
	busy := 0
	for _, a := range acks {
		select {
		case <-a.Ok():
		case err := <-a.Err():
			if busy++; !strings.Contains(err.Error(), "too many requests") {
				t.Fatal(err)
			}
		case <-n.ctx.Done():
			t.Fatal("no answer")
		}
	}
	n.await("memory is not given back", func() bool { return m.Total() <= limit && !m.Refusing() })
	if m.Used(budget.Tails) > limit {
		t.Errorf("%d bytes wait", m.Used(budget.Tails))
	}
	msgs := 0
	for i := range 3 {
		s := ok(n.js.Stream(n.ctx, fmt.Sprint("S", i)))
		msgs += int(s.CachedInfo().State.Msgs)
		if got := ok(s.GetLastMsgForSubject(n.ctx, fmt.Sprintf("s%d.%d", i, i))); len(got.Data) != len(text) {
			t.Errorf("%d bytes", len(got.Data))
		}
	}
	if msgs != len(acks)-busy {
		t.Errorf("%d messages, and %d were acknowledged", msgs, len(acks)-busy)
	}
}

// What nobody can give back is refused to those who have most, until there is room.
func TestTheGreedyAreRefused(t *testing.T) {
	n := newNode(t)
	n.server.memory.SetLimit(1 << 20)
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "M", Subjects: []string{"m"}, Storage: jetstream.MemoryStorage}))
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "L", Subjects: []string{"l"}, Storage: jetstream.MemoryStorage}))
	text := make([]byte, 10_000)
	publish := func(to string) string { return string(ok(n.nc.Request(to, text, patience)).Data) }
	greedy := n.server.lookup("$G").stream("M").memory.greedy
	publish("l")
	for i := 0; !greedy(); i++ {
		if i == 1000 {
			t.Fatal("ten megabytes in a budget of one")
		}
		publish("m")
	}
	if got := publish("m"); !strings.Contains(got, `"err_code":10167`) {
		t.Error(got)
	}
	if got := publish("l"); !strings.Contains(got, `"seq":2`) {
		t.Error(got)
	}
	if err := ok(n.js.Stream(n.ctx, "M")).Purge(n.ctx); err != nil {
		t.Fatal(err)
	}
	n.await("it is refused although there is room", func() bool { return !greedy() })
	if got := publish("m"); !strings.Contains(got, `"seq":`) {
		t.Error(got)
	}
	for _, s := range []string{"M", "L"} {
		if err := n.js.DeleteStream(n.ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	if left := n.server.memory.Total(); left != 0 {
		t.Errorf("%d bytes are in use, and there are no streams", left)
	}
}
