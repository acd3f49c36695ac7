package service

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Maker makes the content of a message once it is its turn to be sent, if somebody
// listens by then. It runs on the outbox' goroutine, where all messages of a service are
// made one after another, and must be quick. header may be nil.
type Maker func() (header, body []byte, err error)

// Message is what is to be sent.
type Message struct {
	Account *broker.Account // nil: where the service is at home
	Subject string
	Reply   string
	Make    Maker
}

// outbox sends what there is to say, in order. Answers may be large, and who makes them
// can wait: few of them are queued. Events are small, and nobody waits.
type outbox struct {
	service *Service
	events  chan Message
	answers chan Message
	dropped atomic.Uint64
	told    time.Time // when drops were logged last; the goroutine's
}

// run empties the outbox until silent is closed, and then sends what is left.
func (o *outbox) run(silent <-chan struct{}) {
	for {
		select {
		case m := <-o.events:
			o.send(&m)
		case m := <-o.answers:
			o.send(&m)
		case <-silent:
			o.sendRest()
			return
		}
	}
}

func (o *outbox) sendRest() {
	for {
		select {
		case m := <-o.events:
			o.send(&m)
		case m := <-o.answers:
			o.send(&m)
		default:
			return
		}
	}
}

// send sends a message if anybody wants it; otherwise it is not made.
func (o *outbox) send(m *Message) {
	s := o.service
	defer func() {
		if p := recover(); p != nil {
			s.log.Error(fmt.Sprintf("%s: message on %q failed: %v", s.opts.Name, m.Subject, p))
		}
	}()
	a := m.Account
	if a == nil {
		a = s.opts.Home()
	}
	if a == nil || !a.Interested(m.Subject) {
		return
	}
	header, body, err := m.Make()
	if err != nil {
		s.log.Error(fmt.Sprintf("%s: message on %q: %v", s.opts.Name, m.Subject, err), logging.Err(err))
		return
	}
	a.Publish(m.Subject, m.Reply, header, body)
	o.tellDrops()
}

func (o *outbox) tellDrops() {
	if o.dropped.Load() == 0 || time.Since(o.told) < dropsEvery {
		return
	}
	o.told = time.Now()
	n := o.dropped.Swap(0)
	o.service.log.Warn(fmt.Sprintf("%s: %d event(s) dropped: they come faster than they are sent", o.service.opts.Name, n),
		logging.Uint(logging.FieldCount, n))
}
