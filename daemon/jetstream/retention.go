package jetstream

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// A stream that does not keep its messages up to limits lets go of those that nobody waits for any more. In a work queue each
// message is asked for by one consumer at most, whose ack is enough. With interest all consumers that ask for a message
// have to have it acknowledged: whether they have is decided under the stream's gate, which stands still for all of them.
//
// What an ack takes out, the ack itself and where the floor is then are one frame of the journal (acked.go).

// gate is held by whoever holds a consumer of a stream in which consumers look at each other. It comes before their locks.
type gate struct {
	on atomic.Bool
	mu sync.Mutex
}

// gated is a consumer's lock: with the gate, if the stream has it closed.
type gated struct {
	gate *gate
	own  sync.Mutex
	both bool // guarded by own
}

func (g *gated) Lock() {
	for {
		on := g.gate.on.Load()
		if on {
			g.gate.mu.Lock()
		}
		g.own.Lock()
		if on == g.gate.on.Load() {
			g.both = on
			return
		}
		g.own.Unlock() // the stream has become another meanwhile
		if on {
			g.gate.mu.Unlock()
		}
	}
}

func (g *gated) Unlock() {
	both := g.both
	g.own.Unlock()
	if both {
		g.gate.mu.Unlock()
	}
}

// asker is a consumer, and what it asks for; nil: everything.
type asker struct {
	*Consumer
	filter *subjects.Filter
}

func (a *asker) asks(subj []byte) bool { return a.filter.All() || a.filter.Match(subj) }

// regard takes note of who the consumers are and what they ask for. It is called when that has changed.
func (s *Stream) regard() {
	s.regarding.Lock()
	defer s.regarding.Unlock()
	all := s.consumers.all()
	list := make([]asker, len(all))
	for i, c := range all {
		list[i] = asker{c, c.filter.Load()}
	}
	s.askers.Store(&list)
}

// wanted reports whether a consumer asks for messages on a subject.
func (s *Stream) wanted(subj []byte) bool {
	for _, a := range *s.askers.Load() {
		if a.asks(subj) {
			return true
		}
	}
	return false
}

// retain works by the retention of a configuration from now on. Nothing of its consumers is locked.
func (s *Stream) retain(c *api.StreamConfig) {
	s.mu.Lock()
	if c.Retention == api.Interest {
		s.machine.Wants(s.wanted)
	} else {
		s.machine.Wants(nil)
	}
	s.mu.Unlock()
	all := s.consumers.all()
	shared := s.shared(c)
	if shared {
		s.gate.on.Store(true)
		for _, o := range all { // nobody holds a consumer without the gate after this
			o.mu.Lock()
			o.lets = true
			o.mu.Unlock()
		}
	}
	for _, o := range all {
		o.mu.Lock()
		o.lets = c.Retention != api.Limits
		o.m.Report(o.lets)
		o.mu.Unlock()
	}
	if !shared {
		s.gate.on.Store(false)
	}
}

// shared reports whether several consumers have to have a message acknowledged before it goes: with interest, and in a work queue
// that another stream takes messages over from.
func (s *Stream) shared(c *api.StreamConfig) bool {
	return c.Retention == api.Interest || c.Retention == api.WorkQueue && s.consumers.limited() < len(s.consumers.shown())
}

// released returns what was acknowledged since it was asked last and nobody waits for. mu is held.
func (c *Consumer) released() []uint64 {
	acked := c.m.Acked()
	if len(acked) == 0 {
		return nil
	}
	if !c.mu.both {
		return append([]uint64(nil), acked...)
	}
	var gone []uint64
	for _, seq := range acked {
		if !c.s.awaited(seq, &c.rec) {
			gone = append(gone, seq)
		}
	}
	return gone
}

// awaited reports whether a consumer still waits for a message. What cannot be read is waited for: nobody knows by whom. The gate
// is held; rec is scratch.
func (s *Stream) awaited(seq uint64, rec *stream.Record) bool {
	loaded := false
	for _, a := range *s.askers.Load() {
		if !a.broken && !a.m.Pends(seq, true) {
			continue
		}
		if a.filter.All() {
			return true
		}
		if !loaded {
			if err := s.log.Load(seq, rec); err != nil {
				return !errors.Is(err, stream.ErrNoMessage)
			}
			loaded = true
		}
		if a.filter.Match(rec.Subject) {
			return true
		}
	}
	return false
}

// forsake takes out what nobody waits for when the stream has come to have interest: everything if there are no consumers,
// otherwise what those have had that there are.
func (s *Stream) forsake() {
	switch {
	case s.config.Load().Retention != api.Interest, s.log.State().Msgs == 0:
	case s.consumers.count() == 0:
		s.abandoned(nil, 0)
	default:
		s.sweep(s.asked(), 0, nil)
	}
}

// reached is where the consumer begins to wait for messages.
func (c *Consumer) reached() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.m.Lowest()
}

// sweepStep is how many messages are looked at while the gate is held.
const sweepStep = 1024

// sweepAtOnce is how many messages are looked at while somebody waits for the answer.
const sweepAtOnce = 100_000

// sweep takes out the messages that nobody waits for, of those that f asks for, from a sequence on. It returns when they are gone, or,
// if there is much to look at, goes on behind. then is called in the end; nil: nothing is.
func (s *Stream) sweep(f *subjects.Filter, from uint64, then func()) {
	last := s.log.State().Last
	work := func() {
		if then != nil {
			defer then()
		}
		for at := max(from, 1); at != 0 && at <= last; {
			var gone []uint64
			if gone, at = s.unawaited(f, at, last); len(gone) == 0 {
				continue
			}
			if _, err := s.carry(func() stream.Change { return s.machine.Remove(gone) }); err != nil {
				return // it is told elsewhere
			}
		}
	}
	if last > sweepAtOnce+from {
		s.acc.srv.work.Go(work)
		return
	}
	work()
}

// unawaited looks at the next messages, and returns those that nobody waits for, and where to go on; 0: nowhere.
func (s *Stream) unawaited(f *subjects.Filter, from, last uint64) (gone []uint64, next uint64) {
	queue := s.config.Load().Retention == api.WorkQueue // which keeps what nobody asks for
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	var rec stream.Record
	for range sweepStep {
		seq, ok := s.log.Next(from, f)
		if !ok || seq > last {
			return gone, 0
		}
		if !s.awaited(seq, &rec) && s.log.Load(seq, &rec) == nil && (!queue || s.wanted(rec.Subject)) {
			gone = append(gone, seq)
		}
		from = seq + 1
	}
	return gone, from
}

// abandoned lets go of what was kept for a consumer that is gone, or asks for something else now: everything that matches f, from a
// sequence on.
func (s *Stream) abandoned(f *subjects.Filter, from uint64) {
	if s.config.Load().Retention != api.Interest {
		return
	}
	if s.consumers.count() > 0 {
		s.sweep(f, from, nil)
		return
	}
	_, _ = s.carry(func() stream.Change { return s.machine.Purge("", 0, 0) }) // of what cannot be written is told elsewhere
}

// leavingID is the place, among the states of consumers, of the messages that were about to go with acks that the states have.
const leavingID = 0

// leaving returns the messages that are about to go, as they are kept; nil: none. It is asked after the states of the consumers: an ack
// that a state has may be on its way to the journal still.
func (s *Stream) leaving() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	seqs := s.machine.Removing()
	for _, x := range s.late {
		seqs = append(seqs, x.gone...)
	}
	if len(seqs) == 0 {
		return nil
	}
	slices.Sort(seqs)
	return stream.AppendChange(nil, stream.Change{Kind: stream.Remove, Seqs: slices.Compact(seqs)})
}

// resume takes out what the process before had decided on, and did not write: nobody uses the stream yet. left is what it had
// written of that beside the states of consumers.
func (s *Stream) resume(left []byte) error {
	if s.config.Load().Retention == api.Limits {
		return nil
	}
	if err := s.resumeLeaving(left); err != nil {
		return err
	}
	if s.shared(s.config.Load()) && s.consumers.count() > 0 {
		var last uint64 // behind it whoever asks for a message has not had it
		for _, a := range *s.askers.Load() {
			last = max(last, a.m.Undelivered()-1)
		}
		for at := uint64(1); at != 0; {
			var gone []uint64
			gone, at = s.unawaited(nil, at, last)
			for _, seq := range gone {
				if _, err := s.log.Remove(seq); err != nil {
					return err
				}
			}
		}
	}
	s.watched.removed = nil // consumers have seen nothing of it
	return nil
}

// resumeLeaving takes out the messages that were about to go. What is written of them must not outlive this: a sequence that is
// lost with the end of a stream is given again.
func (s *Stream) resumeLeaving(left []byte) error {
	if left == nil {
		return nil
	}
	c, err := stream.ParseChange(left)
	if err != nil {
		return err
	}
	last := s.log.State().Last
	for _, seq := range c.Seqs {
		if seq > last {
			s.consumersChanged.Store(true)
			return s.saveConsumers(s.acc.srv.files)
		}
		if _, err := s.log.Remove(seq); err != nil {
			return err
		}
	}
	return nil
}

// asked is everything that consumers ask for.
func (s *Stream) asked() *subjects.Filter {
	var all []string
	for _, a := range *s.askers.Load() {
		if a.filter.All() {
			return nil
		}
		all = append(all, a.filter.Patterns()...)
	}
	return subjects.NewFilter(all...)
}
