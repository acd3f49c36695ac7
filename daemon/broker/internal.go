package broker

import "github.com/nats-broker/nats-broker/daemon/proto"

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

// Callback receives messages. It runs on the publisher's goroutine: it must be
// quick, and must not publish on the same goroutine but through [Account.Publish].
type Callback func(*Message)

// Remote is a peer that has interest in an account's messages.
type Remote interface {
	// Name tells peers apart: each gets a message once.
	Name() string
}

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
