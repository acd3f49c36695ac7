package jetstream

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/follow"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// Stream joins the machine of a stream, its log and the broker.
//
// Locks: mu comes after the account's, and is never held while something is published. Nobody waits for it on a
// connection's goroutine.
type Stream struct {
	acc     *account
	id      uint64 // of the ledger
	kept    *kept  // its files; nil: it is in memory
	memory  *memoryShare
	created time.Time
	acks    *api.Acks
	outlet  batch.Outlet
	ledger  ledger // nil: nothing is kept beyond the process
	log     stream.Log

	consumers consumerSet
	watched   *watchedLog // log

	config atomic.Pointer[api.StreamConfig] // as it was asked for, complete
	direct *direct

	// reading is held by those who read more than one thing of the log; who changes it waits for them, so
	// that nobody sees half of a change.
	reading sync.RWMutex

	queued         atomic.Int64 // bytes that nobody has decided about
	inboxMu        sync.Mutex   // a leaf
	inbox          []intake
	commits, taken []committed // what the ledger has told of, and what of it is being applied
	settling       bool        // somebody applies

	consumersChanged atomic.Bool // since their states were kept

	gate      gate                    // of its consumers
	askers    atomic.Pointer[[]asker] // its consumers, and what they ask for
	regarding sync.Mutex              // held by who makes that list

	mu          sync.Mutex
	machine     *stream.Stream
	captures    []*broker.InternalSubscription
	republish   *subject.Transform
	headersOnly bool
	closed      bool
	paused      bool          // a change of the configuration waits until nothing is pending
	draining    bool          // something is due, which waits for the same
	notes       queue[note]   // of what was decided and is not sent, in order
	waiting     []intake      // messages about which nothing can be decided before what is pending is applied
	late        []*settlement // of consumers, which wait until nothing else does
	buffered    atomic.Int64  // messages accepted and not applied, or waiting; mu is held by who changes it
	bufferedBy  int64
	committed   int        // changes that are committed and not applied
	settled     *sync.Cond // of mu: something was applied
	counted     [2]uint64  // messages and bytes that the account knows of
	uncounted   bool       // it is not to know of anything any more
	appended    uint64     // bytes of messages that the server does not know of
	timer       *time.Timer
	failed      error // of the ledger or the log: nothing is taken any more
	stalled     error // of the log: what keeps a committed change from being applied for now

	out     []outgoing // to be published, in order
	sending bool       // somebody empties out
	sender  *broker.Publisher
	spare   []outgoing

	batches batches

	following []*follower // its origins
	// originIdentity is which origin a mirror has, once it is known.
	originIdentity string
	sourced        map[string]follow.Position // where it is with each of its sources, of what is applied, by name

	refused atomic.Uint64         // messages that were refused and had no reply subject
	failure atomic.Pointer[error] // failed, for those who do not wait for mu
	waits   atomic.Pointer[error] // the same of stalled
}

// ledger makes changes last. It calls [Stream.settle] for them, in their order, later and on another goroutine.
type ledger interface {
	// record hands over the changes that were accepted from one batch: records, as they were staged, and
	// where they begin.
	record(s *Stream, body [][]byte, first uint64, count int, time int64)
	// batch hands over the changes of messages that are kept whole or not at all: records, and which of them are not stored; nil: none.
	batch(s *Stream, body [][]byte, skipped []bool, first uint64, time int64)
	// mirrored is record for messages that keep the sequences and times that they came with: they stand before each.
	mirrored(s *Stream, body [][]byte, first uint64, count int)
	// change hands over one change that is not stored, and stands for so many of the machine's.
	change(s *Stream, c stream.Change, changes int)
}

// Name returns the stream's name.
func (s *Stream) Name() string { return s.config.Load().Name }

// Outlet leads to the stream.
func (s *Stream) Outlet() *batch.Outlet { return &s.outlet }

// Stage writes a message down for the stream.
func (s *Stream) Stage(l *batch.Lane, m *broker.Message) bool {
	stage(l, m, m.Subject)
	return true
}

// AwaitRoom does nothing: a stream that has too much waiting refuses.
func (s *Stream) AwaitRoom(func() bool) {}

// machineConfig is the part of a configuration that the machine decides by.
func machineConfig(c *api.StreamConfig) (stream.Config, error) {
	m := stream.Config{
		Name: c.Name, MaxMsgs: limit(c.MaxMsgs), MaxBytes: limit(c.MaxBytes), MaxMsgsPerSubject: limit(c.MaxMsgsPerSubject),
		MaxMsgSize: int(limit(int64(c.MaxMsgSize))), MaxAge: c.MaxAge, DiscardNew: c.Discard == api.DiscardNew,
		DiscardNewPerSubject: c.DiscardNewPer, Window: c.DuplicateWindow, Sealed: c.Sealed, AllowRollup: c.AllowRollup && !c.DenyPurge,
		File: c.Storage == api.File, Counter: c.AllowCounter, AllowTTL: c.AllowMsgTTL, MarkerTTL: c.DeleteMarkerTTL,
		Schedules: c.AllowSchedules, Subjects: c.Subjects,
	}
	if t := c.SubjectTransform; t != nil && t.Destination != "" {
		tr, err := subject.NewTransform(t.Source, t.Destination)
		if err != nil {
			return m, err
		}
		m.Transform = tr
	}
	return m, nil
}

func limit(n int64) uint64 { return uint64(max(n, 0)) }

// newStream makes the stream of a checked configuration over a log. It takes nothing yet.
func (a *account) newStream(c *api.StreamConfig, log stream.Log, created time.Time) (*Stream, error) {
	w := &watchedLog{Log: log}
	s := &Stream{acc: a, created: created, acks: api.NewAcks(c.Name, a.srv.options().Domain), log: w, watched: w}
	w.watched = func() bool { return s.consumers.count() > 0 }
	s.settled = sync.NewCond(&s.mu)
	s.regard()
	s.outlet.Leads(s)
	s.direct = &direct{s: s}
	s.sender = a.broker.NewPublisher(broker.FromStream)
	if c.Storage == api.Memory {
		s.memory = a.srv.memory.share(nil)
	}
	m, err := machineConfig(c)
	if err != nil {
		return nil, err
	}
	if s.machine, err = stream.Open(m, w, a.srv.idKey, s.now()); err != nil {
		return nil, err
	}
	s.machine.AgeBy(a.srv.ages.now)
	s.machine.Track()
	s.config.Store(c)
	return s, s.ways(c)
}

// ways sets up what a configuration says of subjects beyond the machine.
func (s *Stream) ways(c *api.StreamConfig) (err error) {
	s.republish, s.headersOnly = nil, false
	if r := c.Republish; r != nil {
		s.headersOnly = r.HeadersOnly
		s.republish, err = subject.NewTransform(r.Source, r.Destination)
	}
	return err
}

func (s *Stream) now() int64 { return time.Now().UnixNano() }

// steady is the time of a clock that nobody sets: nanoseconds since some moment.
func (s *Stream) steady() int64 {
	_, steady := s.acc.srv.ages.read()
	return steady
}

// open begins to take messages.
func (s *Stream) open() error {
	s.mu.Lock()
	defer s.unlock()
	if err := s.capture(s.config.Load().Subjects); err != nil {
		return err
	}
	s.directly(s.config.Load().AllowDirect)
	s.count()
	s.schedule()
	return nil
}

// capture has the subjects, and no others, captured. mu is held.
func (s *Stream) capture(subjects []string) error {
	before := s.captures
	s.captures = nil
	for _, p := range subjects {
		c, err := s.acc.broker.Capture(p, s)
		if err != nil {
			release(s.captures)
			s.captures = before
			return err
		}
		s.captures = append(s.captures, c)
	}
	release(before)
	return nil
}

func release(captures []*broker.InternalSubscription) {
	for _, c := range captures {
		c.Unsubscribe()
	}
}

// look calls a function that reads more than one thing of the log.
func (s *Stream) look(fn func()) {
	s.reading.RLock()
	defer s.reading.RUnlock()
	fn()
}

// unlock gives up mu, sends what there is to send, and looks whether something has come meanwhile.
func (s *Stream) unlock() {
	s.mu.Unlock()
	s.send()
	s.work()
}

// close ends the stream: it takes nothing more, and what is pending is committed. It waits for that.
func (s *Stream) close() {
	s.mu.Lock()
	s.closed = true
	s.endBatches(true, true)
	release(s.captures)
	s.captures = nil
	s.directly(false)
	s.unfollow()
	if s.timer != nil {
		s.timer.Stop()
	}
	for (s.machine.Pending() > 0 || len(s.late) > 0) && s.failed == nil {
		s.settled.Wait()
	}
	if s.kept == nil {
		s.memory.end()
	}
	s.unlock()
}

// discard has a closed stream count for nothing any more.
func (s *Stream) discard() {
	s.mu.Lock()
	s.acc.used(s.config.Load().Storage, -int64(s.counted[1]))
	s.counted, s.uncounted = [2]uint64{}, true
	s.unlock()
}
