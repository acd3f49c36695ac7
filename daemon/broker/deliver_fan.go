package broker

import (
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// toFan gives the message to all plain receivers of a pattern. Receivers that are
// sent the same bytes share one block; those bytes are staged and reach their lanes
// when the stages are closed.
func (s *sender) toFan(p *plan, fn *fan, subject []byte, f *proto.Frame) bool {
	out := fn.out
	if s.open != out || !out.apart || len(p.fans) > 1 {
		if s.open != nil {
			s.closeStages()
		}
		for len(s.stages) < len(out.groups) {
			s.stages = append(s.stages, transport.Stage{})
		}
	}
	if p.epoch != s.epoch {
		clear(p.lanes)
		p.epoch = s.epoch
	}
	delivered, staged := false, false
	for i := range out.groups {
		g := &out.groups[i]
		switch {
		case !g.simple:
			delivered = s.toSpecial(g, subject, f) || delivered
		case len(g.subs) > 1:
			s.stage(&s.stages[i], g, subject, f)
			delivered, staged = true, true
		default:
			c := g.subs[0].client
			if c == s.self && !s.echo {
				continue
			}
			l := p.lanes[fn.lane+i]
			if l == nil {
				l = s.in.Batch.Lane(&c.Out)
				p.lanes[fn.lane+i] = l
			}
			if g.literal && f.Tail != nil && f.Size < shareFrom && (f.Hdr <= 0 || g.headers) {
				g.copyTo(l, f)
			} else {
				s.frame(l, g.headers, subject, g.sid, f)
			}
			delivered = true
		}
	}
	if staged {
		s.open = out
		if !out.apart || len(p.plain)+len(p.groups)+len(p.fans) > 1 {
			s.closeStages()
		}
	}
	return delivered
}

// copyTo stages a message of which everything but the beginning is as published.
func (g *fanGroup) copyTo(l *transport.Lane, f *proto.Frame) {
	line := g.line
	if f.Hdr <= 0 {
		line = line[1:] // MSG
	}
	b := l.Reserve(len(line) + len(f.Tail))
	copy(b[copy(b, line):], f.Tail)
	l.Msgs++
	l.Bytes += f.Size
}

func (s *sender) toSpecial(g *fanGroup, subject []byte, f *proto.Frame) (delivered bool) {
	for _, sub := range g.subs {
		if sub.client != s.self || s.echo {
			delivered = s.to(sub, subject, f) || delivered
		}
	}
	return delivered
}

// stage appends the message to a group's stage.
func (s *sender) stage(st *transport.Stage, g *fanGroup, subject []byte, f *proto.Frame) {
	if f.Size >= shareFrom || f.Tail == nil || f.Hdr > 0 && !g.headers {
		s.closeStage(st, g)
		for _, sub := range g.subs {
			if sub.client != s.self || s.echo {
				s.frame(s.in.Batch.Lane(&sub.client.Out), g.headers, subject, g.sid, f)
			}
		}
		return
	}
	verb := "MSG "
	if f.Hdr > 0 {
		verb = "HMSG "
	}
	n := len(verb) + len(subject) + 1 + len(g.sid) + len(f.Tail)
	b, ok := st.Reserve(n)
	if !ok {
		s.closeStage(st, g)
		b, _ = st.Reserve(n)
	}
	at := copy(b, verb)
	at += copy(b[at:], subject)
	b[at] = ' '
	at += 1 + copy(b[at+1:], g.sid)
	copy(b[at:], f.Tail)
	st.Msgs++
	st.Bytes += f.Size
}

// closeStages moves what is staged to the lanes of its receivers.
func (s *sender) closeStages() {
	if s.open == nil {
		return
	}
	for i := range s.open.groups {
		s.closeStage(&s.stages[i], &s.open.groups[i])
	}
	s.open = nil
}

func (s *sender) closeStage(st *transport.Stage, g *fanGroup) {
	at := 0
	st.Close(func() *transport.Lane {
		for at < len(g.subs) {
			c := g.subs[at].client
			at++
			if c != s.self || s.echo {
				return s.in.Batch.Lane(&c.Out)
			}
		}
		return nil
	})
}
