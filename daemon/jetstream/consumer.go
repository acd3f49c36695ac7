package jetstream

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/consumer"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subject"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// Consumer joins the machine of a consumer, its stream and the broker.
//
// What comes to it, acks and requests, waits in its mail. Whoever has something for it wakes it
// ([Consumer.wake]); one of the server's deliverers goes a round with it then (consumer_round.go). Nothing is delivered,
// and nothing of the machine is touched, on the goroutine of somebody who publishes.
//
// Locks: mu comes before the stream's reading, and is held while something is published.
type Consumer struct {
	s       *Stream
	name    string
	id      uint64 // in the store
	created time.Time
	config  atomic.Pointer[api.ConsumerConfig] // as it was asked for, complete
	filter  atomic.Pointer[subjects.Filter]
	lowest  atomic.Uint64 // the first sequence whose going concerns it
	subs    []*broker.InternalSubscription

	mailMu sync.Mutex // a leaf
	mail   []letter
	spare  []letter

	pokes atomic.Int32 // since the last round began; above 0 it is in the deliverers' line, or in a round

	mu        gated
	m         *consumer.Machine
	pub       *broker.Publisher
	rec       stream.Record // scratch
	text      []byte        // scratch
	timer     *time.Timer
	due       int64 // when the timer is set to
	closed    bool
	broken    bool   // its machine has failed
	resting   string // it tries again what it could not read: what, and why not; empty: it does not rest
	stepped   stepped
	before    consumer.Mark // where the machine was when the last round began
	returning []carriedWait // requests that the process before has left, until clients are there
	deaf      func()        // ends the watch for those who listen where it pushes to; nil if there is none

	heard    uint64 // removals that it was told of
	numbered uint64 // changes that were handed over
	weight   int64  // bytes of memory that were told of
	hungry   bool   // it is among those that new messages wake

	oldest oldest // as it was reported

	answers []string // acks that are to be answered when what they changed is committed
	lets    bool     // the stream lets go of what is acknowledged
}

// machineOf is what the machine works by.
func machineOf(s *Stream, name string, c *api.ConsumerConfig) consumer.Config {
	m := machineFor(c)
	m.AckPrefix, m.FlowPrefix = s.replies("$JS.ACK.", name), s.replies("$JS.FC.", name)
	m.Burst = s.acc.srv.broker.Options().MaxPayload
	if most := int(s.config.Load().MaxMsgSize); most > 0 {
		m.Burst = most
	}
	return m
}

// machineFor is that but for what the surroundings say.
func machineFor(c *api.ConsumerConfig) consumer.Config {
	m := consumer.Config{
		Filters: c.Filters(), Start: consumer.Start(starts[c.DeliverPolicy]), StartSeq: c.StartSeq,
		Ack: consumer.AckPolicy(c.AckPolicy), AckWait: int64(c.AckWait), MaxDeliver: max(c.MaxDeliver, 0), MaxAckPending: max(c.MaxAckPending, 0),
		Sample: c.Sample(), Inactive: int64(c.InactiveThreshold), MaxWaiting: c.MaxWaiting, MaxRequestBatch: c.MaxRequestBatch,
		MaxRequestBytes: c.MaxRequestBytes, MaxRequestTime: int64(c.MaxRequestExpires), Priority: consumer.Policy(c.PriorityPolicy),
		Groups: c.PriorityGroups, PinnedTime: int64(c.PriorityTimeout), Subject: c.DeliverSubject, Group: c.DeliverGroup,
		Heartbeat: int64(c.Heartbeat), FlowControl: c.FlowControl, RateLimit: c.RateLimit, Original: c.ReplayPolicy == api.ReplayOriginal,
	}
	if c.StartTime != nil {
		m.StartTime = nanos(*c.StartTime)
	}
	if c.PauseUntil != nil {
		m.PausedUntil = nanos(*c.PauseUntil)
	}
	for _, b := range c.Backoff {
		m.Backoff = append(m.Backoff, int64(b))
	}
	return m
}

var starts = [...]consumer.Start{
	api.DeliverAll: consumer.StartAll, api.DeliverLast: consumer.StartLast, api.DeliverNew: consumer.StartNew,
	api.DeliverByStartSequence: consumer.StartSequence, api.DeliverByStartTime: consumer.StartTime,
	api.DeliverLastPerSubject: consumer.StartLastPerSubject,
}

// world is what the machine asks about the stream. The stream's reading is held when it is asked.
type world struct {
	s     *Stream
	heard *broker.Listeners // what was found out about who listens
}

// world is the one of a consumer, which belongs to whoever holds its mu.
func (s *Stream) world() world { return world{s, new(broker.Listeners)} }

func (w world) Bounds() (first, last uint64) {
	return w.s.log.Bounds()
}

func (w world) Next(from uint64, f *subjects.Filter) (uint64, bool) { return w.s.log.Next(from, f) }

func (w world) Prev(from uint64, f *subjects.Filter) (uint64, bool) { return w.s.log.Prev(from, f) }

func (w world) Count(f *subjects.Filter, from, upTo uint64) uint64 {
	return w.s.log.Count(f, from, upTo)
}

func (w world) Removals() uint64 { return w.s.watched.count.Load() }

func (w world) AtTime(t int64) (uint64, bool) { return w.s.log.AtTime(t) }

func (w world) LastPerSubject(f *subjects.Filter) ([]uint64, error) {
	var seqs []uint64
	err := w.s.log.Subjects(f, func(_ []byte, t stream.Totals) bool {
		seqs = append(seqs, t.Last)
		return true
	})
	sortSequences(seqs)
	return seqs, err
}

func (w world) Interested(subject string) bool { return w.heard.Interested(w.s.acc.broker, subject) }

func (w world) Bound(subject, group string) bool {
	return w.heard.Named(w.s.acc.broker, subject, group)
}

func (w world) NewID() string { return randomID() }

// replies is what reply subjects of a kind begin with, through a dot: in the long form they name the domain and the account. Both are
// understood.
func (s *Stream) replies(kind, consumer string) string {
	if o := s.acc.srv.options(); o.LongReplies {
		kind += cmp.Or(o.Domain, "_") + "." + subject.NameHash(s.acc.name()) + "."
	}
	return kind + s.Name() + "." + consumer + "."
}

// open subscribes to what comes to the consumer, and lets it deliver.
func (c *Consumer) open() error {
	cfg, stream := c.config.Load(), c.s.Name()
	listen := func(pattern string, f broker.Callback) error {
		sub, err := c.s.acc.broker.SubscribeService(pattern, "", f)
		if err == nil {
			c.subs = append(c.subs, sub)
		}
		return err
	}
	where := map[string]broker.Callback{
		"$JS.API.CONSUMER.RESET." + stream + "." + c.name: c.resetRequest, "$JS.API.CONSUMER.MSG.NEXT." + stream + "." + c.name: c.pullRequest,
	}
	if d := c.s.acc.srv.options().Domain; d != "" {
		where["$JS."+d+".API.CONSUMER.RESET."+stream+"."+c.name] = c.resetRequest
		where["$JS."+d+".API.CONSUMER.MSG.NEXT."+stream+"."+c.name] = c.pullRequest
	}
	if cfg.AckPolicy != api.AckNone {
		where["$JS.ACK."+stream+"."+c.name+".*.*.*.*.*"] = c.ackRequest
		where["$JS.ACK.*.*."+stream+"."+c.name+".>"] = c.ackRequest
	}
	if cfg.Push() {
		where["$JS.FC."+stream+"."+c.name+".>"] = c.flowAnswer
		where["$JS.FC.*.*."+stream+"."+c.name+".>"] = c.flowAnswer
	}
	for pattern, f := range where {
		if err := listen(pattern, f); err != nil {
			release(c.subs)
			c.subs = nil
			return err
		}
	}
	c.mu.Lock()
	c.listenFor(cfg)
	c.mu.Unlock()
	c.wake()
	return nil
}

// listenFor has the consumer woken when somebody begins to listen where it pushes to, or nobody does any more. mu is held.
func (c *Consumer) listenFor(cfg *api.ConsumerConfig) {
	if c.deaf != nil {
		c.deaf()
		c.deaf = nil
	}
	if cfg.Push() && !c.closed {
		c.deaf = c.s.acc.broker.WatchNamed(cfg.DeliverSubject, cfg.DeliverGroup, func(bool) { c.wake() })
	}
}

// close ends the consumer. Those who wait are told line, unless it is empty.
func (c *Consumer) close(line string) {
	release(c.subs)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	c.weigh(0)
	if c.deaf != nil {
		c.deaf()
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.s.consumers.sated(c)
	if line != "" {
		c.dismiss(line, false)
	}
	c.pub.Close()
}

// farewell tells those who wait that the server stops.
func (c *Consumer) farewell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.dismiss("409 Server Shutdown", true)
	}
}

// dismiss tells those who wait that they wait in vain. mu is held.
func (c *Consumer) dismiss(line string, left bool) {
	c.guard(func() {
		c.m.Dismiss(line, left)
		c.pub.Begin()
		c.speak()
		c.pub.End()
	})
}

// info is the consumer as it is.
func (c *Consumer) info() *api.ConsumerInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.infoLocked()
}

func (c *Consumer) infoLocked() *api.ConsumerInfo {
	var i consumer.Info
	if !c.guard(func() {
		c.s.look(func() {
			c.hear(c.s.now())
			i = c.m.Info(c.s.now())
		})
	}) {
		return c.brokenInfo()
	}
	if !c.durable() && i.Delivered.Consumer == 0 { // as with nats-server, what did not match counts until something is delivered
		i.Delivered.Stream = max(i.Delivered.Stream, i.Passed)
	}
	cfg := c.config.Load().Answered()
	out := &api.ConsumerInfo{
		Stream: c.s.Name(), Name: c.name, Created: c.created, Config: cfg,
		Delivered: position(i.Delivered), AckFloor: position(i.Floor),
		NumAckPending: i.AckPending, NumRedelivered: i.Redelivered, NumWaiting: i.Waiting, NumPending: i.Pending,
		PushBound: i.Bound, Now: time.Now().UTC(), Idle: c.why(i.Idle),
	}
	if i.PausedUntil > 0 {
		out.Paused, out.PauseRemaining = true, time.Duration(i.PausedUntil-c.s.now())
		if cfg.PauseUntil != nil {
			out.PauseRemaining = time.Until(*cfg.PauseUntil)
		}
	}
	if len(cfg.PriorityGroups) > 0 {
		g := api.GroupState{Group: cfg.PriorityGroups[0]}
		if id, since := c.m.Pin(); id != "" {
			g.Pinned, g.Since = id, utc(since)
		}
		out.Groups = []api.GroupState{g}
	}
	return out
}

func position(p consumer.Position) api.SequenceInfo {
	i := api.SequenceInfo{Consumer: p.Consumer, Stream: p.Stream}
	if p.Time != 0 {
		at := utc(p.Time)
		i.Last = &at
	}
	return i
}
