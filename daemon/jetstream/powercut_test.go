package jetstream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// notebook is what clients were told, and so may count on.
type notebook struct {
	mu      sync.Mutex
	acked   map[uint64]string // sequences of S, and what was published
	keys    map[string]uint64 // revisions of keys, the last that was acknowledged
	done    map[uint64]bool   // confirmed acks of the consumer
	deleted map[uint64]bool
}

// work lets clients use a node until the disk is gone: they publish, put keys, fetch and ack with confirmation, delete and purge.
func (b *notebook) work(n *node, enough func(acks int)) {
	js := ok(n.nc.JetStream(nats.MaxWait(2 * time.Second))) // what is under way when the power goes gets no answer
	var over sync.WaitGroup
	stop := make(chan struct{})
	var once sync.Once
	end := func() { once.Do(func() { close(stop) }) }
	var acks int
	count := func() {
		acks++
		enough(acks)
	}
	loop := func(step func(i int) bool) {
		over.Go(func() {
			defer end()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if !step(i) {
					return
				}
			}
		})
	}
	for k := range 3 {
		loop(func(i int) bool {
			text := fmt.Sprintf("%d-%d", k, i)
			a, err := js.Publish(fmt.Sprintf("s.%d", k), []byte(text))
			if err != nil {
				return false
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.acked[a.Sequence] = text
			count()
			return true
		})
	}
	kv, err := js.KeyValue("b")
	if err != nil {
		return
	}
	loop(func(i int) bool {
		key := fmt.Sprint(i % 7)
		rev, err := kv.Put(key, fmt.Append(nil, i))
		if err != nil {
			return false
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.keys[key] = rev
		return true
	})
	sub, err := js.PullSubscribe("s.*", "c", nats.Bind("S", "c"))
	if err != nil {
		return
	}
	loop(func(int) bool {
		msgs, err := sub.Fetch(5, nats.MaxWait(time.Second))
		if err != nil && !errors.Is(err, nats.ErrTimeout) {
			return false
		}
		for _, m := range msgs {
			if m.AckSync(nats.AckWait(2*time.Second)) != nil {
				return false
			}
			meta, _ := m.Metadata()
			b.mu.Lock()
			b.done[meta.Sequence.Stream] = true
			b.mu.Unlock()
		}
		return true
	})
	loop(func(int) bool {
		b.mu.Lock()
		var seq uint64
		for s := range b.acked {
			if s%11 == 0 && !b.deleted[s] {
				seq = s
				break
			}
		}
		b.mu.Unlock()
		if seq == 0 {
			time.Sleep(time.Millisecond) // there is nothing to delete yet
			return true
		}
		if js.DeleteMsg("S", seq) != nil {
			return false
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.deleted[seq] = true
		return true
	})
	over.Wait()
}

// hold compares what a node has with what clients were told.
func (b *notebook) hold(t *testing.T, n *node, maybe map[uint64]bool) {
	s := ok(n.js.Stream(n.ctx, "S"))
	for seq, text := range b.acked {
		m, err := s.GetMsg(n.ctx, seq)
		switch {
		case b.deleted[seq]:
			if err == nil {
				t.Errorf("message %d was deleted and is there again", seq)
			}
		case err != nil && !maybe[seq]:
			t.Errorf("message %d was acknowledged: %v", seq, err)
		case err == nil && string(m.Data) != text:
			t.Errorf("message %d was %s and is %s", seq, text, m.Data)
		}
	}
	kv := ok(n.js.KeyValue(n.ctx, "b"))
	for key, rev := range b.keys {
		if e, err := kv.Get(n.ctx, key); err != nil || e.Revision() < rev {
			t.Errorf("key %s had revision %d: %v, %v", key, rev, e, err)
		}
	}
	c := ok(s.Consumer(n.ctx, "c"))
	for {
		got := 0
		for m := range ok(c.FetchNoWait(100)).Messages() {
			got++
			seq := ok(m.Metadata()).Sequence.Stream
			if b.done[seq] {
				t.Errorf("message %d comes again after its ack was confirmed", seq)
			}
			if err := m.DoubleAck(n.ctx); err != nil {
				t.Fatal(err)
			}
		}
		if got == 0 {
			break
		}
	}
	// What comes next gets a sequence of its own.
	if a := ok(n.js.Publish(n.ctx, "s.0", []byte("new"))); b.acked[a.Sequence] != "" {
		t.Errorf("sequence %d is given twice", a.Sequence)
	}
}

// TestPowerCuts takes the power away while clients work, and looks whether everything that they were told is true when
// it comes back. The disk is a simulated one, which keeps, drops and tears what was not synced.
func TestPowerCuts(t *testing.T) {
	cuts := 6
	if os.Getenv("LONG") != "" {
		cuts = 200
	}
	seed := uint64(time.Now().UnixNano())
	for i := range cuts {
		t.Run(fmt.Sprint(seed+uint64(i)), func(t *testing.T) { powerCut(t, seed+uint64(i)) })
	}
}

func powerCut(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	disk := sim.New(seed, sim.Options{JournaledNames: rng.IntN(2) == 0, Capacity: 1 << 30})
	n := newNodeOn(t, disk, "/js")
	packs := jetstream.StoreCompression(rng.IntN(2))
	s := ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Storage: jetstream.FileStorage, Compression: packs}))
	ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour}))
	ok(n.js.CreateKeyValue(n.ctx, jetstream.KeyValueConfig{Bucket: "b", History: 2, Compression: packs == jetstream.S2Compression}))
	if rng.IntN(2) == 0 { // what is in the journal is on its way to the files
		n.server.files.checkpointSoon(n.server.files.journal.Position())
	}
	b := &notebook{acked: map[uint64]string{}, keys: map[string]uint64{}, done: map[uint64]bool{}, deleted: map[uint64]bool{}}
	least := 20 + rng.IntN(400)
	var after *sim.Disk
	b.work(n, func(acks int) {
		switch {
		case acks == least/2 && rng.IntN(2) == 0:
			n.server.files.checkpointSoon(n.server.files.journal.Position())
		case acks == least && after == nil:
			after = disk.Cut(seed, sim.Any)
		}
	})
	if after == nil {
		t.Fatal("the clients stopped before the power went")
	}
	n.stop()
	n = newNodeOn(t, after, "/js")
	// A deletion that was asked for and not answered may have happened.
	maybe := map[uint64]bool{}
	for seq := range b.acked {
		maybe[seq] = seq%11 == 0
	}
	b.hold(t, n, maybe)
	n.stop()
}
