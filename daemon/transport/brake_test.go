package transport

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/batch"
)

// relayed has what is written to src sent on to a connection with a brake, of which
// dst is the other end.
func relayed(t *testing.T, brake int64, patience time.Duration) (src net.Conn, to *Conn, dst net.Conn) {
	t.Helper()
	old := stuckAfter
	stuckAfter = patience
	from, src := pair(t)
	to, dst = pair(t)
	to.Out.Brake(brake)
	ended := serve(to, swallow)
	relay := serve(from, func(in *Input) (int, int, error) {
		copy(in.Batch.Lane(&to.Out.Outlet).Reserve(len(in.Data)), in.Data)
		return len(in.Data), 0, nil
	})
	t.Cleanup(func() {
		src.Close()
		<-relay
		to.Abort(ErrClosed)
		dst.Close()
		<-ended
		stuckAfter = old
	})
	return src, to, dst
}

// Who sends to a queue with a brake is as fast as the one who takes from it, and no
// more waits than the brake allows and what had been read already.
func TestBrake(t *testing.T) {
	const brake, most, total = 256 << 10, 256<<10 + 2*batch.Burst, 32 << 20
	src, to, dst := relayed(t, brake, time.Minute)
	go func() { _, _ = src.Write(make([]byte, total)) }() // ends when it is taken, or src is closed
	buf := make([]byte, 4<<10)
	var peak int64
	for n := 0; n < total; {
		k, err := dst.Read(buf)
		if err != nil {
			t.Fatalf("after %d bytes: %v", n, err)
		}
		n += k
		peak = max(peak, to.Out.Stats().Pending)
	}
	if peak > most {
		t.Errorf("%d bytes waited; the brake is at %d", peak, brake)
	}
}

// A peer that takes nothing is waited for only so long.
func TestBrakeGivesUp(t *testing.T) {
	src, to, dst := relayed(t, 64<<10, 2*brakeLook)
	const total = 16 << 20
	go func() { _, _ = src.Write(make([]byte, total)) }() // as above
	for end := time.Now().Add(20 * time.Second); to.Out.Stats().Pending < 4<<20; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the sender is waiting yet; %d bytes wait with it", to.Out.Stats().Pending)
		}
	}
	if _, err := io.ReadFull(dst, make([]byte, total)); err != nil {
		t.Fatal(err)
	}
}

// The end of the peer lets those go that wait for it.
func TestBrakeEnds(t *testing.T) {
	src, to, dst := relayed(t, 64<<10, time.Minute)
	go func() { _, _ = src.Write(make([]byte, 16<<20)) }() // as above
	for to.Out.Stats().Pending <= 64<<10 {
		time.Sleep(time.Millisecond)
	}
	dst.Close()
	if err := src.SetWriteDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := src.Write(make([]byte, 32<<20)); err != nil {
		t.Fatal("the sender waits for a peer that is gone:", err)
	}
}
