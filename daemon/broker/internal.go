package broker

import (
	"fmt"
	"strconv"

	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Message is what an internal subscriber is given. Its slices are valid during the
// call only.
type Message struct {
	Account *Account
	Subject []byte
	Reply   []byte
	Header  []byte // with "NATS/1.0" and the blank line at its end; nil for none
	Payload []byte
	Client  *Client // who published; nil for others than clients
}

// Callback receives messages. It runs on the publisher's goroutine and delays it:
// it must be quick. To publish, it may use [Account.Publish].
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
func (i *InternalSubscription) Unsubscribe() { i.acc.index.Remove(i.sub) }

// internalStep delivers to a part of the broker.
type internalStep struct{ sub *Subscription }

func (i internalStep) deliver(s *sender, subject []byte, f *proto.Frame) bool {
	m := Message{Account: s.acc, Subject: subject, Reply: f.Reply, Payload: f.Body[:len(f.Body)-2], Client: s.self}
	if f.Hdr > 0 {
		m.Header, m.Payload = m.Payload[:f.Hdr], m.Payload[f.Hdr:]
	}
	i.sub.more.Load().callback(&m)
	return true
}

// Publish delivers a message of the broker's own and reports whether somebody
// received it. reply may be empty and header nil; header is "NATS/1.0…" through its
// blank line. Nothing is kept.
func (a *Account) Publish(subject, reply string, header, payload []byte) (delivered bool) {
	return a.publish(subject, reply, header, payload, Own)
}

// PublishOut is Publish for what parts of this broker are not to receive themselves.
func (a *Account) PublishOut(subject, reply string, header, payload []byte) (delivered bool) {
	return a.publish(subject, reply, header, payload, OwnOutward)
}

func (a *Account) publish(subject, reply string, header, payload []byte, from Origin) (delivered bool) {
	f := proto.Frame{Op: proto.Pub, Hdr: -1, Size: len(header) + len(payload)}
	b := make([]byte, 0, len(subject)+len(reply)+f.Size+64)
	b = append(append(b, subject...), ' ')
	tail := len(b)
	if reply != "" {
		b = append(append(b, reply...), ' ')
	}
	hdrAt := len(b)
	if header != nil {
		f.Op, f.Hdr = proto.HPub, len(header)
		b = append(strconv.AppendInt(b, int64(f.Hdr), 10), ' ')
	}
	sizeAt := len(b)
	b = strconv.AppendInt(b, int64(f.Size), 10)
	line := len(b)
	b = append(b, "\r\n"...)
	body := len(b)
	b = append(append(append(b, header...), payload...), "\r\n"...)
	traced := a.broker.traceSystem()
	transport.Inject(b, func(in *transport.Input) {
		d := in.Data
		f.Subject, f.Tail, f.Body, f.SizeText = d[:len(subject)], d[tail:], d[body:], d[sizeAt:line]
		if reply != "" {
			f.Reply = d[tail : hdrAt-1]
		}
		if header != nil {
			f.HdrText = d[hdrAt : sizeAt-1]
		}
		if traced {
			a.broker.traceOwn(&f)
		}
		s := newSender(a, from, proto.PubLead, a.seq.Add(1))
		s.begin(in)
		delivered = s.publish(s.plan(f.Subject), &f)
		s.end()
	})
	return delivered
}
