package jetstream

import (
	"errors"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// purge takes messages out of a stream.
func (a *account) purge(r *request) {
	var q api.PurgeRequest
	if api.IsDocument(r.body) {
		if !a.decode(r, &q) {
			return
		}
		if err := q.Check(); err != nil {
			a.fail(r, err)
			return
		}
	}
	s := a.target(r, 3)
	if s == nil {
		return
	}
	switch c := s.config.Load(); {
	case c.Sealed:
		a.fail(r, api.Sealed.Error())
		return
	case c.DenyPurge:
		a.fail(r, api.Purge.Error("stream purge not permitted"))
		return
	}
	res, err := s.carry(func() stream.Change { return s.machine.Purge(q.Filter, q.Seq, q.Keep) })
	if err != nil {
		a.fail(r, api.StreamGeneral.Error(err))
		return
	}
	a.respond(r, api.PurgeAnswer{Answer: r.op.Answer(), Success: true, Purged: res.Count})
}

// deleteMessage takes one message out.
func (a *account) deleteMessage(r *request) {
	if api.IsEmpty(r.body) {
		a.fail(r, api.BadRequest.Error())
		return
	}
	var q api.DeleteRequest
	if !a.decode(r, &q) {
		return
	}
	s := a.target(r, 4)
	if s == nil {
		return
	}
	switch c := s.config.Load(); {
	case c.Sealed:
		a.fail(r, api.Sealed.Error())
		return
	case c.DenyDelete:
		a.fail(r, api.MsgDelete.Error("message delete not permitted"))
		return
	}
	if err := s.deletable(q.Seq); err != nil {
		a.fail(r, err)
		return
	}
	res, err := s.carry(func() stream.Change { return s.machine.Delete(q.Seq) })
	switch {
	case err != nil:
		a.fail(r, api.MsgDelete.Error(err))
	case res.Count == 0:
		a.answerOnly(r, r.op.Failed(api.SequenceNotFound.Error(q.Seq)))
	default:
		a.respond(r, api.DoneAnswer{Answer: r.op.Answer(), Success: true})
	}
}

// answerOnly answers with an error that does not count as one.
func (a *account) answerOnly(r *request, answer any) { a.respond(r, answer) }

// deletable says why a sequence cannot be one that was given, as nats-server does for streams in files.
func (s *Stream) deletable(seq uint64) *api.Error {
	if s.config.Load().Storage == api.Memory {
		return nil
	}
	st := s.log.State()
	if seq > st.Last {
		return api.MsgDelete.Error("stream store EOF")
	}
	if seq < st.First {
		return api.MsgDelete.Error("no message found")
	}
	return nil
}

var errStreamClosed = errors.New("stream closed")

// carry has the machine accept a change, and waits until it is applied.
func (s *Stream) carry(accept func() stream.Change) (stream.Result, error) {
	done := make(chan stream.Result, 1)
	s.mu.Lock()
	if s.closed || s.failed != nil {
		err := s.failed
		s.mu.Unlock()
		if err == nil {
			err = errStreamClosed
		}
		return stream.Result{}, err
	}
	s.follow(accept(), done)
	s.unlock()
	res, ok := <-done
	if !ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		return res, s.failed
	}
	return res, nil
}
