package jetstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/follow"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// originRequest asks an origin for a consumer, or for one to be reset.
type originRequest struct {
	round   uint64
	reply   string
	config  *api.ConsumerConfig // nil: a reset
	level   string
	ident   *string // the origin that is expected; nil: none is named
	at      uint64  // taken of the origin
	state   string  // reply subject of a question how far the origin is; "": it is not asked
	stands  uint64  // how far it is, if known
	known   bool
	subject string
}

// stableName is the name of the consumer that an origin has for the stream, the same whenever it is asked for: what
// nats-server calls it.
func (s *Stream) stableName() string {
	id := s.Name() + " " + s.acc.name()
	if d := s.acc.srv.options().Domain; d != "" {
		id += " " + d
	}
	return subject.NameHash(id)
}

// consumer is the name of the consumer that the follower asks for. mu is held.
func (fw *follower) consumer() string {
	id := fw.s.stableName()
	if fw.mirror {
		return "JS_MIRROR_" + id
	}
	same := 0
	for _, x := range fw.s.config.Load().Sources {
		if x.Name == fw.cfg.Name {
			same++
		}
	}
	if same > 1 {
		id += " " + fw.name
	}
	return "JS_SRC_" + subject.NameHash(id)
}

// ask makes the request for a consumer that begins behind what is taken. mu is held.
func (fw *follower) ask() *originRequest {
	s := fw.s
	fw.drop()
	at, ident := fw.m.At()
	if fw.mirror {
		at = s.machine.Last()
	}
	fw.m.Asked(at, s.steady())
	fw.level = api.SourcingLevel
	q := &originRequest{round: fw.round, level: fw.level, at: at}
	if !fw.mirror {
		fw.level = api.IdentityLevel
		q.level, q.ident = fw.level, &ident
	}
	if at > 0 {
		fw.listenForState(q)
	}
	if fw.cfg.Consumer == nil {
		q.config = fw.consumerConfig(at)
	}
	fw.request = q
	fw.aim()
	return q
}

// aim gives the request the subject that fits its configuration, and a reply subject of its own.
func (fw *follower) aim() {
	q := fw.request
	op := "CONSUMER.CREATE." + fw.cfg.Name
	switch {
	case q.config == nil:
		op = "CONSUMER.RESET." + fw.cfg.Name + "." + fw.cfg.Consumer.Name
	case q.config.FilterSubject != "":
		op += "." + q.config.Name + "." + q.config.FilterSubject
	}
	q.subject = fw.api(op)
	q.reply = "$JSC.R." + consumerName()
	if fw.answer != nil {
		fw.answer.Unsubscribe()
		fw.answer = nil
	}
	sub, err := fw.s.acc.broker.SubscribeService(q.reply, "", fw.answers(fw.round))
	if err == nil { // the subject is good
		fw.answer = sub
	}
}

// answers copies an answer off a publisher's hands. There is one: who sends more is not heard.
func (fw *follower) answers(round uint64) broker.Callback {
	var heard atomic.Bool
	return func(m *broker.Message) {
		if heard.Swap(true) {
			return
		}
		header, body := bytes.Clone(m.Header), bytes.Clone(m.Payload)
		fw.s.acc.srv.work.Go(func() { fw.answered(round, header, body) })
	}
}

// consumerConfig is what the origin's consumer is to be. mu is held.
func (fw *follower) consumerConfig(at uint64) *api.ConsumerConfig {
	s, x := fw.s, fw.cfg
	kind, key, deliver := "$JS.S.", "_nats.src.", ".S."
	if fw.mirror {
		kind, key, deliver = "$JS.M.", "_nats.mirror.", ".M."
	}
	to := kind + consumerName()
	if x.External != nil && x.External.Deliver != "" {
		to = strings.ReplaceAll(x.External.Deliver+deliver+consumerName(), "..", ".")
	}
	c := &api.ConsumerConfig{
		Name: fw.consumer(), DeliverSubject: to, AckPolicy: api.AckNone, AckWait: 22 * time.Hour, MaxDeliver: 1, Heartbeat: follow.Beat, FlowControl: true,
		Direct: true, Sourcing: true, InactiveThreshold: follow.Quiet, FilterSubject: x.FilterSubject,
		Metadata: map[string]string{key + "stream": s.Name(), key + "acc": s.acc.name()},
	}
	if d := s.acc.srv.options().Domain; d != "" {
		c.Metadata[key+"domain"] = d
	}
	for _, t := range x.Transforms {
		c.FilterSubjects = append(c.FilterSubjects, t.Source)
	}
	if len(c.FilterSubjects) == 1 {
		c.FilterSubject, c.FilterSubjects = c.FilterSubjects[0], nil
	}
	begun := at > 0
	if fw.mirror {
		st := s.log.State()
		begun = begun || st.Msgs > 0 || st.First > 0
	}
	switch {
	case begun && at > 0:
		c.DeliverPolicy, c.StartSeq = api.DeliverByStartSequence, at+1
	case begun:
	case x.StartSeq > 0:
		c.DeliverPolicy, c.StartSeq = api.DeliverByStartSequence, x.StartSeq
	case x.StartTime != nil:
		c.DeliverPolicy, c.StartTime = api.DeliverByStartTime, x.StartTime
	}
	return c
}

// send sends the request. Nothing is locked.
func (fw *follower) send(q *originRequest) {
	b := fw.s.acc.broker
	if q.state != "" {
		b.Publish(fw.api("STREAM.INFO."+fw.cfg.Name), q.state, nil, nil)
	}
	var body []byte
	if q.config != nil {
		var err error
		if body, err = json.Marshal(&api.ConsumerRequest{Stream: fw.cfg.Name, Config: *q.config}); err != nil {
			panic("jetstream: a request cannot be encoded: " + err.Error())
		}
	}
	var h header
	if q.level != "" {
		h = h.add(api.RequiredLevelHeader, q.level)
	}
	if q.ident != nil {
		h = h.add(api.StreamIdentityHeader, *q.ident)
	}
	if b.Publish(q.subject, q.reply, h, body) {
		return
	}
	s := fw.s
	s.mu.Lock()
	defer s.unlock()
	if !fw.gone && fw.round == q.round && fw.m.State() == follow.Asking {
		fw.drop()
		fw.m.Unheard(s.steady(), jitter())
		fw.setTimer()
	}
}

// listenForState makes ready for the answer how far the origin is, which it need not give: one that is behind what was taken of it
// is not followed. mu is held.
func (fw *follower) listenForState(q *originRequest) {
	reply := "$JSC.R." + consumerName()
	var heard atomic.Bool
	sub, err := fw.s.acc.broker.SubscribeService(reply, "", func(m *broker.Message) {
		var a api.OriginState
		if !heard.Swap(true) && json.Unmarshal(m.Payload, &a) == nil && a.Error == nil {
			fw.s.acc.srv.work.Go(func() { fw.standsAt(q, a.State.Last) })
		}
	})
	if err == nil { // the subject is good
		fw.state, q.state = sub, reply
	}
}

// standsAt takes how far the origin was when it was asked.
func (fw *follower) standsAt(q *originRequest, last uint64) {
	s := fw.s
	s.mu.Lock()
	defer s.unlock()
	if fw.gone || fw.round != q.round || fw.m.State() == follow.Resting {
		return
	}
	q.stands, q.known = last, true
	if fw.m.State() == follow.Following {
		fw.isBack(q)
	}
}

// isBack reports whether the origin, which is the one that it was, is behind what was taken of it. It is not followed then. mu is held.
func (fw *follower) isBack(q *originRequest) bool {
	if !q.known || q.stands >= q.at {
		return false
	}
	fw.back(true)
	fw.wentBack(fmt.Errorf("the origin went back: its last sequence is %d, and %d was taken of it", q.stands, q.at))
	return true
}

// wentBack notes that the origin is not what it was: what it holds from here on is something else. mu is held.
func (fw *follower) wentBack(err error) {
	if fw.err == nil || fw.err.Text != err.Error() {
		fw.s.acc.srv.log.Error(fw.title() + ": " + err.Error())
	}
	fw.failed(fw.setupError(err))
}

// setupError is an error of what keeps the stream from following.
func (fw *follower) setupError(err error) *api.Error {
	if fw.mirror {
		return api.MirrorSetup.Error(err)
	}
	return api.SourceSetup.Error(err)
}
