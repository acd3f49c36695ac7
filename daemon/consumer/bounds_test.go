package consumer

import (
	"fmt"
	"runtime"
	"testing"
)

// A million pending acks take 16 MiB at most, also with backoff and after a tenth of them was
// asked for again.
func TestMillionPendingAcksAreSmall(t *testing.T) {
	const n = 1_000_000
	w := &endless{last: n}
	before := heap()
	m := New(Config{Ack: AckExplicit, AckWait: 1000 * ms, Backoff: []int64{1000 * ms, 5000 * ms}, AckPrefix: "$JS.ACK.S.C."}, w, 1)
	m.Request("x", Request{Batch: 2 * n}, 1)
	for i := range n {
		want, ok := m.Next(1)
		if !ok {
			t.Fatal(i)
		}
		m.Deliver(want, 100, 1, 1)
		m.Changes()
	}
	for i := uint64(1); i <= n/10; i++ {
		m.Nak(Told{Stream: i * 10, Consumer: i * 10, Times: 1}, int64(i%1000)*ms, i%2 == 0, 2)
		m.Changes()
		m.Notices()
	}
	took := heap() - before
	if i := m.Info(2); i.AckPending != n {
		t.Fatal(i.AckPending)
	}
	fmt.Printf("measured: %.1f bytes a pending ack\n", float64(took)/n)
	if took > 16<<20 {
		t.Errorf("%d bytes", took)
	}
	for i := uint64(1); i <= n; i++ {
		m.Ack(Told{Stream: i, Consumer: i, Times: 1}, 3)
		m.Changes()
	}
	if i := m.Info(3); i.AckPending != 0 || i.Floor.Stream != n {
		t.Fatalf("%+v", i)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// A consumer that nobody uses is small: a hundred thousand of them may be on a node.
func TestQuietConsumersAreSmall(t *testing.T) {
	const n = 10_000
	before := heap()
	all := make([]*Machine, n)
	w := &endless{}
	for i := range all {
		all[i] = New(Config{Ack: AckExplicit, AckWait: 1000 * ms}, w, 1)
		all[i].Changes()
	}
	took := heap() - before
	runtime.KeepAlive(all)
	fmt.Printf("measured: %d bytes a quiet consumer\n", took/n)
	if took/n > 1500 {
		t.Errorf("%d bytes", took/n)
	}
}
