package service

import (
	"strings"

	"github.com/nats-broker/nats-broker/daemon/broker"
)

// Request is a message that came for a handler. It may be kept, and answered later from
// any goroutine.
type Request struct {
	Account *broker.Account
	Subject string
	Reply   string // empty: no answer is wanted, and none is sent
	Header  []byte // with "NATS/1.0" and the blank line; nil for none
	Body    []byte
	Client  *broker.Client // of this server, who asks; nil if it comes from another server or part

	service *Service
}

// Token returns the n-th token of the subject, counted from 0; empty if it has less.
func (r *Request) Token(n int) string {
	rest := r.Subject
	for ; n > 0; n-- {
		_, after, ok := strings.Cut(rest, ".")
		if !ok {
			return ""
		}
		rest = after
	}
	token, _, _ := strings.Cut(rest, ".")
	return token
}

// Answer sends what m makes to who asked. It waits for room in the outbox, until the
// service stops.
func (r *Request) Answer(m Maker) {
	if r.Reply != "" {
		r.service.Put(Message{Account: r.Account, Subject: r.Reply, Make: m})
	}
}

// request copies a message, whose memory is not ours.
func (s *Service) request(m *broker.Message) *Request {
	r := &Request{Account: m.Account, Subject: string(m.Subject), Reply: string(m.Reply), Client: m.Client, service: s}
	if n := len(m.Header) + len(m.Payload); n > 0 {
		b := make([]byte, 0, n)
		b = append(append(b, m.Header...), m.Payload...)
		r.Body = b[len(m.Header):]
		if len(m.Header) > 0 {
			r.Header = b[:len(m.Header):len(m.Header)]
		}
	}
	return r
}

func (r *Request) size() int64 { return int64(len(r.Header) + len(r.Body) + len(r.Subject)) }
