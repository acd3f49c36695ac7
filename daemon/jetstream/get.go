package jetstream

import (
	"errors"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subject"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// getMessage answers with one message.
func (a *account) getMessage(r *request) {
	if api.IsEmpty(r.body) {
		a.fail(r, api.BadRequest.Error())
		return
	}
	var q api.GetRequest
	if !a.decode(r, &q) {
		return
	}
	if q.Batch > 0 || q.MaxBytes > 0 || conflicting(&q) || q.Seq == 0 && q.Last == "" && q.Next == "" && q.StartTime == nil {
		a.fail(r, api.BadRequest.Error())
		return
	}
	s := a.target(r, 4)
	if s == nil {
		return
	}
	var rec stream.Record
	switch err := s.find(&q, &rec); {
	case errors.Is(err, stream.ErrUnreadable):
		a.fail(r, api.StoreFailed.Error(unreadText))
		return
	case err != nil:
		a.fail(r, api.NoMessage.Error())
		return
	}
	m := &api.Message{Subject: string(rec.Subject), Seq: rec.Seq, Data: rec.Payload, Time: utc(rec.Time)}
	if !q.NoHeaders {
		m.Header = rec.Header
	}
	a.reply(r, api.GetAnswer{Answer: r.op.Answer(), Message: m})
}

// unreadText is what clients are told of what is stored and cannot be read. The cause is for the log.
const unreadText = "message cannot be read"

// conflicting reports whether a request names more than one message.
func conflicting(q *api.GetRequest) bool {
	return q.Seq > 0 && q.Last != "" || q.Seq > 0 && q.StartTime != nil || q.StartTime != nil && q.Last != "" || q.Last != "" && q.Next != ""
}

// find loads the message that a request for one names.
func (s *Stream) find(q *api.GetRequest, rec *stream.Record) error {
	s.reading.RLock()
	defer s.reading.RUnlock()
	seq := q.Seq
	if q.StartTime != nil {
		seq = s.since(nanos(*q.StartTime))
	}
	switch {
	case q.Next != "":
		return s.loadNext(seq, subjects.NewFilter(q.Next), rec)
	case seq > 0:
		return s.log.Load(seq, rec)
	default:
		return s.loadLast(q.Last, rec)
	}
}

// since returns the first sequence that is not older than t; the one behind the last if there is none.
func (s *Stream) since(t int64) uint64 {
	if seq, ok := s.log.AtTime(t); ok {
		return seq
	}
	return s.log.State().Last + 1
}

func (s *Stream) loadNext(from uint64, f *subjects.Filter, rec *stream.Record) error {
	seq, ok := s.log.Next(from, f)
	if !ok {
		return stream.ErrNoMessage
	}
	return s.log.Load(seq, rec)
}

// loadLast loads the last message on a subject, which may have wildcards.
func (s *Stream) loadLast(on string, rec *stream.Record) error {
	if subject.IsLiteral(on) {
		t, err := s.log.Subject([]byte(on))
		if err != nil {
			return err
		}
		if t.Msgs == 0 {
			return stream.ErrNoMessage
		}
		return s.log.Load(t.Last, rec)
	}
	seq, ok := s.log.Prev(s.log.State().Last, subjects.NewFilter(on))
	if !ok {
		return stream.ErrNoMessage
	}
	return s.log.Load(seq, rec)
}
