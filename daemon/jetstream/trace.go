package jetstream

import (
	"bytes"
	"fmt"
	"time"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/msgtrace"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// A message of whose way a report is made comes by itself, in a lane of its own. The stream decides about it as about any, or
// only says what it would have decided.

var (
	_ broker.TracedSink  = (*Stream)(nil)
	_ broker.ServiceSink = (*account)(nil)
)

// TracedName is what reports call the stream.
func (s *Stream) TracedName() string { return s.Name() }

// ImportedFrom is the account that reports name for requests of the API, as nats-server 2.15.3 does.
func (a *account) ImportedFrom() string { return a.srv.broker.System().Name() }

// StageTraced takes a message at once.
func (s *Stream) StageTraced(m *broker.Message, t *broker.StreamTrail) bool {
	b := batch.New(nil)
	to := tracedLane{s: s, trail: t}
	to.outlet.Leads(&to)
	stage(b.Lane(&to.outlet), m, m.Subject)
	b.Flush()
	b.Release()
	return true
}

// tracedLane takes the one message of a lane.
type tracedLane struct {
	s      *Stream
	outlet batch.Outlet
	trail  *broker.StreamTrail
}

// Put hands it to the stream.
func (l *tracedLane) Put(from *batch.Lane) bool {
	l.s.put(from, l.trail)
	return false
}

// AwaitRoom does nothing.
func (l *tracedLane) AwaitRoom(func() bool) {}

// offerTraced is offerOne for messages of which one may be traced. mu is held.
func (s *Stream) offerTraced(m *memory, r *raw, now int64) (stream.Verdict, stream.Record) {
	if m.trail == nil {
		return s.offerOne(m, r, now)
	}
	why := s.unable(int64(len(r.subject) + len(r.header) + len(r.payload)))
	var v stream.Verdict
	rec := stream.Record{Subject: r.subject, Header: r.header, Payload: r.payload}
	switch {
	case !m.trail.Only():
		v, rec = s.offerOne(m, r, now)
	case why == "":
		v = s.machine.Consider(&rec, (*quota)(s), now)
	}
	if v.Reason == stream.Wait && why == "" {
		return v, rec
	}
	if why == "" {
		why = refusedBecause(&v, r.header)
	}
	s.tellDecided(m, msgtrace.Decision{Subject: string(rec.Subject), NoInterest: v.Skipped, Error: why})
	if m.trail.Only() {
		v = stream.Verdict{Reason: stream.Sealed} // whatever it is, it is not stored
	}
	return v, rec
}

// dry reports whether what is in the memory is not to be stored.
func (m *memory) dry() bool { return m.trail != nil && m.trail.Only() }

// tellDecided tells a report, if there is one, what was decided about a message now; of one that waits for the rest of its batch, that
// it came. mu is held.
func (s *Stream) tellDecided(m *memory, d msgtrace.Decision) {
	if trail := m.trail; trail != nil {
		d.Time = time.Now()
		s.out = append(s.out, outgoing{decided: func() { trail.Decided(d) }})
	}
}

// tellRefused tells a report that a message was not looked at, since too many are waiting.
func (s *Stream) tellRefused(trail *broker.StreamTrail) {
	if trail == nil {
		return
	}
	d := msgtrace.Decision{Error: api.TooManyRequests.Error().Error()}
	s.acc.srv.work.Go(func() { trail.Decided(d) }) // not on this goroutine, which is in the middle of a batch
}

// unable says why nothing of some size is taken at all; empty: it is. mu is held.
func (s *Stream) unable(size int64) string {
	o := s.acc.srv.options()
	switch {
	case s.closed:
		return "stream closed"
	case s.failed != nil:
		return s.failed.Error()
	case s.memory.greedy() || int(s.buffered.Load()) >= o.MaxBuffered || s.bufferedBy+size > o.MaxBufferedBy:
		return api.TooManyRequests.Error().Error()
	}
	return ""
}

// refusedBecause is why reports say that a message was not stored, in the words of nats-server 2.15.3; empty if it was.
func refusedBecause(v *stream.Verdict, header []byte) string {
	switch v.Reason {
	case stream.Accepted:
		return ""
	case stream.Duplicate:
		return "msgid is duplicate"
	case stream.RecordTooLarge, stream.LargerThanStream:
		return "message too large"
	case stream.MessageTooLarge, stream.HeaderTooLarge:
		return "maximum payload exceeded"
	case stream.TTLDisabled:
		return "message TTL disabled"
	case stream.WrongStream:
		return "expected stream does not match"
	case stream.WrongSequence:
		if v.Text == stream.OfSubject {
			return fmt.Sprintf("last sequence by subject mismatch: %s vs %d", field(header, "Nats-Expected-Last-Subject-Sequence"), v.Seq)
		}
		return fmt.Sprintf("last sequence mismatch: %s vs %d", field(header, "Nats-Expected-Last-Sequence"), v.Seq)
	case stream.WrongLastID:
		return fmt.Sprintf("last msgid mismatch: %q vs %q", field(header, "Nats-Expected-Last-Msg-Id"), v.Text)
	case stream.RollupDenied:
		return "rollup not permitted"
	case stream.RollupInvalid:
		return fmt.Sprintf("rollup value invalid: %q", v.Text)
	case stream.TooManyMessages:
		return "maximum messages exceeded"
	case stream.TooManyBytes:
		return "maximum bytes exceeded"
	case stream.TooManyOfSubject:
		return "maximum messages per subject exceeded"
	}
	return refusal(v).Error()
}

// refusedInBatch is refusedBecause for a message of a batch, or for its end.
func (s *Stream) refusedInBatch(v *stream.Verdict, header []byte) string {
	switch v.Reason {
	case stream.KnownInBatch:
		return "msgid is duplicate"
	case stream.HeaderTooLarge:
		return "JetStream header size exceeds limits for '" + s.acc.name() + " > " + s.Name() + "'"
	case stream.NotInBatch:
		if v.Text == stream.OfSubject {
			return "last sequence by subject mismatch"
		}
		return "last sequence mismatch"
	case stream.RollupInBatch:
		return "batch rollup " + v.Text + " invalid"
	}
	return refusedBecause(v, header)
}

// unfit is why a message of a batch is refused when it comes.
func (s *Stream) unfit(err *api.Error) string {
	if err.Code == api.MessageTooLarge {
		return "JetStream message size exceeds limits for '" + s.acc.name() + " > " + s.Name() + "'"
	}
	return err.Error()
}

// field returns the first value of a field of a header.
func field(header []byte, name string) string {
	for line := range bytes.Lines(header) {
		if key, value, ok := bytes.Cut(line, []byte(":")); ok && string(key) == name {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}
