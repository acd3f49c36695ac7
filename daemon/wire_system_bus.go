package daemon

import (
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

// HandleNews registers a handler for a while.
func (b systemBus) HandleNews(subject string, f func(*resolver.Request)) (end func(), err error) {
	err = b.service.HandleIn(system.News, subject, func(r *system.Request) { f(requestOf(r)) })
	return func() { b.service.Unhandle(subject) }, err
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
