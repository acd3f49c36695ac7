package broker

import (
	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// toFan gives the message to all plain receivers of a pattern. Those with nothing
// special about them share what is staged, and get it when the stage is closed.
func (s *sender) toFan(p *plan, out *fanout, subject []byte, f *proto.Frame) (delivered bool) {
	for _, sub := range out.special {
		if sub.client != s.self || s.echo {
			delivered = s.to(sub, subject, f) || delivered
		}
	}
	if len(out.groups) == 0 {
		return delivered
	}
	if f.Tail == nil || f.Size >= batch.ReferFrom || f.Hdr > 0 && !out.headers {
		return s.toEach(out, subject, f) || delivered
	}
	s.stageRun(out, subject, f, run{1, 0})
	if !out.apart || len(p.plain)+len(p.groups)+len(p.fans)+len(out.special) > 1 {
		s.closeStage()
	}
	return delivered || s.others(out)
}

// toEach gives the message to the receivers one by one.
func (s *sender) toEach(out *fanout, subject []byte, f *proto.Frame) (delivered bool) {
	for i := range out.groups {
		g := &out.groups[i]
		for _, sub := range g.subs {
			if c := sub.client; c != s.self || s.echo {
				s.frame(s.lane(c), c.has(flagHeaders), subject, g.sid, f)
				delivered = true
			}
		}
	}
	return delivered
}

// others reports whether a receiver of the fan-out gets what this sender publishes.
func (s *sender) others(out *fanout) bool {
	if s.self == nil || s.echo {
		return true
	}
	for i := range out.groups {
		for _, sub := range out.groups[i].subs {
			if sub.client != s.self {
				return true
			}
		}
	}
	return false
}

// stageRun appends a run of messages, of which f is the first, to the stage.
func (s *sender) stageRun(out *fanout, subject []byte, f *proto.Frame, r run) {
	if s.open != nil && s.open != out {
		s.closeStage()
	}
	verb, sid := "MSG ", out.groups[0].sid
	if f.Hdr > 0 {
		verb = "HMSG "
	}
	place := len(verb) + len(subject) + 1
	line := place + len(sid)
	size := line + len(f.Tail)
	for next := f.Tail[:len(f.Tail)+(r.count-1)*r.length]; r.count > 0; {
		if s.open == nil {
			s.open = out
			s.stage.Begin(sid)
		}
		b, n := s.stage.Reserve(size, place, r.count)
		if n == 0 {
			s.closeStage()
			continue
		}
		s.stage.Msgs += n
		s.stage.Bytes += n * f.Size
		r.count -= n
		first := b[:line]
		at := copy(first, verb)
		at += copy(first[at:], subject)
		first[at] = ' '
		copy(first[at+1:], sid)
		for i := range n {
			if i > 0 {
				copy(b, first)
			}
			copy(b[line:], next[:len(f.Tail)])
			b = b[size:]
			next = next[min(r.length, len(next)):]
		}
	}
}

// closeStage moves what is staged to the lanes of its receivers.
func (s *sender) closeStage() {
	groups := s.open.groups
	s.open = nil
	for i := range groups {
		g := &groups[i]
		for _, sub := range g.subs {
			if c := sub.client; c != s.self || s.echo {
				s.stage.Put(s.in.Batch.Lane(&c.Out.Outlet), g.sid, i < len(groups)-1)
			}
		}
	}
	s.stage.End()
}
