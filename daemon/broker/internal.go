package broker

import (
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Message is what an internal subscriber is given. It and its slices are valid during the
// call only; what is to be kept is got by [Message.Hold].
type Message struct {
	Account *Account
	Subject []byte
	Reply   []byte
	Header  []byte // with "NATS/1.0" and the blank line at its end; nil for none
	Payload []byte
	Shown   []byte  // the subject that clients see, if that is another one; nil otherwise
	Client  *Client // who published; nil for others than clients
	From    Origin

	body []byte           // header and payload
	in   *transport.Input // in which body lies; nil if it lies elsewhere
}

// Hold returns header and payload, the one behind the other, in counted memory, for the
// caller to release. Large ones are not copied.
func (m *Message) Hold() batch.Segment {
	if m.in == nil || len(m.body) < batch.KeepFrom {
		return batch.Copy(m.body)
	}
	return m.in.Hold(m.body)
}

// Refer appends header and payload to a lane without copying them, and reports whether it
// did: they are small, or lie in memory that is not to be kept, otherwise.
func (m *Message) Refer(l *batch.Lane) bool {
	if m.in == nil || len(m.body) < batch.KeepFrom {
		return false
	}
	m.in.Refer(l, m.body)
	return true
}

// message lends out what a part is told of a message.
func (s *sender) message(a *Account, subject []byte, f *proto.Frame) *Message {
	m := &s.lent().message
	body := f.Body[:len(f.Body)-2]
	*m = Message{Account: a, Subject: subject, Reply: f.Reply, Payload: body, Shown: f.Shown, Client: s.self, From: s.from, body: body, in: s.in}
	if f.Hdr > 0 {
		m.Header, m.Payload = body[:f.Hdr], body[f.Hdr:]
	}
	if s.foreign {
		m.in = nil
	}
	return m
}

// Callback receives messages. It runs on the publisher's goroutine and delays it:
// it must be quick. To publish, it may use [Account.Publish]. What is to be done for many
// messages is better done once a batch: see [Account.Capture].
type Callback func(*Message)

// InternalSubscription is a subscription of a part of the broker itself.
type InternalSubscription struct {
	acc *Account
	sub *Subscription
}

// SubscribeInternal has f called for messages on a pattern; with a queue group, for
// its share of them. Other servers are not told: it is for what is published here.
func (a *Account) SubscribeInternal(subject, queue string, f Callback) (*InternalSubscription, error) {
	return a.subscribeInternal(kindPart, subject, queue, f)
}

// SubscribeService is SubscribeInternal for messages from other servers too, which
// are told of it as of a client's subscription.
func (a *Account) SubscribeService(subject, queue string, f Callback) (*InternalSubscription, error) {
	return a.subscribeInternal(kindService, subject, queue, f)
}

// SubscribeRemote is SubscribeService for what other servers send only: what is
// published here does not reach f.
func (a *Account) SubscribeRemote(subject string, f Callback) (*InternalSubscription, error) {
	return a.subscribeInternal(kindDeaf, subject, "", f)
}

func (a *Account) subscribeInternal(kind uint8, subject, queue string, f Callback) (*InternalSubscription, error) {
	var q *string
	if queue != "" {
		q = &queue
	}
	s := newSubscription(nil, asBytes(subject), nil, q)
	s.kind = kind
	s.more.Store(&subExtra{callback: f})
	if _, err := a.index.Insert(s); err != nil {
		return nil, err
	}
	if a.broker.traceSystem() {
		a.broker.log.Trace(fmt.Sprintf("SYSTEM - <<- [SUB %s %s %d]", subject, queue, a.broker.lastOwn.Add(1)))
	}
	return &InternalSubscription{a, s}, nil
}

// Unsubscribe ends the subscription. A call of the callback may still be under way.
func (i *InternalSubscription) Unsubscribe() {
	i.acc.index.Remove(i.sub)
	i.acc.releaseCapture(i.sub)
}

// internalStep delivers to a part of the broker.
type internalStep struct{ sub *Subscription }

func (i internalStep) deliver(s *sender, subject []byte, f *proto.Frame) bool {
	if s.dry() {
		return true
	}
	i.sub.more.Load().callback(s.message(s.acc, subject, f))
	return true
}

// addPart adds a part of this server to a plan.
func (p *plan) addPart(sub *Subscription) {
	if c := sub.more.Load().capture; c != nil {
		p.steps = append(p.steps, c)
		return
	}
	p.steps = append(p.steps, internalStep{sub})
}
