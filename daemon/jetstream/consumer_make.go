package jetstream

import (
	"cmp"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/consumer"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/subject"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// createConsumer makes a consumer, or makes one another.
func (a *account) createConsumer(r *request) {
	var q api.ConsumerRequest
	if !a.decode(r, &q) {
		return
	}
	if err := q.Named(r.subject); err != nil {
		a.fail(r, err)
		return
	}
	if q.Config.Replicas > 1 {
		a.fail(r, api.ReplicasNotSupported.Error())
		return
	}
	s := a.stream(q.Stream)
	if s == nil {
		a.fail(r, api.StreamNotFound.Error())
		return
	}
	if !a.sourcing(r, s, &q.Config) {
		return
	}
	q.Config.Stamp()
	sur := s.consumerSurroundings()
	if c := s.consumers.get(cmp.Or(q.Config.Durable, q.Config.Name)); c != nil {
		sur.Stays = c.config.Load().InactiveThreshold == 0
	}
	cfg, err := q.Config.Check(sur, q.Pedantic)
	if err != nil {
		a.fail(r, err)
		return
	}
	info, err := a.consumerFor(s, cfg, q.Action)
	if err != nil {
		a.fail(r, err)
		return
	}
	a.respond(r, api.ConsumerAnswer{Answer: r.op.Answer(), ConsumerInfo: info})
}

func (s *Stream) consumerSurroundings() *api.ConsumerSurroundings {
	l, _ := s.acc.allowed()
	o := s.acc.srv.options()
	return &api.ConsumerSurroundings{
		Stream: s.config.Load(), MaxAckPending: o.MaxAckPending, AccountMaxAckPending: l.MaxAckPending, MaxRequestBatch: o.MaxRequestBatch,
	}
}

// consumerFor makes the consumer of a checked configuration, or makes the one of its name be so, and returns its info as it
// was before the first delivery.
func (a *account) consumerFor(s *Stream, cfg *api.ConsumerConfig, do api.Action) (*api.ConsumerInfo, *api.Error) {
	name := cmp.Or(cfg.Durable, cfg.Name)
	if c := s.consumers.get(name); c != nil {
		info, err := c.change(cfg, do)
		if err == nil && cfg.Sourcing { // it begins behind what was stored elsewhere
			if _, i, failed := c.beginAt(0); failed == nil {
				info = i
			}
		}
		return info, err
	}
	if do == api.UpdateOnly {
		return nil, api.ConsumerMissing.Error()
	}
	if err := s.mayHave(cfg); err != nil {
		return nil, err
	}
	if len(name) > maxConsumerName {
		return nil, api.ConsumerNameTooLong.Error(maxConsumerName)
	}
	for name == "" || cfg.Name == "" && s.consumers.get(name) != nil {
		name = consumerName()
	}
	c, err := s.makeConsumer(name, cfg)
	if err != nil {
		return nil, api.ConsumerCreate.Error(err)
	}
	if cfg.Sourcing {
		s.retain(s.config.Load())
	}
	info := c.info()
	if err := c.open(); err != nil {
		s.consumers.remove(c)
		s.regard()
		return nil, api.ConsumerCreate.Error(err)
	}
	a.adviseConsumer("CREATED", s.Name(), name, "create")
	return info, nil
}

const maxConsumerName = 255

// consumerName returns eight random letters and digits.
func consumerName() string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	for i := range b {
		b[i] = digits[int(b[i])%len(digits)]
	}
	return string(b[:])
}

// mayHave checks what the stream allows of a new consumer.
func (s *Stream) mayHave(cfg *api.ConsumerConfig) *api.Error {
	c := s.config.Load()
	l, _ := s.acc.allowed()
	most := c.MaxConsumers
	if most <= 0 || l.MaxConsumers > 0 && l.MaxConsumers < most {
		most = l.MaxConsumers
	}
	if most <= 0 {
		most = s.acc.srv.options().MaxConsumers
	}
	if most > 0 && !forStreams(cfg) && s.consumers.limited() >= most {
		return api.TooManyConsumers.Error()
	}
	if c.Retention != api.WorkQueue || forStreams(cfg) {
		return nil
	}
	switch {
	case cfg.AckPolicy != api.AckExplicit && cfg.AckPolicy != api.AckFlowControl:
		return api.QueueNeedsExplicit.Error()
	case cfg.DeliverPolicy != api.DeliverAll:
		return api.QueueDeliverAll.Error()
	}
	return s.alone("", cfg)
}

// alone checks that no consumer but the one with a name asks for what another of a work queue is to ask for.
func (s *Stream) alone(name string, cfg *api.ConsumerConfig) *api.Error {
	for _, o := range s.consumers.all() {
		switch {
		case o.name == name, forStreams(o.config.Load()):
		case len(cfg.Filters()) == 0:
			return api.QueueManyUnfiltered.Error()
		case overlap(cfg.Filters(), o.config.Load().Filters()):
			return api.QueueOverlap.Error()
		}
	}
	return nil
}

func overlap(a, b []string) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	for _, f := range a {
		for _, g := range b {
			if subject.Collide(f, g) {
				return true
			}
		}
	}
	return false
}

// makeConsumer makes a new consumer of the stream. It delivers nothing before it is opened.
func (s *Stream) makeConsumer(name string, cfg *api.ConsumerConfig) (*Consumer, error) {
	c := s.newConsumer(name, cfg, time.Now().UTC())
	s.look(func() { c.m = consumer.New(machineOf(s, name, cfg), s.world(), s.now()) })
	if err := c.m.Trouble(); err != nil {
		return nil, err
	}
	if c.durable() {
		c.id = s.acc.srv.files.newID()
		c.writeChanges(nil)
		if err := c.enter(cfg); err != nil {
			return nil, err
		}
	}
	s.adopt(c)
	return c, nil
}

func (s *Stream) newConsumer(name string, cfg *api.ConsumerConfig, created time.Time) *Consumer {
	c := &Consumer{s: s, name: name, created: created, pub: s.acc.broker.NewPublisher(broker.FromStream)}
	c.mu.gate = &s.gate
	c.config.Store(cfg)
	return c
}

// change makes the consumer be as a checked configuration says, if it may.
func (c *Consumer) change(cfg *api.ConsumerConfig, do api.Action) (*api.ConsumerInfo, *api.Error) {
	old := c.config.Load()
	if do == api.CreateOnly && !cfg.SameAs(old) {
		return nil, api.ConsumerExists.Error()
	}
	if c.s.config.Load().Retention == api.WorkQueue && !forStreams(cfg) {
		if err := c.s.alone(c.name, cfg); err != nil {
			return nil, err
		}
	}
	info, before, err := c.changed(old, cfg)
	if err != nil {
		return nil, err
	}
	c.s.regard()
	if now := c.filter.Load(); !slices.Equal(before.Patterns(), now.Patterns()) {
		c.s.abandoned(before, c.reached())
	}
	return info, nil
}

// changed makes the consumer another, and returns what it asked for before.
func (c *Consumer) changed(old, cfg *api.ConsumerConfig) (*api.ConsumerInfo, *subjects.Filter, *api.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.usable(); err != nil {
		return nil, nil, api.ConsumerCreate.Error(err)
	}
	bound := old.Push() && old.DeliverSubject != cfg.DeliverSubject && c.s.acc.broker.Interested(old.DeliverSubject)
	if err := old.Update(cfg, bound); err != nil {
		return nil, nil, err
	}
	cfg.PauseUntil = old.PauseUntil // only a request for a pause changes it
	cfg.Stamp()
	if err := c.enter(cfg); err != nil {
		return nil, nil, api.ConsumerCreate.Error(err)
	}
	before := c.filter.Load()
	c.guard(func() { c.become(cfg) })
	return c.infoLocked(), before, nil
}

var errDeleted = errors.New("consumer deleted")

// usable returns why the consumer cannot be changed any more. mu is held.
func (c *Consumer) usable() error {
	switch {
	case c.closed:
		return errDeleted
	case c.broken:
		return errBroken
	}
	return nil
}

// become works by another configuration from now on. mu is held.
func (c *Consumer) become(cfg *api.ConsumerConfig) {
	if old := c.config.Load(); old.DeliverSubject != cfg.DeliverSubject || old.DeliverGroup != cfg.DeliverGroup {
		defer c.listenFor(cfg)
	}
	c.s.consumers.sated(c)
	c.config.Store(cfg)
	c.s.look(func() { c.m.Update(machineOf(c.s, c.name, cfg), c.s.now()) })
	c.filter.Store(c.m.Filter())
	c.wake()
}

// deleteConsumer takes a consumer away.
func (a *account) deleteConsumer(r *request) {
	if !api.IsEmpty(r.body) {
		a.fail(r, api.NotEmptyRequest.Error())
		return
	}
	c := a.consumerTarget(r, 3)
	if c == nil {
		return
	}
	if err := a.dropConsumer(c); err != nil {
		a.fail(r, api.StreamGeneral.Error(err))
		return
	}
	a.respond(r, api.DoneAnswer{Answer: r.op.Answer(), Success: true})
}

// dropConsumer ends a consumer, unless somebody has already.
func (a *account) dropConsumer(c *Consumer) error {
	if !c.s.consumers.remove(c) {
		return nil
	}
	if err := c.forget(); err != nil {
		c.s.consumers.add(c)
		return err
	}
	c.close("409 Consumer Deleted")
	c.s.regard()
	if s := c.s; c.config.Load().Sourcing && s.config.Load().Retention == api.WorkQueue {
		// The gate is closed until it is known what waited for it alone.
		s.sweep(c.filter.Load(), c.reached(), func() { s.retain(s.config.Load()) })
	}
	c.s.abandoned(c.filter.Load(), c.reached())
	a.adviseConsumer("DELETED", c.s.Name(), c.name, "delete")
	return nil
}

// consumerTarget finds the consumer that the subject names, or answers that there is none.
func (a *account) consumerTarget(r *request, token int) *Consumer {
	s := a.target(r, token)
	if s == nil {
		return nil
	}
	c := s.consumers.get(api.Token(r.subject, token+1))
	if c == nil {
		a.fail(r, api.ConsumerNotFound.Error())
	}
	return c
}
