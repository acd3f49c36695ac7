package jetstream

import (
	"fmt"
	"time"

	"github.com/nats-broker/nats-broker/daemon/stream"
)

// schedule sets the timer to when messages, or ids, will be too old. mu is held.
func (s *Stream) schedule() {
	if s.closed || s.failed != nil || s.draining {
		return
	}
	next := s.machine.Due()
	if ids := s.machine.NextForget(); next == 0 || ids != 0 && ids < next {
		next = ids
	}
	if next == 0 && !s.machine.Behind() {
		if s.timer != nil {
			s.timer.Stop()
		}
		return
	}
	wait := max(time.Duration(next-s.acc.srv.ages.now()), 10*time.Millisecond)
	if s.machine.Behind() {
		wait = time.Millisecond // others have their turn
	}
	if s.timer == nil {
		s.timer = time.AfterFunc(wait, s.expire)
		return
	}
	s.timer.Reset(wait)
}

// lookAtOnce is how many of the messages that were there before are looked at while the stream is held.
const lookAtOnce = 2048

// expire takes out what is too old.
func (s *Stream) expire() {
	s.mu.Lock()
	defer s.unlock()
	if s.closed || s.failed != nil {
		return
	}
	if s.machine.Timed() {
		s.fireSoon()
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

// fireSoon has done what is due, when nothing is pending: until then nothing more is decided. mu is held.
func (s *Stream) fireSoon() {
	if s.machine.Behind() {
		s.machine.Look(lookAtOnce, s.acc.srv.ages.now())
	}
	due := s.machine.Due()
	switch {
	case s.paused || due == 0 || due > s.acc.srv.ages.now():
		s.schedule()
	case s.machine.Pending() > 0:
		s.draining = true
	default:
		s.fire()
	}
}

// fire does what is due. Nothing is pending; mu is held.
func (s *Stream) fire() {
	s.draining = false
	if s.closed || s.failed != nil || s.paused {
		return
	}
	s.machine.Fire((*quota)(s), s.acc.srv.ages.now(), s.now())
	s.followAll()
}

// followAll has all that is pending, of which nobody has heard, committed and applied. mu is held.
func (s *Stream) followAll() {
	var f frame
	changes := s.machine.Changes()
	for i := range changes {
		c := &changes[i]
		n := note{change: true}
		if c.Kind == stream.Append || c.Kind == stream.Skip {
			n.size = int64(len(c.Record.Subject) + len(c.Record.Header) + len(c.Record.Payload))
			s.buffered.Add(1)
			s.bufferedBy += n.size
		}
		s.notes.push(n)
		if c.Kind == stream.Append {
			f.make(&c.Record)
			continue
		}
		s.hand(&f)
		if s.ledger != nil {
			s.ledger.change(s, *c, 1)
		}
	}
	s.hand(&f)
	if s.ledger == nil {
		s.committed += len(changes)
		s.apply()
	} else if len(changes) == 0 {
		s.schedule()
	}
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
