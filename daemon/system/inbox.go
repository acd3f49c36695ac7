package system

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/broker"
)

// inboxes are the questions to other servers that wait for answers. All answers come
// below one pattern, so that asking needs no subscription.
type inboxes struct {
	prefix string // "$SYS._INBOX.<node>."

	mu   sync.Mutex // a leaf
	open map[string]chan []byte
}

// How many questions may be open, and how many answers may wait to be read.
const (
	maxInboxes   = 256
	inboxAnswers = 64
)

var errTooManyQuestions = errors.New("too many requests to other servers are open")

// add opens an inbox.
func (i *inboxes) add() (subject string, answers chan []byte, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.open) >= maxInboxes {
		return "", nil, errTooManyQuestions
	}
	if i.open == nil {
		i.open = make(map[string]chan []byte)
	}
	subject = i.prefix + string(random62(nil, 8))
	answers = make(chan []byte, inboxAnswers)
	i.open[subject] = answers
	return subject, answers, nil
}

func (i *inboxes) remove(subject string) {
	i.mu.Lock()
	delete(i.open, subject)
	i.mu.Unlock()
}

// receive takes an answer. It runs on the goroutine of who publishes it.
func (i *inboxes) receive(m *broker.Message) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if answers := i.open[string(m.Subject)]; answers != nil {
		select {
		case answers <- bytes.Clone(m.Payload):
		default: // more than anybody asked for
		}
	}
}

// Ask publishes a question in the system account, which other servers and clients may
// answer, and calls each with every answer until it returns false or ctx ends; then
// the error is that of ctx. It must not be called from a [Maker]. The content is as
// for a [Maker].
func (s *Service) Ask(ctx context.Context, subject string, content any, each func(answer []byte) (more bool)) error {
	inbox, answers, err := s.inboxes.add()
	if err != nil {
		return err
	}
	defer s.inboxes.remove(inbox)
	s.Publish(subject, inbox, func(ServerInfo) any { return content })
	for {
		select {
		case b := <-answers:
			if !each(b) {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stopping:
			return context.Canceled
		}
	}
}

func random62(b []byte, n int) []byte {
	for range n {
		b = append(b, digits[rand.IntN(len(digits))])
	}
	return b
}
