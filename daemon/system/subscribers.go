package system

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

const (
	debugSubscribers = "$SYS.DEBUG.SUBSCRIBERS" // by clients
	countSubscribers = "$SYS.REQ.ACCOUNT.NSUBS" // by other servers
)

// subscribersQuery is what servers ask each other. Queue is base64 in JSON.
type subscribersQuery struct {
	Account string `json:"acc"`
	Subject string `json:"subject"`
	Queue   []byte `json:"queue,omitempty"`
}

// othersTime is how long other servers have to say how many subscribers they have.
const othersTime = 500 * time.Millisecond

// debugSubscribers answers how many subscribers a subject has in the account of who
// asks, over all servers, as a number. The body is the subject, or a pattern of which
// those within it are counted, and perhaps a queue group behind a blank.
func (s *Service) debugSubscribers(r *Request) {
	if r.Client == nil || r.Reply == "" {
		return
	}
	a := s.broker.Account(r.Client.Info(false).Account)
	if a == nil {
		return
	}
	text, queue, _ := strings.Cut(strings.TrimSpace(string(r.Body)), " ")
	queue, _, _ = strings.Cut(queue, " ")
	var n atomic.Int64
	n.Store(int64(a.Subscribers(text, queue)))
	others := s.servers.with(a.Name())
	if others == 0 {
		s.answerCount(r, n.Load())
		return
	}
	q := subscribersQuery{Account: a.Name(), Subject: text}
	if queue != "" {
		q.Queue = []byte(queue)
	}
	s.aside.Go(func() { // ends after othersTime, or with the service
		ctx, cancel := context.WithTimeout(context.Background(), othersTime)
		defer cancel()
		_ = s.Ask(ctx, countSubscribers, q, func(answer []byte) bool { // who does not answer in time is not counted
			if k, err := strconv.ParseInt(string(answer), 10, 32); err == nil {
				n.Add(k)
			}
			others--
			return others > 0
		})
		s.answerCount(r, n.Load())
	})
}

func (s *Service) answerCount(r *Request, n int64) {
	r.Answer(func(ServerInfo) any { return strconv.FormatInt(n, 10) })
}

// countSubscribers answers another server how many subscribers there are here.
func (s *Service) countSubscribers(r *Request) {
	var q subscribersQuery
	if err := json.Unmarshal(r.Body, &q); err != nil {
		s.log.Error(fmt.Sprintf("SYSTEM - Error unmarshalling account nsubs request message: %v", err), logging.Err(err))
		return
	}
	a := s.local(q.Account)
	if a == nil || a.Clients() == 0 {
		return
	}
	s.answerCount(r, int64(a.Subscribers(q.Subject, string(q.Queue))))
}

// local returns the account of a name; nil if it is not here.
func (s *Service) local(name string) *broker.Account {
	if name == "" {
		return nil
	}
	return s.broker.Account(name)
}
