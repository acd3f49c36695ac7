package broker

import (
	"context"
	"sync"
	"time"
)

// patience is a context with a deadline, as [context.WithTimeout] makes it, that starts no timer before somebody waits
// for it: most authenticators answer at once. cancel must be called in the end.
type patience struct {
	context.Context // what it says of values
	until           time.Time

	mu    sync.Mutex // a leaf
	done  chan struct{}
	timer *time.Timer
	err   error
}

func newPatience(d time.Duration) *patience {
	return &patience{Context: context.Background(), until: time.Now().Add(d)}
}

// Deadline implements [context.Context].
func (p *patience) Deadline() (time.Time, bool) { return p.until, true }

// Done implements [context.Context].
func (p *patience) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done == nil {
		p.done = make(chan struct{})
		if p.err != nil {
			close(p.done)
		} else {
			p.timer = time.AfterFunc(time.Until(p.until), func() { p.end(context.DeadlineExceeded) })
		}
	}
	return p.done
}

// Err implements [context.Context].
func (p *patience) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil && p.done == nil && !time.Now().Before(p.until) {
		p.err = context.DeadlineExceeded // nobody waits who could have been told
	}
	return p.err
}

// cancel ends it.
func (p *patience) cancel() { p.end(context.Canceled) }

func (p *patience) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return
	}
	p.err = err
	if p.done != nil {
		close(p.done)
		p.timer.Stop()
	}
}
