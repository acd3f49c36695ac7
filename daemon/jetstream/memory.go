package jetstream

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/budget"
	"github.com/nats-broker/nats-broker/daemon/segment"
)

// memoryBound sees that what the store keeps in memory stays within its budget. Those who keep something say so to their
// share; when all is too much a goroutine asks them to give back, and where nobody can, the greediest streams refuse what is
// published.
type memoryBound struct {
	*budget.Budget
	over  chan struct{} // it is too much
	ended chan struct{}
	done  sync.WaitGroup
}

func newMemoryBound(bytes int64) *memoryBound {
	m := &memoryBound{Budget: budget.New(bytes), over: make(chan struct{}, 1), ended: make(chan struct{})}
	m.done.Go(m.keep)
	return m
}

// stop ends the goroutine.
func (m *memoryBound) stop() {
	close(m.ended)
	m.done.Wait()
}

// How long it takes from one relief to the next. Where it does not help that becomes longer: what is written early comes in
// small pieces, and what was given up is looked for.
const (
	relieveEvery = 50 * time.Millisecond
	relieveMost  = 5 * time.Second
)

func (m *memoryBound) keep() {
	for {
		select {
		case <-m.ended:
			return
		case <-m.over:
		}
		m.Relieve()
		next, pause := time.Now().Add(relieveEvery), relieveEvery
		for m.Over() > 0 || m.Refusing() {
			select {
			case <-m.ended:
				return
			case <-time.After(relieveEvery):
			}
			switch now := time.Now(); {
			case m.Over() == 0:
				m.Relieve() // it asks nobody, and sees who is refused still
				pause = relieveEvery
			case now.After(next):
				m.Relieve()
				pause = min(2*pause, relieveMost)
				next = now.Add(pause)
			}
		}
	}
}

// look wakes the goroutine if there is too much.
func (m *memoryBound) look() {
	if m.Over() > 0 {
		select {
		case m.over <- struct{}{}:
		default:
		}
	}
}

// memoryShare is what one stream keeps in memory, or all of them together. A nil one counts nothing.
type memoryShare struct {
	*budget.Account
	of *memoryBound
}

func (m *memoryBound) share(give map[budget.Kind]budget.Giver) *memoryShare {
	if m == nil {
		return nil
	}
	return &memoryShare{m.Open(give), m}
}

// set says how much of a kind there is.
func (s *memoryShare) set(k budget.Kind, bytes int64) {
	if s != nil && s.Used(k) != bytes {
		s.Set(k, bytes)
		s.of.look()
	}
}

// add says by how much it has changed.
func (s *memoryShare) add(k budget.Kind, change int64) {
	if s != nil && change != 0 {
		s.Add(k, change)
		s.of.look()
	}
}

// greedy reports whether the stream is one of those that must not grow now.
func (s *memoryShare) greedy() bool { return s != nil && s.Refused() }

// end gives the share up.
func (s *memoryShare) end() {
	if s != nil {
		s.Close()
	}
}

// ofLog is the share of a log in files: messages that wait can be written early, and a table be looked up in the files.
type ofLog struct {
	*memoryShare
	log atomic.Pointer[segment.Log] // nil: not open yet
}

func (m *memoryBound) shareOfLog() *ofLog {
	s := &ofLog{}
	s.memoryShare = m.share(map[budget.Kind]budget.Giver{
		budget.Tails: func(int64) {
			if l := s.log.Load(); l != nil {
				_ = l.SealTail() // what cannot be written stays, and is asked for by Full
			}
		},
		budget.Tables: func(int64) {
			if l := s.log.Load(); l != nil {
				l.DropTable()
			}
		},
	})
	return s
}

// changed is told by the log.
func (s *ofLog) changed(tail, table int64) {
	s.set(budget.Tails, tail)
	s.set(budget.Tables, table)
}

// newNode returns what logs in files share, its own share counted.
func (m *memoryBound) newNode() *segment.Node {
	var n *segment.Node
	s := m.share(map[budget.Kind]budget.Giver{budget.Pages: func(need int64) { n.Shrink(max(n.Kept()-need, 0)) }})
	o := segment.NodeOptions{Kept: func(change int64) { s.add(budget.Pages, change) }}
	if most := m.Limit() / 4; most > 0 && most < segment.DefaultCache {
		o.Cache = most
	}
	n = segment.NewNode(o)
	return n
}

// What a message in memory takes beside its bytes: its slot, and what the allocator rounds up.
const memorySlot = 96
