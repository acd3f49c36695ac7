package jetstream

import (
	"fmt"
	"time"

	"github.com/nats-broker/nats-broker/daemon/stream"
)

// schedule sets the timer to when messages, or ids, will be too old. mu is held.
func (s *Stream) schedule() {
	if s.closed || s.failed != nil {
		return
	}
	next := s.machine.Due()
	if ids := s.machine.NextForget(); next == 0 || ids != 0 && ids < next {
		next = ids
	}
	if next == 0 {
		if s.timer != nil {
			s.timer.Stop()
		}
		return
	}
	wait := max(time.Duration(next-s.acc.srv.ages.now()), 10*time.Millisecond)
	if s.timer == nil {
		s.timer = time.AfterFunc(wait, s.expire)
		return
	}
	s.timer.Reset(wait)
}

// expire takes out what is too old.
func (s *Stream) expire() {
	s.mu.Lock()
	defer s.unlock()
	if s.closed || s.failed != nil {
		return
	}
	if s.paused || s.machine.Pending() > 0 && s.machine.Expiring() {
		s.schedule()
		return
	}
	if c, ok := s.machine.Expire(s.acc.srv.ages.now()); ok {
		s.follow(c, nil)
		return
	}
	s.schedule()
}

// clockJumped is told of a jump of the clock, and when it is followed. Nobody looks for what is too old before some timer says
// so; so all streams look when it is.
func (s *Server) clockJumped(jump time.Duration, followed bool) {
	if followed {
		s.log.Warn(fmt.Sprintf("JetStream: what is stored ages by the clock again, which differs by %v from what it was", jump.Round(time.Second)))
		return
	}
	s.log.Warn(fmt.Sprintf("JetStream: the clock has jumped by %v: for %v nothing goes for its age that would not have gone without", jump.Round(time.Second), jumpAfter))
	time.AfterFunc(jumpAfter+time.Second, func() {
		if s.ending() {
			return
		}
		s.each(func(a *account) {
			for _, st := range a.list() {
				st.expire()
			}
		})
	})
}

// follow has a change that was accepted committed and applied. mu is held.
func (s *Stream) follow(c stream.Change, done chan<- stream.Result) {
	s.notes.push(note{change: true, done: done})
	if s.ledger != nil {
		s.ledger.change(s, c, 1)
		return
	}
	s.committed++
	s.apply()
}
