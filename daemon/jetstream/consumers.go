package jetstream

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/consumer"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// consumers answers requests for consumers.
func (a *account) consumers(r *request) {
	switch r.op {
	case api.ConsumerCreateOp, api.ConsumerCreateNamedOp, api.DurableCreateOp:
		a.createConsumer(r)
	case api.ConsumerNamesOp:
		a.consumerNames(r)
	case api.ConsumerListOp:
		a.listConsumers(r)
	case api.ConsumerInfoOp:
		a.consumerInfo(r)
	case api.ConsumerDeleteOp:
		a.deleteConsumer(r)
	case api.ConsumerPauseOp:
		a.pauseConsumer(r)
	case api.ConsumerUnpinOp:
		a.unpinConsumer(r)
	default:
		a.fail(r, api.BadRequest.Error())
	}
}

// consumerInfo tells of one consumer.
func (a *account) consumerInfo(r *request) {
	if !api.IsEmpty(r.body) {
		a.fail(r, api.NotEmptyRequest.Error())
		return
	}
	if c := a.consumerTarget(r, 3); c != nil {
		a.respond(r, api.ConsumerAnswer{Answer: r.op.Answer(), ConsumerInfo: c.info()})
	}
}

// consumerNames lists the consumers of a stream by name.
func (a *account) consumerNames(r *request) {
	s, q, ok := a.listed(r)
	if !ok {
		return
	}
	all := s.consumers.shown()
	out := api.ConsumerNamesAnswer{Answer: r.op.Answer(), Consumers: []string{}}
	out.Page = page(len(all), q.Offset, api.MaxNames)
	for _, c := range all[out.Offset:min(out.Offset+api.MaxNames, len(all))] {
		out.Consumers = append(out.Consumers, c.name)
	}
	a.respond(r, out)
}

// listConsumers lists the consumers of a stream as they are.
func (a *account) listConsumers(r *request) {
	s, q, ok := a.listed(r)
	if !ok {
		return
	}
	all := s.consumers.shown()
	out := api.ConsumerListAnswer{Answer: r.op.Answer(), Consumers: []*api.ConsumerInfo{}}
	out.Page = page(len(all), q.Offset, api.MaxList)
	for _, c := range all[out.Offset:min(out.Offset+api.MaxList, len(all))] {
		i := c.info()
		i.Config = c.config.Load()
		out.Consumers = append(out.Consumers, i)
	}
	a.respond(r, out)
}

// listed returns the stream whose consumers are to be listed, and from where on.
func (a *account) listed(r *request) (s *Stream, q api.ConsumersRequest, ok bool) {
	if api.IsDocument(r.body) && !a.decode(r, &q) {
		return nil, q, false
	}
	s = a.target(r, 3)
	return s, q, s != nil
}

// pauseConsumer lets a consumer rest, or go on.
func (a *account) pauseConsumer(r *request) {
	var q api.PauseRequest
	if api.IsDocument(r.body) && !a.decode(r, &q) {
		return
	}
	c := a.consumerTarget(r, 3)
	if c == nil {
		return
	}
	out, err := c.pause(q.Until)
	if err != nil {
		a.fail(r, api.ConsumerCreate.Error(err))
		return
	}
	out.Answer = r.op.Answer()
	a.respond(r, out)
	a.advisePause(c, out)
}

// pause rests until a time; the zero one, or one that has passed, goes on.
func (c *Consumer) pause(until time.Time) (api.PauseAnswer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.usable(); err != nil {
		return api.PauseAnswer{}, err
	}
	now := time.Now()
	cfg := c.config.Load().Clone()
	cfg.PauseUntil = nil
	var at int64
	if !until.IsZero() {
		u := until.UTC()
		cfg.PauseUntil, at = &u, nanos(u)
	}
	cfg.Stamp()
	if err := c.enter(cfg); err != nil {
		return api.PauseAnswer{}, err
	}
	c.config.Store(cfg)
	c.m.Pause(at, now.UnixNano())
	c.wake()
	out := api.PauseAnswer{Paused: until.After(now)}
	if !until.IsZero() {
		out.Until = until.UTC()
	}
	if out.Paused {
		out.Remaining = until.Sub(now)
	}
	return out, nil
}

// unpinConsumer lets go of the client that a consumer is pinned to.
func (a *account) unpinConsumer(r *request) {
	var q api.UnpinRequest
	if len(r.body) == 0 {
		a.fail(r, api.InvalidJSON.Error("unexpected end of JSON input"))
		return
	}
	if !a.decode(r, &q) {
		return
	}
	if err := q.Check(); err != nil {
		a.fail(r, err)
		return
	}
	c := a.consumerTarget(r, 3)
	if c == nil {
		return
	}
	if !slices.Contains(c.config.Load().PriorityGroups, q.Group) {
		a.fail(r, api.GroupUnknown.Error())
		return
	}
	c.unpin()
	a.respond(r, r.op.Answer())
}

func (c *Consumer) unpin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.guard(c.m.Unpin)
	c.wake()
}

// resetRequest takes a request to begin again off a publisher's hands.
func (c *Consumer) resetRequest(m *broker.Message) {
	if subject.IsJetStream(m.Reply) {
		return
	}
	r := &request{op: api.ConsumerResetOp, subject: string(m.Subject), reply: string(m.Reply), header: bytes.Clone(m.Header), body: bytes.Clone(m.Payload)}
	c.s.acc.srv.work.Go(func() { c.reset(r) })
}

// reset begins again. It is answered by the consumer itself, and not told of.
func (c *Consumer) reset(r *request) {
	a := c.s.acc
	if api.LevelRefused(r.header) {
		a.reply(r, r.op.Failed(api.RequiredLevel.Error()))
		return
	}
	var q api.ResetRequest
	if len(bytes.TrimSpace(r.body)) > 0 {
		if err := api.Decode(r.body, a.srv.options().Strict, &q); err != nil {
			a.reply(r, r.op.Failed(api.InvalidJSON.Error(err)))
			return
		}
		if err := q.Check(); err != nil {
			a.reply(r, r.op.Failed(err))
			return
		}
	}
	seq, info, err := c.beginAt(q.Seq)
	switch {
	case errors.Is(err, errDeleted):
	case err != nil:
		a.reply(r, r.op.Failed(api.ResetInvalid.Error(err)))
	default:
		c.s.abandoned(c.filter.Load(), 0)
		if _, ok := api.Header(r.header, api.StreamIdentityHeader); ok {
			r.extra = header(nil).add(api.StreamIdentityHeader, c.s.identity())
		}
		a.reply(r, api.ResetAnswer{Answer: r.op.Answer(), ConsumerInfo: info, Seq: seq})
	}
}

// beginAt begins again at a sequence, or behind the floor of acks if it is 0.
func (c *Consumer) beginAt(seq uint64) (at uint64, info *api.ConsumerInfo, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.usable(); err != nil {
		return 0, nil, err
	}
	if !c.guard(func() { c.s.look(func() { at, err = c.m.Reset(seq) }) }) {
		err = errBroken
	}
	if err != nil {
		return 0, nil, err
	}
	c.wake()
	return at, c.infoLocked(), nil
}

// consumerEvent tells that a consumer was made or deleted.
type consumerEvent struct {
	event
	Stream   string `json:"stream"`
	Consumer string `json:"consumer"`
	Action   string `json:"action"`
	Domain   string `json:"domain,omitempty"`
}

// adviseConsumer tells of a consumer; action is "create" or "delete".
func (a *account) adviseConsumer(what, stream, name, action string) {
	if to := advisories + "CONSUMER." + what + "." + stream + "." + name; a.broker.Interested(to) {
		a.advise(to, &consumerEvent{newEvent("consumer_action"), stream, name, action, a.srv.options().Domain})
	}
}

// pauseEvent tells that a consumer rests, or goes on.
type pauseEvent struct {
	event
	Stream   string    `json:"stream"`
	Consumer string    `json:"consumer"`
	Paused   bool      `json:"paused"`
	Until    time.Time `json:"pause_until"`
	Domain   string    `json:"domain,omitempty"`
}

func (a *account) advisePause(c *Consumer, p api.PauseAnswer) {
	to := advisories + "CONSUMER.PAUSE." + c.s.Name() + "." + c.name
	if !a.broker.Interested(to) {
		return
	}
	e := &pauseEvent{event: newEvent("consumer_pause"), Stream: c.s.Name(), Consumer: c.name, Paused: p.Paused, Until: p.Until, Domain: a.srv.options().Domain}
	a.advise(to, e)
}

// deliveryEvent tells of one delivery: the fields that the kind at hand has.
type deliveryEvent struct {
	event
	Stream      string `json:"stream"`
	Consumer    string `json:"consumer"`
	ConsumerSeq uint64 `json:"consumer_seq,omitempty"`
	StreamSeq   uint64 `json:"stream_seq"`
	AckTime     int64  `json:"ack_time,omitempty"`
	Deliveries  int    `json:"deliveries"`
	Reason      string `json:"reason,omitempty"`
	Domain      string `json:"domain,omitempty"`
}

// groupEvent tells of the client that a consumer is pinned to.
type groupEvent struct {
	event
	Account  string `json:"account,omitempty"`
	Stream   string `json:"stream"`
	Consumer string `json:"consumer"`
	Domain   string `json:"domain,omitempty"`
	Group    string `json:"group"`
	Pinned   string `json:"pinned_id,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

const ackMetric = "$JS.EVENT.METRIC.CONSUMER.ACK."

// advise tells whoever listens of what happened to deliveries. mu is held.
func (c *Consumer) advise() {
	for _, n := range c.m.Notices() {
		c.adviseOne(n)
	}
}

var noticeSubjects = map[consumer.NoticeKind][2]string{
	consumer.NoticeNak: {"MSG_NAKED", "nak"}, consumer.NoticeTerminated: {"MSG_TERMINATED", "terminated"},
	consumer.NoticeMaxDeliver: {"MAX_DELIVERIES", "max_deliver"}, consumer.NoticePinned: {"PINNED", "consumer_group_pinned"},
	consumer.NoticeUnpinned: {"UNPINNED", "consumer_group_unpinned"},
}

func (c *Consumer) adviseOne(n consumer.Notice) {
	a := c.s.acc
	where := c.s.Name() + "." + c.name
	kind, known := noticeSubjects[n.Kind]
	to := advisories + "CONSUMER." + kind[0] + "." + where
	e := newEvent(kind[1])
	if n.Kind == consumer.NoticeAck {
		to, known = ackMetric+where, true
		e.Type = "io.nats.jetstream.metric.v1.consumer_ack"
	}
	if !known || !a.broker.Interested(to) {
		return
	}
	domain := a.srv.options().Domain
	switch n.Kind {
	case consumer.NoticePinned, consumer.NoticeUnpinned:
		a.advise(to, &groupEvent{e, a.name(), c.s.Name(), c.name, domain, n.Group, n.Pin, n.Reason})
	case consumer.NoticeMaxDeliver:
		a.advise(to, &deliveryEvent{event: e, Stream: c.s.Name(), Consumer: c.name, StreamSeq: n.Stream, Deliveries: n.Times, Domain: domain})
	default:
		a.advise(to, &deliveryEvent{event: e, Stream: c.s.Name(), Consumer: c.name, ConsumerSeq: n.Consumer, StreamSeq: n.Stream,
			AckTime: n.After, Deliveries: n.Times, Reason: n.Reason, Domain: domain})
	}
}
