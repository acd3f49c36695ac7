package broker

import (
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/sublist"
)

// The types of an account's index.
type (
	index = sublist.Index[Subscription, fanout, *Subscription]
	node  = sublist.Node[Subscription, fanout]
	list  = sublist.List[Subscription, fanout]
)

// Subscription is one entry of an account's index: that of a client, of a part of
// the broker itself, or interest of a peer.
//
// It is kept small, since there may be a million of them: subject and sid lie in
// one string, in the form in which they go in front of each message.
type Subscription struct {
	line    string  // "HMSG <subject> <sid> "
	queue   *string // nil for none; shared by the connection's subscriptions
	client  *Client // whose it is; nil for other kinds
	more    atomic.Pointer[subExtra]
	count   atomic.Int64 // see delivered
	subject uint32       // length
	kind    uint8
}

// subExtra is what few subscriptions have.
type subExtra struct {
	max      int64        // messages after which it ends; 0 for none
	got      atomic.Int64 // messages delivered, counted one by one because of max
	filter   Permissions  // asked whether a message may reach it; nil for all
	answers  *answers     // told of requests; nil unless that allows to answer them
	callback Callback     // of an internal subscription
	capture  *capture     // set: it stages what it gets
	remote   Remote       // of a peer's interest
	origin   *string      // the cluster of leaf nodes that the interest is of; nil for none
	weight   atomic.Int32 // members of the queue group it stands for
	own      atomic.Int32 // those of them, or of plain ones, that do not import streams

	// Sharing between accounts.
	shadow  *shadow        // set: it delivers to another subscription
	service *serviceImport // set: it sends requests on to another account
}

const lineVerb = len("HMSG ")

func newSubscription(c *Client, subject, sid []byte, queue *string) *Subscription {
	return &Subscription{line: subscriptionLine(subject, sid), queue: queue, client: c, subject: uint32(len(subject))}
}

func subscriptionLine(subject, sid []byte) string {
	b := make([]byte, 0, lineVerb+len(subject)+1+len(sid)+1)
	b = append(b, "HMSG "...)
	b = append(b, subject...)
	b = append(b, ' ')
	b = append(b, sid...)
	b = append(b, ' ')
	return asString(b)
}

// Subject returns the pattern subscribed to.
func (s *Subscription) Subject() string { return s.line[lineVerb : lineVerb+int(s.subject)] }

// Queue returns the queue group, empty for none.
func (s *Subscription) Queue() string {
	if s.queue == nil {
		return ""
	}
	return *s.queue
}

// Kind is the class of receivers the subscription belongs to.
func (s *Subscription) Kind() uint8 { return s.kind }

// SID returns the id the client gave it.
func (s *Subscription) SID() string {
	return s.line[lineVerb+int(s.subject)+1 : len(s.line)-1]
}

// sidSpace returns the sid and the blank behind it, which go between subject and
// the rest of a frame.
func (s *Subscription) sidSpace() string { return s.line[lineVerb+int(s.subject)+1:] }

// simple reports whether messages can be passed on without looking at the
// subscription further.
func (s *Subscription) simple() bool { return s.more.Load() == nil }

// max returns after how many messages the subscription ends, 0 for never.
func (s *Subscription) max() int64 {
	if x := s.more.Load(); x != nil {
		return x.max
	}
	return 0
}

// started notes how many messages its node had seen when it joined.
func (s *Subscription) started(n *node) {
	if s.queue == nil {
		s.count.Store(-int64(n.Msgs.Load()))
	}
}

// delivered returns how many messages the subscription was given. Those of a plain
// one are the messages its node has seen since; a member of a queue group counts
// its own.
func (s *Subscription) delivered(x *index) int64 {
	if e := s.more.Load(); e != nil && e.max > 0 {
		return e.got.Load()
	}
	n := s.count.Load()
	if s.queue == nil {
		if at := x.Find(s.Subject()); at != nil {
			n += int64(at.Msgs.Load())
		} else {
			n = 0
		}
	}
	return max(n, 0)
}
