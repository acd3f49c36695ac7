package jetstream

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// cutBatch is a batch that is committed while the power goes.
type cutBatch struct {
	name   string
	stream string // the rest of its configuration
	msgs   int
	size   int  // of a message
	lax    bool // synced now and then
	apart  int  // of so many messages each but the last is wanted; 0: all are
}

// TestBatchesAreWholeWhereverThePowerGoes takes the power away at every call that changes the disk, from the commit of a batch until it
// is in the files of the stream: when it comes back all of the batch is there or nothing, and all if it was acknowledged.
func TestBatchesAreWholeWhereverThePowerGoes(t *testing.T) {
	for _, b := range []cutBatch{
		{name: "small", msgs: 10, size: 100},
		{name: "parts", msgs: 3, size: 400_000}, // more than a file of the journal holds at first
		{name: "not all wanted", stream: `,"retention":"interest"`, msgs: 9, size: 100, apart: 3},
		{name: "not synced", msgs: 12, size: 5000, lax: true},
	} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			cuts, at, step := 0, 1, 1
			if b.size > 100_000 && os.Getenv("LONG") == "" { // a third of them, others each time
				step = 3
				at += rand.IntN(step)
			}
			for b.cut(t, at) {
				cuts++
				at += step
			}
			t.Logf("the power went at %d places", cuts)
			if cuts < 3 {
				t.Error("the batch was not written")
			}
		})
	}
}

// cut has the power go at the at-th change of the disk, and reports whether there was one.
func (b *cutBatch) cut(t *testing.T, at int) bool {
	seed := uint64(at)
	disk := sim.New(seed, sim.Options{JournaledNames: at%2 == 0, Capacity: 1 << 30})
	start := func(d *sim.Disk) *node {
		if b.lax {
			return lax(t, d)
		}
		return newNodeOn(t, d, "/js")
	}
	n := start(disk)
	defer n.stop()
	n.batches(b.stream)
	if b.apart > 0 {
		ok(n.nc.Request("$JS.API.CONSUMER.CREATE.S.c", []byte(`{"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit","filter_subjects":["s.0","s.1"]}}`), patience))
	}
	ok(n.nc.Request("s.0", []byte("before"), patience))
	if b.lax {
		ok(0, n.server.files.journal.Sync())
	}
	for i := 1; i < b.msgs; i++ {
		if a := n.ask(b.message(i, "")); a != "" {
			t.Fatal(a)
		}
	}
	gone := make(chan struct{})
	var mu sync.Mutex
	changes := 0
	disk.Hook(func(o sim.Op) sim.Fault {
		if !o.Call.Changes() {
			return sim.Fault{}
		}
		mu.Lock()
		defer mu.Unlock()
		if changes++; changes == at {
			close(gone)
			return sim.Fault{Cut: true}
		}
		return sim.Fault{}
	})
	acked := b.commit(t, n, gone)
	if acked {
		n.server.Checkpoint()
	}
	select {
	case <-gone:
	default:
		return false
	}
	n.stop()
	styles := 1
	if os.Getenv("LONG") != "" {
		styles = 20
	}
	for i := range styles {
		b.check(t, start, disk.Cut(seed*100+uint64(i), sim.Any), acked)
	}
	return !t.Failed()
}

// message is the i-th of the batch.
func (b *cutBatch) message(i int, commit string) *nats.Msg {
	subj := "s.0"
	if b.apart > 0 {
		subj = fmt.Sprintf("s.%d", i%b.apart)
	}
	return batched(subj, "b", i, commit, []byte(strings.Repeat(fmt.Sprintf("%d ", i%10), b.size/2)))
}

// commit asks for the end of the batch, and reports whether it was acknowledged before the power went.
func (b *cutBatch) commit(t *testing.T, n *node, gone chan struct{}) bool {
	sub := ok(n.nc.SubscribeSync(nats.NewInbox()))
	m := b.message(b.msgs, "1")
	m.Reply = sub.Subject
	answers := make(chan *nats.Msg, 1)
	go func() { // ends with the answer, or the connection
		if r, err := sub.NextMsg(patience); err == nil {
			answers <- r
		}
	}()
	ok(0, n.nc.PublishMsg(m))
	select {
	case r := <-answers:
		if !strings.Contains(string(r.Data), fmt.Sprintf(`"batch":"b","count":%d}`, b.msgs)) {
			select {
			case <-gone: // it is refused since nothing can be written
				return false
			default:
				t.Fatalf("%s", r.Data)
			}
		}
		return true
	case <-gone:
		select {
		case r := <-answers:
			return strings.Contains(string(r.Data), `"count"`)
		default:
		}
		return false
	}
}

// check looks at what is there when the power is back.
func (b *cutBatch) check(t *testing.T, start func(*sim.Disk) *node, disk *sim.Disk, acked bool) {
	n := start(disk)
	defer n.stop()
	s := ok(n.js.Stream(n.ctx, "S"))
	last := s.CachedInfo().State.LastSeq
	whole := uint64(1 + b.msgs)
	if last != 1 && last != whole || acked && last != whole && !b.lax {
		t.Errorf("the last sequence is %d; acknowledged: %v", last, acked)
		return
	}
	for i := 1; i <= b.msgs && last == whole; i++ {
		m := b.message(i, "")
		wanted := b.apart == 0 || i%b.apart < 2
		switch r, err := s.GetMsg(n.ctx, uint64(1+i)); {
		case wanted && (err != nil || string(r.Data) != string(m.Data)):
			t.Errorf("message %d of the batch: %v", i, err)
		case !wanted && err == nil:
			t.Errorf("message %d is there, and nobody wants it", i)
		}
	}
	// The batch is not open any more, and sequences go on.
	if a := n.ask(batched("s.0", "b", b.msgs+1, "", nil)); !strings.Contains(a, `"err_code":10176`) {
		t.Errorf("after the power was back: %s", a)
	}
	if a := n.ask(batched("s.0", "b", 1, "1", nil)); !strings.Contains(a, fmt.Sprintf(`"seq":%d,`, last+1)) {
		t.Errorf("after the power was back: %s; the last one was %d", a, last)
	}
}
