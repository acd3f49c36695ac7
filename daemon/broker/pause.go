package broker

import (
	"errors"
	"time"
)

// A pause is lame duck mode that can be taken back. Listeners stay open, since those that were inherited could not be
// opened again; a connection that comes is closed before anything is said, so that clients look further.

// errPaused is returned to connections that come during a pause.
var errPaused = errors.New("the broker is paused")

// pausing is a pause under way.
type pausing struct {
	end   chan struct{} // closed at its end
	moved chan struct{} // closed when all clients are gone, or it has ended
}

// goneLook is how often is looked whether those that were closed are gone.
const goneLook = 10 * time.Millisecond

// Pause lets no more clients in, tells those that are connected to go elsewhere, and, if move is set, closes them one by one
// in random order: after grace, over the time of spread. moved is closed when they are gone, or the pause has ended. ok is
// false if the broker is paused already, or about to stop.
func (b *Broker) Pause(move bool, grace, spread time.Duration) (moved <-chan struct{}, ok bool) {
	p := &pausing{end: make(chan struct{}), moved: make(chan struct{})}
	b.mu.Lock()
	if b.state != running || b.paused != nil {
		b.mu.Unlock()
		return nil, false
	}
	b.paused = p
	b.work.Go(func() { // ends with the pause, or when the clients are gone
		defer close(p.moved)
		b.tellLameDuck(b.snapshot())
		if move {
			b.moveAway(p, grace, spread)
		}
	})
	b.mu.Unlock()
	return p.moved, true
}

// moveAway closes the clients. None comes meanwhile.
func (b *Broker) moveAway(p *pausing, grace, spread time.Duration) {
	wait := func(d time.Duration) bool {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return true
		case <-p.end:
			return false
		case <-b.stopping:
			return false
		}
	}
	clients := b.snapshot()
	if len(clients) == 0 || !wait(grace) {
		return
	}
	b.log.Info("Paused: closing existing clients")
	closeSpread(b.snapshot(), spread, wait)
	for b.NumClients() > 0 && wait(goneLook) { // a connection ends a moment after it is closed
	}
}

// Unpause ends a pause: clients are let in again, and those that have stayed are told so. When it returns no client is closed
// any more because of the pause. It reports whether there was one.
func (b *Broker) Unpause() bool {
	if !b.EndPause() {
		return false
	}
	for _, c := range b.snapshot() {
		if c.has(flagAsyncInfo) {
			c.sendInfo(b.info())
		}
	}
	return true
}

// EndPause is Unpause without a word to the clients, for what comes next if the broker is about to go.
func (b *Broker) EndPause() bool {
	b.mu.Lock()
	p := b.paused
	b.paused = nil
	b.mu.Unlock()
	if p == nil {
		return false
	}
	close(p.end)
	<-p.moved
	return true
}
