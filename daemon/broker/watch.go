package broker

import "github.com/nats-broker/nats-broker/daemon/proto"

// LookOn has f called for what goes through the account on a pattern, wherever it comes from, without anybody noticing:
// other servers are not told, and who looks on is nobody who would receive a message, so that a request nobody else
// answers is answered by "no responders" all the same, and what is published only if somebody wants it is not. f runs on
// the publisher's goroutine, on many at the same time, and must be quick and wait for nothing.
//
// While nobody looks on there is nothing of it in any plan. While somebody does, the plans of the subjects that match
// have one more step.
func (a *Account) LookOn(pattern string, f Callback) (*InternalSubscription, error) {
	return a.subscribeInternal(kindWatch, pattern, "", f)
}

// watchStep shows messages to somebody who looks on.
type watchStep struct{ sub *Subscription }

func (w watchStep) deliver(s *sender, subject []byte, f *proto.Frame) bool {
	w.sub.more.Load().callback(s.message(s.acc, subject, f))
	return false
}
