package jetstream

import (
	"encoding/json"
	"errors"

	"github.com/nats-broker/nats-broker/daemon/follow"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// answered takes the origin's answer to a request.
func (fw *follower) answered(round uint64, header, body []byte) {
	var a api.OriginAnswer
	unread := json.Unmarshal(body, &a)
	ident, _ := api.Header(header, api.StreamIdentityHeader)
	s := fw.s
	s.mu.Lock()
	var more *originRequest
	var tell func()
	if !fw.gone && fw.round == round && fw.m.State() == follow.Asking {
		if unread != nil {
			fw.warn("an answer that cannot be read: " + unread.Error())
		} else {
			more, tell = fw.heed(&a, string(ident))
		}
		fw.setTimer()
	}
	s.unlock()
	if more != nil {
		fw.send(more)
	}
	if tell != nil {
		tell()
	}
}

func (fw *follower) warn(text string) { fw.s.acc.srv.log.Warn(fw.title() + ": " + text) }

var errIncomplete = errors.New("invalid consumer create response")

// heed does what an answer says. It returns a request in another form, if the origin does not know this one, or what tells the
// origin that its consumer is not wanted. mu is held.
func (fw *follower) heed(a *api.OriginAnswer, ident string) (more *originRequest, tell func()) {
	if a.Error != nil || !api.ValidName(a.Name) || a.Config == nil || a.Delivered.Stream > api.MaxSequence {
		return fw.heedError(a.Error), nil
	}
	switch {
	case fw.cfg.Consumer != nil && a.Config.AckPolicy != api.AckFlowControl.String():
		code := api.SourceNeedsFlowAcks
		if fw.mirror {
			code = api.MirrorNeedsFlowAcks
		}
		fw.failed(code.Error())
		return nil, nil
	case fw.mirror && fw.m.Differs(ident):
		fw.wentBack(errors.New("the origin is another one than before, and does not go on where that was"))
		return nil, fw.leaveOther(a.Name)
	case !fw.m.Differs(ident) && fw.isBack(fw.request):
		return nil, fw.leaveOther(a.Name)
	case fw.behind && !fw.m.Differs(ident):
		fw.wentBack(errors.New("the origin went back, and holds something else than what was taken of it"))
		return nil, fw.leaveOther(a.Name)
	}
	if fw.m.Differs(ident) {
		fw.warn("the origin was made anew, and is taken from its beginning")
	}
	if err := fw.accept(a, ident); err != nil {
		fw.failed(fw.setupError(err))
	}
	return nil, nil
}

// leaveOther returns what takes a consumer away that is not wanted. mu is held.
func (fw *follower) leaveOther(name string) func() {
	if fw.cfg.Consumer != nil {
		return nil
	}
	b, to := fw.s.acc.broker, fw.api("CONSUMER.DELETE."+fw.cfg.Name+"."+name)
	return func() { b.Publish(to, "", nil, nil) }
}

// accept begins to take what the origin's consumer delivers. mu is held.
func (fw *follower) accept(a *api.OriginAnswer, ident string) error {
	s, to := fw.s, ""
	if c := fw.request.config; c != nil {
		to = c.DeliverSubject // whatever is answered: it is ours to say
	} else {
		to = fw.cfg.Consumer.DeliverSubject
	}
	if fw.mirror && fw.s.originIdentity == "" && ident != "" {
		if err := s.acc.keepIdentity(s, ident); err != nil {
			return err
		}
	}
	if fw.captured != nil {
		fw.captured.Unsubscribe()
		fw.captured = nil
	}
	sub, err := s.acc.broker.Capture(to, fw)
	if err != nil {
		return err
	}
	fw.captured = sub
	if fw.answer != nil {
		fw.answer.Unsubscribe()
		fw.answer = nil
	}
	passed := a.Delivered.Stream
	if fw.mirror {
		if last := s.machine.Last(); passed > last {
			s.buffered.Add(1)
			s.follow(s.machine.Pass(passed), nil)
		}
		fw.answersFor(a.Pending)
	}
	fw.own = ""
	if fw.request.config != nil && a.Name == fw.request.config.Name {
		fw.own = a.Name
	}
	fw.back(false)
	fw.m.Accepted(a.Name, passed, ident, s.steady())
	fw.err = nil
	return nil
}

// caughtUp is how many messages a mirror may lack to answer for its origin.
const caughtUp = 10

// answersFor has a mirror that lacks few messages answer direct gets of its origin. mu is held.
func (fw *follower) answersFor(lacking uint64) {
	if fw.mirror && lacking < caughtUp && fw.s.config.Load().MirrorDirect {
		fw.s.directlyFor(fw.cfg.Name)
	}
}

// heedError does what an error says that the origin has answered with. mu is held.
func (fw *follower) heedError(err *api.Error) *originRequest {
	q := fw.request
	switch {
	case err == nil:
		err = fw.setupError(errIncomplete)
	case err.Code == api.IdentityMismatch && !fw.mirror:
		fw.warn("the origin was made anew, and is taken from its beginning")
		fw.drop()
		fw.back(false)
		fw.m.Another(fw.s.steady(), jitter())
		return nil
	case err.Code == api.RequiredLevel || err.Code == api.InvalidJSON:
		if q.level == api.IdentityLevel || q.level != "" && q.config != nil {
			return fw.askOtherwise()
		}
	}
	if fw.err == nil || *fw.err != *err {
		fw.warn("the origin answers: " + err.Error())
	}
	fw.failed(err)
	return nil
}

// askOtherwise makes the request for an origin of an age before. mu is held.
func (fw *follower) askOtherwise() *originRequest {
	q := *fw.request
	q.state = "" // that is asked already
	if q.level == api.IdentityLevel {
		q.level, q.ident = api.SourcingLevel, nil
	} else {
		c := q.config.Clone()
		c.Sourcing, c.Name = false, c.Name+"_"+consumerName()
		q.level, q.ident, q.config = "", nil, c
	}
	fw.request = &q
	fw.aim()
	fw.m.AskedOtherwise(fw.s.steady())
	return &q
}
