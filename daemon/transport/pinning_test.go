package transport

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/batch"
)

// payloads puts pieces of size bytes from a block of its own, and reports whether the
// queue keeps that block.
func payloads(o *Outbound, block, size, pieces int, fill byte) (kept bool) {
	b := batch.NewBlock(block)
	defer b.Release()
	var segs []batch.Segment
	for i := range pieces {
		b.Hold()
		s := batch.Segment{Block: b, From: i * size, To: (i + 1) * size}
		copy(s.Bytes(), bytes.Repeat([]byte{fill}, size))
		segs = append(segs, s)
	}
	o.put(segs, size*pieces, pieces, size*pieces)
	return b.Shared()
}

// What waits for a peer that does not read is bounded by its size: a payload does not keep
// all that was read with it. A block of which most waits is kept, not copied.
func TestWhatWaitsPinsLittle(t *testing.T) {
	c, other := pair(t)
	c.Out.Limits(1<<30, time.Hour)
	done := serve(c, swallow)
	for range 64 { // more than the system takes for a socket
		c.Out.Send(make([]byte, 1<<20))
	}
	const rounds, size = 100, batch.ReferFrom + 2
	pinned := 0
	for i := range rounds {
		if payloads(&c.Out, batch.Burst, size, 1, byte(i)) {
			pinned += batch.Burst
		}
	}
	if most := rounds * size * pinnedMax; pinned > most {
		t.Errorf("%d bytes that wait keep %d, want at most %d", rounds*size, pinned, most)
	}
	for _, l := range []struct{ block, size, pieces int }{
		{batch.Burst, size, 31}, {batch.Burst, batch.Read, 1}, {batch.Large, 1 << 20, 1}, {batch.Read, 3 * size, 1}, {batch.Middle, size, 1},
	} {
		if !payloads(&c.Out, l.block, l.size, l.pieces, 'l') {
			t.Errorf("%d times %d bytes of a block of %d are copied", l.pieces, l.size, l.block)
		}
	}

	var want []byte
	for i := range rounds {
		want = append(want, bytes.Repeat([]byte{byte(i)}, size)...)
	}
	c.Abort(ErrClosed) // which sends what waits first
	got, err := io.ReadAll(other)
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("ended with %v", err)
	}
	if err != nil || len(got) < 64<<20+len(want) {
		t.Fatalf("%d bytes came, %v", len(got), err)
	}
	if got = got[64<<20:]; !bytes.HasPrefix(got, want) {
		t.Error("other bytes came than were sent")
	}
	if l := bytes.TrimRight(got[len(want):], "l"); len(l) > 0 {
		t.Errorf("%d other bytes at the end", len(l))
	}
}

// While somebody writes, and the peer reads, nothing large is copied.
func TestAQueueThatIsWrittenKeepsReferences(t *testing.T) {
	c, other := pair(t)
	c.Out.Limits(1<<30, time.Hour)
	done := serve(c, swallow)
	c.Out.mu.Lock()
	c.Out.busy = true // as a publisher that is writing
	c.Out.mu.Unlock()
	if !payloads(&c.Out, batch.Burst, batch.ReferFrom+2, 1, 'l') {
		t.Error("a piece was copied")
	}
	c.Out.mu.Lock()
	c.Out.carryOn(0, 1)
	got := make([]byte, batch.ReferFrom+2)
	if _, err := io.ReadFull(other, got); err != nil || len(bytes.TrimRight(got, "l")) > 0 {
		t.Errorf("%v", err)
	}
	other.Close()
	<-done
}
