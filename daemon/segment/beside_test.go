package segment

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// TestReadersBeside asks a log everything while it is changed, sealed, synced and written anew.
// What is found is what was stored.
func TestReadersBeside(t *testing.T) {
	l, err := Open(sim.New(1, sim.Options{Quiet: true}), "/log", Options{
		Node: NewNode(NodeOptions{Cache: 50_000, Files: 2}), Tail: 2000, Segment: 10_000, Rewrite: 0.5,
		Report: func(r Report) { t.Errorf("reported: %+v", r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	const messages, keys = 6000, 60
	var done atomic.Bool
	var group sync.WaitGroup
	ask := func(fn func(n uint64) error) {
		group.Go(func() {
			for n := uint64(0); !done.Load(); n++ {
				if err := fn(n * 7919); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	filters := []*subjects.Filter{nil, subjects.NewFilter("k.7"), subjects.NewFilter("*.1", "k.2")}
	ask(func(n uint64) error {
		var r stream.Record
		st := l.State()
		seq := st.First + n%(st.Last-st.First+2)
		if err := l.Load(seq, &r); err != nil {
			if errors.Is(err, stream.ErrNoMessage) {
				return nil
			}
			return err
		}
		if string(r.Subject) != fmt.Sprint("k.", seq*seq%keys) || string(r.Payload) != fmt.Sprint("payload of ", seq) {
			return fmt.Errorf("message %d is %s on %s", seq, r.Payload, r.Subject)
		}
		return nil
	})
	ask(func(n uint64) error {
		f := filters[n%3]
		last := l.State().Last
		if seq, ok := l.Next(last-min(last, 300), f); ok && !f.Match(fmt.Append(nil, "k.", seq*seq%keys)) {
			return fmt.Errorf("%v found message %d", f.Patterns(), seq)
		}
		if seq, ok := l.Prev(last, f); ok && !f.Match(fmt.Append(nil, "k.", seq*seq%keys)) {
			return fmt.Errorf("%v found message %d", f.Patterns(), seq)
		}
		l.Count(f, 0, last)
		l.AtTime(int64(n % messages))
		return nil
	})
	ask(func(n uint64) error {
		before := ""
		l.Subjects(filters[n%2*2], func(s []byte, _ stream.Totals) bool {
			if string(s) <= before {
				t.Errorf("%s behind %s", s, before)
			}
			before = string(s)
			return true
		})
		l.Subject(fmt.Append(nil, "k.", n%keys))
		l.Holes(func(stream.Range) bool { return true })
		l.Lost()
		return nil
	})
	ask(func(n uint64) error { // memory is short
		l.DropTable()
		l.node.Shrink(10_000)
		return l.SealTail()
	})
	syncs := make(chan func() error, 1)
	group.Go(func() {
		for finish := range syncs {
			if err := finish(); err != nil {
				t.Error(err)
			}
		}
	})
	for seq := uint64(1); seq <= messages; seq++ {
		l.Begin(seq)
		s := fmt.Append(nil, "k.", seq*seq%keys)
		before, _ := l.Subject(s)
		if err := l.Append(&stream.Record{Seq: seq, Time: int64(seq), Subject: s, Payload: fmt.Append(nil, "payload of ", seq)}); err != nil {
			t.Fatal(err)
		}
		if before.Msgs > 20 {
			if there, err := l.Remove(before.First); err != nil || !there {
				t.Fatalf("Remove(%d): %v, %v", before.First, there, err)
			}
		}
		if seq%1000 == 0 {
			if err := l.Truncate(seq - 700); err != nil {
				t.Fatal(err)
			}
		}
		if seq%150 == 0 {
			finish, err := l.Checkpoint()
			if err != nil {
				t.Fatal(err)
			}
			syncs <- finish
		}
	}
	close(syncs)
	done.Store(true)
	group.Wait()
	if err := l.Sync(); err != nil || l.Durable() != messages {
		t.Fatal(l.Durable(), err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
