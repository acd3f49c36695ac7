package jetstream

import (
	"encoding/binary"
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// frameAcked is the kind of a frame with changes of a consumer, and the messages that go with them: First is the consumer's id, the
// body the number of the changes and their length as varints, the changes, and the removal as package stream writes it.
const frameAcked journal.Kind = 5

// settlement is what a consumer has changed, with the messages that go with it, on its way.
type settlement struct {
	journal.Frame
	s       *Stream
	c       *Consumer // nil: nothing of it outlives the process
	number  uint64
	changes []byte
	gone    []uint64
	answers []string // to acks, when all of that is done
}

// settles hands over what a consumer has changed, in a stream that lets go of what is acknowledged. The consumer's mu is held.
func (c *Consumer) settles(answers []string) {
	gone := c.released()
	changes := c.m.Changes()
	durable := c.durable()
	if len(gone) == 0 && len(answers) == 0 && (!durable || len(changes) == 0) {
		return
	}
	if len(gone) == 0 && !durable {
		for _, to := range answers {
			c.pub.Send([]byte(to), nil, nil, nil)
		}
		return
	}
	x := &settlement{s: c.s, gone: gone, answers: answers}
	if durable {
		c.numbered++
		c.s.consumersChanged.Store(true)
		x.c, x.number, x.changes = c, c.numbered, append([]byte(nil), changes...)
	}
	c.s.settleSoon(x)
}

// settleSoon hands over what a consumer has changed. What waits for a decision, waits until nothing is pending: it must not be kept
// waiting by acks.
func (s *Stream) settleSoon(x *settlement) {
	s.mu.Lock()
	if s.paused || s.draining || len(s.waiting) > 0 || len(s.late) > 0 {
		s.late = append(s.late, x)
	} else {
		s.settleOne(x)
	}
	stir := len(s.out) > 0
	s.mu.Unlock()
	if stir || s.hasMail() { // not here, where a consumer's lock is held
		s.acc.srv.work.Go(func() { s.send(); s.work() })
	}
}

// settleLate hands over what came while something else waited. mu is held.
func (s *Stream) settleLate() {
	late := s.late
	s.late = nil
	for _, x := range late {
		s.settleOne(x)
	}
}

// settleOne has the machine accept what goes, and the ledger keep all of it. mu is held.
func (s *Stream) settleOne(x *settlement) {
	if s.failed != nil {
		return // nobody learns of an ack that may not last
	}
	if len(x.gone) == 0 && x.c != nil {
		x.c.s.acc.srv.files.settled(x, nil)
		return
	}
	change := s.machine.Remove(x.gone)
	s.notes.push(note{change: true, answers: x.answers})
	switch {
	case s.ledger == nil:
		s.committed++
		s.apply()
	case x.c == nil:
		s.ledger.change(s, change, 1)
	default:
		s.acc.srv.files.settled(x, &change)
	}
}

// settled writes the frame. Without messages that go it is one like any other of a consumer.
func (f *files) settled(x *settlement, change *stream.Change) {
	x.Frame = journal.Frame{Kind: frameConsumer, Stream: x.s.id, First: x.c.id, Waiter: x}
	body := binary.AppendUvarint(make([]byte, 0, 32+len(x.changes)+2*len(x.gone)), x.number)
	if change != nil {
		x.Frame.Kind = frameAcked
		body = binary.AppendUvarint(body, uint64(len(x.changes)))
	}
	body = append(body, x.changes...)
	if change != nil {
		body = stream.AppendChange(body, *change)
	}
	x.Frame.Body = [][]byte{body}
	f.journal.Append(&x.Frame)
}

// Done is told by the journal that the frame is committed, or will not be.
func (x *settlement) Done(_ *journal.Frame, commit uint64, err error) {
	if len(x.gone) > 0 {
		x.s.settle(1, commit, err)
		return
	}
	if err != nil {
		return
	}
	for _, to := range x.answers {
		x.s.acc.broker.Publish(to, "", nil, nil)
	}
}

// parseAcked takes such a frame apart: the number and the changes in the form of the other frames of consumers, and the removal.
func parseAcked(b []byte) (changes []byte, gone stream.Change, err error) {
	number, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, gone, errRecord
	}
	size, m := binary.Uvarint(b[n:])
	if m <= 0 || size > uint64(len(b)-n-m) {
		return nil, gone, errRecord
	}
	rest := b[n+m:]
	changes = append(binary.AppendUvarint(nil, number), rest[:size]...)
	gone, err = stream.ParseChange(rest[size:])
	return changes, gone, err
}

// replayAcked takes in such a frame: the messages go unless the log has that commit, the changes are the consumer's.
func (k *kept) replayAcked(commit uint64, fr *journal.Frame, now int64) error {
	if fr.Lost {
		return nil // it is as if nothing had been acknowledged
	}
	changes, gone, err := parseAcked(join(fr.Body))
	if err != nil {
		return fmt.Errorf("stream %d: commit %d: an ack of consumer %d is damaged: %w", k.id, commit, fr.First, err)
	}
	if commit > k.log.Durable() {
		k.log.Begin(commit)
		if err := k.machine.Replay(gone, now); err != nil {
			return err
		}
	}
	of := *fr
	of.Body = [][]byte{changes}
	return k.replayConsumer(commit, &of)
}
