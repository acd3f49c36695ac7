package batch

import "sync/atomic"

// Destination takes what batches have staged for it. Batches find it by its [Outlet].
type Destination interface {
	// Put is called once for each flush of a lane, on the goroutine that owns the
	// batch. What the lane holds is in [Lane.Segments]; the references to their blocks
	// are the destination's from now on, and it releases them, each when it pleases:
	// what it keeps must not be changed. The slice and the lane are the batch's, and good
	// during the call; so are its counts, and its note.
	//
	// It must not wait for anything. To have the publisher wait, after its batch is
	// flushed, it returns true: AwaitRoom is called then.
	Put(l *Lane) (wait bool)

	// AwaitRoom waits until the destination takes more, or there is no sense in waiting.
	// ended, which may be called now and then, reports that whoever waits has ended. It is
	// called on the goroutine that owns the batch.
	AwaitRoom(ended func() bool)
}

// Outlet is what batches know a destination by. It is a part of it and must not be
// copied.
type Outlet struct {
	to Destination
	id uint32 // spreads destinations over the slots of a batch
}

var outletIDs atomic.Uint32

// Leads says where the outlet leads to. It comes before any other use, once.
func (o *Outlet) Leads(to Destination) { o.to, o.id = to, outletIDs.Add(1) }
