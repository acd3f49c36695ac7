package transport

import "time"

// A publisher is never held up for a subscriber: who does not keep up is closed when
// more waits than may. A peer of the cluster stands for many subscribers, and a link
// that is slower than a publisher is not its fault; if it were closed, all of them
// would miss messages. So its queue has a brake. From that length on, whoever has
// published to it reads on only when the queue is shorter again; not, if the peer
// takes nothing at all for stuckAfter: that one is waited for no more until it moves,
// and closed by the limit.

// Brake has publishers wait for this queue when it is longer than n bytes; 0: never.
func (o *Outbound) Brake(n int64) {
	o.mu.Lock()
	o.brake = n
	o.release()
	o.mu.Unlock()
}

var stuckAfter = time.Second // changed by tests

// brakeLook is how often a publisher that waits looks at its own end.
const brakeLook = 100 * time.Millisecond

// braking reports whether publishers have to wait. The lock is held.
func (o *Outbound) braking() bool {
	return o.brake > 0 && o.pending > o.brake && !o.stuck && !o.dead && !o.closing
}

// wrote notes that n bytes have left. The lock is held.
func (o *Outbound) wrote(n int) {
	o.pending -= int64(n)
	if o.brake == 0 || n == 0 {
		return
	}
	o.drained += uint64(n)
	o.stuck = false
	o.release()
}

// release lets publishers go on that wait without a reason. The lock is held.
func (o *Outbound) release() {
	if o.room != nil && !o.braking() {
		close(o.room)
		o.room = nil
	}
}

// AwaitRoom waits until the queue is short enough, or there is no sense in it: see
// [batch.Destination].
func (o *Outbound) AwaitRoom(ended func() bool) {
	look := time.NewTicker(brakeLook)
	defer look.Stop()
	var drained uint64
	still := 0 // looks since something left
	for {
		o.mu.Lock()
		if still >= int(stuckAfter/brakeLook) && o.drained == drained {
			o.stuck = true
			o.release()
		}
		if !o.braking() {
			o.mu.Unlock()
			return
		}
		if o.drained != drained {
			drained, still = o.drained, 0
		}
		if o.room == nil {
			o.room = make(chan struct{})
		}
		room := o.room
		o.mu.Unlock()
		select {
		case <-room:
		case <-look.C:
			still++
			if ended() {
				return
			}
		}
	}
}
