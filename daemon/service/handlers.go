package service

import (
	"fmt"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/broker"
)

// Scope says whose messages a handler is for.
type Scope int

const (
	Everybody Scope = iota // those of clients here and on other servers, which are told of the interest
	Here                   // those that are published here: other servers are not told
	Elsewhere              // those that come from other servers
)

// Handler says who handles what.
type Handler struct {
	Pattern string
	Queue   string // empty: none
	Lane    int    // of the service
	Scope   Scope

	// Do handles a request, on a worker of its lane: what it waits for holds up those
	// behind it.
	Do func(*Request)
}

// Handlers are a service's handlers in one account, or in none.
type Handlers struct {
	service *Service

	// mu lets one change of what is subscribed happen at a time. It comes before the locks
	// of the broker, and is never taken on its goroutines.
	mu   sync.Mutex
	in   *broker.Account
	list []*placed
}

// placed is a handler, and its subscription while the handlers are in an account.
type placed struct {
	Handler
	sub *broker.InternalSubscription
}

// In makes handlers for an account, none so far; nil: they are in no account before
// [Handlers.Move].
func (s *Service) In(a *broker.Account) *Handlers { return &Handlers{service: s, in: a} }

// Account returns where the handlers are.
func (h *Handlers) Account() *broker.Account {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.in
}

// Add adds a handler.
func (h *Handlers) Add(one Handler) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &placed{Handler: one}
	if h.in != nil {
		if err := h.subscribe(p); err != nil {
			return err
		}
	}
	h.list = append(h.list, p)
	return nil
}

// Remove ends all handlers of a pattern. One may still be at work.
func (h *Handlers) Remove(pattern string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := h.list[:0:0]
	for _, p := range h.list {
		if p.Pattern == pattern {
			p.end()
		} else {
			kept = append(kept, p)
		}
	}
	h.list = kept
}

// Move has the handlers be in an account, and not where they were; nil: in none. If a
// handler cannot be there, the error says so, and those before it are.
func (h *Handlers) Move(to *broker.Account) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if to == h.in {
		return nil
	}
	for _, p := range h.list {
		p.end()
	}
	h.in = to
	if to == nil {
		return nil
	}
	for _, p := range h.list {
		if err := h.subscribe(p); err != nil {
			return err
		}
	}
	return nil
}

func (p *placed) end() {
	if p.sub != nil {
		p.sub.Unsubscribe()
		p.sub = nil
	}
}

// subscribe subscribes for a handler. The lock is held.
func (h *Handlers) subscribe(p *placed) (err error) {
	s := h.service
	l, do := s.lanes[p.Lane], p.Do
	receive := func(m *broker.Message) { l.put(job{s.request(m), do}) }
	switch p.Scope {
	case Here:
		p.sub, err = h.in.SubscribeInternal(p.Pattern, p.Queue, receive)
	case Elsewhere:
		p.sub, err = h.in.SubscribeRemote(p.Pattern, receive)
	default:
		p.sub, err = h.in.SubscribeService(p.Pattern, p.Queue, receive)
	}
	if err != nil {
		return fmt.Errorf("subscribing to %q: %w", p.Pattern, err)
	}
	return nil
}
