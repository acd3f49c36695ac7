package daemon

import (
	"context"
	"crypto/rand"

	"github.com/nats-broker/nats-broker/daemon/resolver"
	"github.com/nats-broker/nats-broker/daemon/system"
)

// systemBus is the system account for the account resolver.
type systemBus struct {
	service *system.Service
	peers   func() int
}

// requestOf translates a request.
func requestOf(r *system.Request) *resolver.Request {
	return &resolver.Request{
		Subject: r.Subject, Reply: r.Reply, Body: r.Body,
		Answer: func(body []byte) { r.Answer(func(system.ServerInfo) any { return body }) },
		Respond: func(data, failure any) {
			r.Answer(func(si system.ServerInfo) any {
				return struct {
					Server *system.ServerInfo `json:"server"`
					Data   any                `json:"data,omitempty"`
					Error  any                `json:"error,omitempty"`
				}{&si, data, failure}
			})
		},
	}
}

// Handle registers a handler.
func (b systemBus) Handle(pattern, queue string, f func(*resolver.Request)) error {
	return b.service.HandleGroup(pattern, queue, func(r *system.Request) { f(requestOf(r)) })
}

// Ask asks other servers.
func (b systemBus) Ask(ctx context.Context, subject string, body []byte, each func(answer []byte) (more bool)) error {
	return b.service.AskOthers(ctx, subject, body, each)
}

// Publish sends a message to other servers.
func (b systemBus) Publish(subject, reply string, body []byte) {
	if a := b.service.Account(); a != nil {
		a.PublishOut(subject, reply, nil, body)
	}
}

// Inbox makes a subject for answers.
func (b systemBus) Inbox() string { return "$SYS._INBOX." + rand.Text() }

// Peers is how many other servers there are routes to.
func (b systemBus) Peers() int { return b.peers() }
