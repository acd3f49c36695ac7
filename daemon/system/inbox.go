package system

import (
	"context"
	"math/rand/v2"

	"github.com/nats-broker/nats-broker/daemon/service"
)

// How many questions may be open, and how many answers may wait to be read.
const (
	maxInboxes   = 256
	inboxAnswers = 64
)

// Ask publishes a question in the system account, which other servers and clients may
// answer, and calls each with every answer until it returns false or ctx ends; then
// the error is that of ctx. It must not be called from a [Maker]. The content is as
// for a [Maker].
func (s *Service) Ask(ctx context.Context, subject string, content any, each func(answer []byte) (more bool)) error {
	a := s.in.Load()
	if a == nil {
		return context.Canceled
	}
	inbox, err := s.inboxes.TryOpen(a, inboxAnswers)
	if err != nil {
		return err
	}
	defer inbox.Close()
	s.Publish(subject, inbox.Subject, func(ServerInfo) any { return content })
	return answers(ctx, inbox, each)
}

// AskOthers is Ask for what is not for parts of this server. It waits for its turn if too
// many questions are open.
func (s *Service) AskOthers(ctx context.Context, subject string, body []byte, each func(answer []byte) (more bool)) error {
	a := s.in.Load()
	if a == nil {
		return context.Canceled
	}
	inbox, err := s.inboxes.Open(ctx, a, inboxAnswers)
	if err != nil {
		return err
	}
	defer inbox.Close()
	a.PublishOut(subject, inbox.Subject, nil, body)
	return answers(ctx, inbox, each)
}

// answers calls each with the answers that come.
func answers(ctx context.Context, inbox *service.Inbox, each func(answer []byte) (more bool)) error {
	for {
		answer, err := inbox.Next(ctx)
		if err != nil {
			return err
		}
		if !each(answer.Body) {
			return nil
		}
	}
}

func random62(b []byte, n int) []byte {
	for range n {
		b = append(b, digits[rand.IntN(len(digits))])
	}
	return b
}
