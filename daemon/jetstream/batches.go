package jetstream

import (
	"bytes"
	"time"

	"github.com/nats-broker/nats-broker/daemon/budget"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/msgtrace"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// batches are the open batches of a stream. mu of the stream is held by whoever uses them.
type batches struct {
	atomic map[string]*atomicBatch
	fast   map[string]*fastBatch
	staged int64 // bytes of those that are stored together
	timer  *time.Timer
}

// BatchLimits bound the batches of publishers. 0 is what nats-server has.
type BatchLimits struct {
	PerStream int           // open at one time
	Total     int           // of the server
	Msgs      int           // of one batch that is stored whole
	Idle      time.Duration // how long a batch waits for its next message
}

// What batches may have, where nothing is said.
const (
	atomicPerStream, atomicTotal = 50, 1000
	fastPerStream, fastTotal     = 1000, 50_000
	batchMsgs                    = 1000
	batchIdle                    = 10 * time.Second
	batchIDMost                  = 64 // bytes
)

func (l BatchLimits) msgs() int { return orElse(l.Msgs, batchMsgs) }

func (l BatchLimits) idle() time.Duration { return orElse(l.Idle, batchIdle) }

func orElse[T int | time.Duration](n, otherwise T) T {
	if n > 0 {
		return n
	}
	return otherwise
}

// began is the moment that times of batches count from: no clock that is set counts.
var began = time.Now()

// What the memory of a message that waits for the rest of its batch takes beside its bytes.
const stagedSlot = 160

// hold counts bytes of messages that wait for the rest of their batch. mu is held.
func (s *Stream) hold(change int64) {
	s.batches.staged += change
	s.memory.set(budget.Batches, s.batches.staged)
}

// await has batches end whose publishers say nothing any more. mu is held.
func (s *Stream) await() {
	b := &s.batches
	if len(b.atomic)+len(b.fast) == 0 || s.closed {
		if b.timer != nil {
			b.timer.Stop()
			b.timer = nil
		}
		return
	}
	if b.timer == nil {
		b.timer = time.AfterFunc(s.acc.srv.options().Batches.idle(), s.tireOfBatches)
	}
}

// tireOfBatches ends the batches that nothing was heard of for too long.
func (s *Stream) tireOfBatches() {
	s.mu.Lock()
	defer s.unlock()
	b, idle := &s.batches, s.acc.srv.options().Batches.idle()
	if b.timer == nil {
		return
	}
	b.timer = nil
	now, next := time.Since(began), idle
	for id, x := range b.atomic {
		if left := x.heard + idle - now; left > 0 {
			next = min(next, left)
			continue
		}
		s.abandon(id, "timeout")
	}
	for id, x := range b.fast {
		if left := x.heard + idle - now; left > 0 {
			next = min(next, left)
			continue
		}
		s.endFast(id)
	}
	if len(b.atomic)+len(b.fast) > 0 && !s.closed {
		b.timer = time.AfterFunc(next, s.tireOfBatches)
	}
}

// endBatches forgets open batches, where the stream does not take such any more. mu is held.
func (s *Stream) endBatches(atomic, fast bool) {
	if atomic {
		for id := range s.batches.atomic {
			s.endAtomic(id)
		}
	}
	if fast {
		for id := range s.batches.fast {
			s.endFast(id)
		}
	}
	s.await()
}

// batchEvent tells that a batch was given up.
type batchEvent struct {
	event
	Account string `json:"account,omitempty"`
	Stream  string `json:"stream"`
	Domain  string `json:"domain,omitempty"`
	Batch   string `json:"batch"`
	Reason  string `json:"reason"`
}

// adviseAbandoned tells the account, and the system account, that a batch was given up. It does not wait.
func (s *Stream) adviseAbandoned(id, reason string) {
	a, to := s.acc, advisories+"STREAM.BATCH_ABANDONED."+s.Name()
	e := &batchEvent{event: newEvent("stream_batch_abandoned"), Stream: s.Name(), Domain: a.srv.options().Domain, Batch: id, Reason: reason}
	a.srv.work.Go(func() {
		sys := a.srv.lookup(a.srv.systemName())
		if sys != a && a.broker.Interested(to) {
			a.advise(to, e)
		}
		if sys != nil && sys.broker.Interested(to) {
			told := *e
			told.Account = a.name()
			sys.advise(to, &told)
		}
	})
}

var batchID = []byte("Nats-Batch-Id")

// offerBatch decides about a record of a batch, if it is of one. done is false if it has to wait until what is pending is applied.
// A report is told d; nil: there is none.
func (s *Stream) offerBatch(f *frame, in *intake, r *raw, now int64) (is, done bool, d *msgtrace.Decision) {
	if in.memory.dry() {
		return false, false, nil // nothing of it is to be kept
	}
	if in.memory.trail != nil {
		d = &msgtrace.Decision{Subject: string(r.subject)}
	}
	if c, fast, ok := stream.ParseControl(r.control); fast {
		return true, s.offerFast(f, in, r, &c, ok, now, d), d
	}
	if bytes.Contains(r.header, batchID) {
		if id, ok := api.Header(r.header, string(batchID)); ok && len(id) > 0 {
			return true, s.offerAtomic(f, in.memory, r, id, now, d), d
		}
	}
	return false, false, nil
}
