package jetstream

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// note is what is to follow a decision, in the order of decisions: for a change, when it is applied.
type note struct {
	reply   []byte
	memory  *memory // that reply lies in
	verdict stream.Verdict
	err     *api.Error // instead of a verdict
	busy    bool       // the answer carries a status

	flow    []byte // a header: the answer to flow control
	change  bool
	answers []string             // to acks, when what they took out is gone
	size    int64                // of an accepted message
	done    chan<- stream.Result // of a change that is no message

	extra *extra // nil: nothing
}

// extra is what follows from messages of batches.
type extra struct {
	body  []byte // the answer, instead of the verdict's
	empty bool   // the answer is empty
	loud  bool   // it is sent also where the stream gives no acks

	batch string // of the commit of a batch, with how many messages it has
	count uint64

	fast   *fastBatch // of a message of a fast batch, with its sequence there
	seq    uint64
	ask    bool // the answer is how far that batch is
	closes bool // the answer is the end of that batch
}

// outgoing is what is to be published.
type outgoing struct {
	note
	record *stream.Record // to be published again
	before uint64         // the sequence of the message before on its subject

	decided func() // tells a report what became of a message; nil: this is something else
}

// answer notes the answer to a message that is not stored. mu is held.
func (s *Stream) answer(n note) {
	if len(n.reply) == 0 || s.config.Load().NoAck && !n.loud() {
		if n.verdict.Reason != stream.Duplicate {
			s.refused.Add(1)
			s.acc.srv.refused.Add(1)
		}
		return
	}
	n.memory.hold()
	if s.notes.len() == 0 {
		s.ripen(&n)
		s.out = append(s.out, outgoing{note: n}) // it depends on nothing that is pending
		return
	}
	s.notes.push(n)
}

// loud reports whether the answer is sent also where the stream gives no acks.
func (n *note) loud() bool { return n.extra != nil && n.extra.loud }

// answerNow has an answer sent that depends on nothing that is pending. mu is held.
func (s *Stream) answerNow(n note) {
	if len(n.reply) == 0 || s.config.Load().NoAck {
		return
	}
	n.memory.hold()
	s.out = append(s.out, outgoing{note: n})
}

// ripen makes the answer of a note whose turn has come, if it depends on what was applied before.
func (s *Stream) ripen(n *note) {
	switch e := n.extra; {
	case e == nil:
	case e.ask:
		x := e.fast.flow.Told()
		e.body = api.FlowAck(x.A, x.B)
	case e.closes:
		x := e.fast.flow.Close()
		e.body = s.acks.Batch(x.A, false, e.fast.id, x.B)
	}
}

// commit applies changes that are committed, in their order, or takes note that they will not be. mu is held.
func (s *Stream) commit(c committed) {
	if c.err != nil {
		s.lose(c)
		return
	}
	s.log.Begin(c.commit)
	s.committed += c.changes
	s.apply()
	s.idle()
}

// idle goes on with what waits until nothing is pending, if nothing is. mu is held.
func (s *Stream) idle() {
	if s.machine.Pending() > 0 {
		return
	}
	if s.draining {
		s.fire()
		s.decide()
	} else if len(s.waiting) > 0 {
		s.decide()
	}
}

// apply applies what is committed, and has what follows from it sent. mu is held.
func (s *Stream) apply() {
	again := s.republish
	s.reading.Lock()
	for s.notes.len() > 0 && s.failed == nil {
		n := s.notes.front()
		if n.change {
			if s.committed == 0 || !s.applyOne(n, again) {
				break
			}
		} else {
			s.ripen(n)
			s.out = append(s.out, outgoing{note: *n})
		}
		if s.notes.len() > 0 { // not if it has failed meanwhile
			s.notes.pop()
		}
	}
	s.reading.Unlock()
	s.count()
	s.schedule()
	s.settled.Broadcast()
}

// applyOne applies the oldest change; false: it cannot be done for now.
func (s *Stream) applyOne(n *note, again *subject.Transform) bool {
	o := outgoing{note: *n}
	if next := s.machine.Next(); again != nil && next.Kind == stream.Append {
		t, err := s.log.Subject(next.Record.Subject)
		if err != nil {
			return s.later(err)
		}
		o.before = t.Last
	}
	c, res, err := s.machine.Apply()
	if err != nil {
		return s.later(err)
	}
	s.committed--
	if s.stalled != nil {
		s.stalled = nil
		s.waits.Store(nil)
	}
	s.inform(c)
	if c.Runs() {
		s.consumersChanged.Store(true)
	}
	if c.Kind != stream.Append && c.Kind != stream.Skip {
		if n.done != nil {
			n.done <- res
		}
		if len(n.answers) > 0 {
			s.out = append(s.out, o)
		}
		return true
	}
	s.buffered.Add(-1)
	s.bufferedBy -= n.size
	if c.Kind == stream.Append {
		s.appended += uint64(n.size)
		s.noteSource(&c.Record)
	}
	if again != nil && c.Kind == stream.Append {
		r := c.Record
		o.record = &r
	}
	fast := n.extra != nil && n.extra.fast != nil
	if fast {
		o.reply = nil // its publisher is told of several
	}
	if o.record != nil || len(o.reply) > 0 && !s.config.Load().NoAck {
		o.memory.hold()
		s.out = append(s.out, o)
	}
	if fast {
		s.fastStored(n)
	}
	n.memory.release()
	return true
}

// later notes an error of the log. If it will be over the change waits; otherwise the stream fails.
func (s *Stream) later(err error) bool {
	if s.closed || s.acc.srv.over.Load() || !stream.Passing(err) { // otherwise a request would wait for it, and the end for the request
		s.fail(err)
		return true
	}
	if s.stalled == nil {
		s.acc.srv.log.Warn("Stream " + s.acc.name() + " > " + s.Name() + " waits: " + err.Error())
	}
	s.stalled = err
	s.waits.Store(&err)
	return false
}

// stall has a committed change that could not be applied for now applied, or the stream fail. mu is held, and given up
// while it waits.
func (s *Stream) stall() {
	for s.stalled != nil && s.failed == nil {
		s.mu.Unlock()
		s.send()
		time.Sleep(restFor) // nobody tells when it can be done
		s.mu.Lock()
		before := s.stalled
		if s.apply(); s.stalled == nil && s.failed == nil {
			s.acc.srv.log.Info("Stream " + s.acc.name() + " > " + s.Name() + " goes on, after: " + before.Error())
			s.idle()
		}
	}
}

// inform lets consumers know what was applied. mu is held.
func (s *Stream) inform(c stream.Change) {
	switch c.Kind {
	case stream.Append:
		s.consumers.tell(s.watched)
		s.consumers.stored(c.Record.Subject)
	case stream.Purge:
		s.watched.removed = s.watched.removed[:0]
		s.consumers.purged(c.Filter, s.log.State().First)
	default:
		s.consumers.tell(s.watched)
	}
}

// fail ends the stream's work: what is pending has an unknown fate and gets no answer. mu is held.
func (s *Stream) fail(err error) {
	if s.failed != nil {
		return
	}
	s.ends(err)
	for _, n := range s.notes.all() {
		n.drop()
	}
	s.notes = queue[note]{}
}

// lose ends the stream's work since changes were not committed, and takes them out. Of those that the ledger tried to write nobody
// knows whether they are stored: they get no answer. The others are not, and are refused. mu is held.
func (s *Stream) lose(c committed) {
	if s.failed == nil {
		s.ends(c.err)
	}
	known := errors.Is(c.err, journal.ErrReadOnly)
	for left := c.changes; left > 0 && s.notes.len() > 0; s.notes.pop() {
		n := *s.notes.front()
		if !n.change {
			n.drop() // what it says depends on what is lost
			continue
		}
		left--
		if !known || n.done != nil || len(n.reply) == 0 || s.config.Load().NoAck {
			n.drop()
			continue
		}
		n.verdict, n.err = stream.Verdict{}, api.StoreFailed.Error(c.err)
		s.out = append(s.out, outgoing{note: n})
	}
}

// ends has nothing be taken any more. mu is held.
func (s *Stream) ends(err error) {
	s.failed = err
	s.failure.Store(&err)
	s.acc.srv.log.Event(logging.Error, logging.StreamFailed, "Stream "+s.acc.name()+" > "+s.Name()+": "+err.Error(),
		logging.String(logging.FieldAccount, s.acc.name()), logging.String(logging.FieldStream, s.Name()), logging.Err(err))
	s.buffered.Store(0)
	s.bufferedBy = 0
	s.settled.Broadcast()
}

// drop forgets a note without an answer.
func (n *note) drop() {
	if n.done != nil {
		close(n.done)
	}
	n.memory.release()
}

// rounds is how often one who publishes into a stream empties what it sends for others, too.
const rounds = 8

// send publishes what there is, unless somebody is at it, who will.
func (s *Stream) send() {
	for i := 0; s.sendSome(); i++ {
		if i == rounds {
			s.acc.srv.work.Go(func() {
				for s.sendSome() {
				}
			})
			return
		}
	}
}

// sendSome reports whether there may be more.
func (s *Stream) sendSome() bool {
	s.mu.Lock()
	if s.sending || len(s.out) == 0 {
		s.mu.Unlock()
		return false
	}
	s.sending = true
	list := s.out
	s.out, s.spare = s.spare[:0], nil
	noAck := s.config.Load().NoAck
	s.mu.Unlock()

	s.sender.Begin()
	var ack [256]byte
	for i := range list {
		o := &list[i]
		if o.decided != nil {
			o.decided()
		}
		if o.record != nil {
			s.publishAgain(o)
		}
		switch {
		case o.flow != nil:
			s.sender.Send(o.reply, nil, o.flow, nil)
		case len(o.reply) > 0 && (!noAck || o.loud()):
			s.sendAnswer(o, ack[:0])
		}
		for _, to := range o.answers {
			s.sender.Send([]byte(to), nil, nil, nil)
		}
		o.memory.release()
	}
	s.sender.End()

	clear(list)
	s.mu.Lock()
	s.sending, s.spare = false, list[:0]
	s.mu.Unlock()
	return true
}

var tooMany = []byte("NATS/1.0 429 Too Many Requests\r\n\r\n")

func (s *Stream) sendAnswer(o *outgoing, b []byte) {
	var header []byte
	switch v := &o.verdict; {
	case o.err != nil:
		b = s.acks.Refusal(o.err)
		if o.busy {
			header = tooMany
		}
	case o.extra != nil && (o.extra.empty || o.extra.body != nil):
		b = o.extra.body
	case v.Reason == stream.Accepted && o.extra != nil:
		b = s.acks.Batch(v.Seq, false, o.extra.batch, o.extra.count)
	case v.Reason == stream.Accepted && v.Text != "":
		b = s.acks.AppendCounter(b, v.Seq, v.Text)
	case v.Reason == stream.Accepted:
		b = s.acks.Append(b, v.Seq)
	case v.Reason == stream.Duplicate:
		b = s.acks.AppendDuplicate(b, v.Seq)
	default:
		b = s.acks.Refusal(refusal(v))
	}
	s.sender.Send(o.reply, nil, header, b)
}

// publishAgain publishes a stored message under another subject.
func (s *Stream) publishAgain(o *outgoing) {
	r := o.record
	s.mu.Lock()
	again, headersOnly := s.republish, s.headersOnly
	s.mu.Unlock()
	if again == nil {
		return
	}
	to, ok := again.Match(string(r.Subject))
	if !ok || !subject.ValidStrict(to, false) || !subject.IsLiteral(to) || subject.HasEffect(to) {
		return
	}
	h := header(r.Header)
	h = h.add("Nats-Stream", s.Name())
	h = h.add("Nats-Subject", string(r.Subject))
	h = h.add("Nats-Sequence", strconv.FormatUint(r.Seq, 10))
	h = h.add("Nats-Time-Stamp", time.Unix(0, r.Time).UTC().Format(time.RFC3339Nano))
	h = h.add("Nats-Last-Sequence", strconv.FormatUint(o.before, 10))
	payload := r.Payload
	if headersOnly {
		h, payload = h.add("Nats-Msg-Size", strconv.Itoa(len(payload))), nil
	}
	s.sender.Send([]byte(to), nil, h, payload)
}

// header is a header that is added to. It begins as that of a message, or nil.
type header []byte

// add returns the header with one line more; what there was is not changed.
func (h header) add(name, value string) header {
	var b bytes.Buffer
	if len(h) > 2 {
		b.Write(h[:len(h)-2])
	} else {
		b.WriteString("NATS/1.0\r\n")
	}
	// net/http knows which bytes a value may not have.
	_ = http.Header{name: []string{value}}.Write(&b)
	b.WriteString("\r\n")
	return b.Bytes()
}
