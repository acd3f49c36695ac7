package service

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/nats-broker/nats-broker/daemon/broker"
)

// Inboxes are the questions that wait for answers. The answers to all of them come below
// one pattern, which other servers are told of, so that asking needs no subscription but
// the first time in an account.
type Inboxes struct {
	broker *broker.Broker
	prefix string // through its last dot
	slots  chan struct{}

	mu    sync.Mutex // a leaf
	open  map[string]*Inbox
	heard map[*broker.Account]*hearing
	ended chan struct{}
}

// hearing is the subscription to all inboxes in an account.
type hearing struct {
	once sync.Once
	sub  *broker.InternalSubscription
	err  error
}

// NewInboxes makes inboxes of which most may be open at a time. Their names begin with a
// prefix, which ends in a dot and which nobody else uses.
func NewInboxes(b *broker.Broker, prefix string, most int) *Inboxes {
	return &Inboxes{broker: b, prefix: prefix, slots: make(chan struct{}, most), open: make(map[string]*Inbox),
		heard: make(map[*broker.Account]*hearing), ended: make(chan struct{})}
}

// Answer is an answer to a question. It may be kept.
type Answer struct{ Header, Body []byte }

// Inbox is where the answers to one question come.
type Inbox struct {
	Subject string
	of      *Inboxes
	answers chan Answer
}

// ErrBusy means that too many questions are open.
var ErrBusy = errors.New("too many requests to other servers are open")

// ErrEnded means that nothing is waited for any more.
var ErrEnded = fmt.Errorf("inboxes are closed: %w", context.Canceled)

// Listen makes ready for answers in an account, which Open does otherwise.
func (i *Inboxes) Listen(a *broker.Account) error {
	i.mu.Lock()
	select {
	case <-i.ended:
		i.mu.Unlock()
		return ErrEnded
	default:
	}
	h := i.heard[a]
	if h == nil {
		h = &hearing{}
		i.forgetRemoved()
		i.heard[a] = h
	}
	i.mu.Unlock()
	h.once.Do(func() { h.sub, h.err = a.SubscribeService(i.prefix+"*", "", i.receive) })
	return h.err
}

// forgetRemoved lets go of accounts that are there no more. The lock is held.
func (i *Inboxes) forgetRemoved() {
	for a := range i.heard {
		if i.broker.Account(a.Name()) != a {
			delete(i.heard, a)
		}
	}
}

// Leave ends what Listen has begun.
func (i *Inboxes) Leave(a *broker.Account) {
	i.mu.Lock()
	h := i.heard[a]
	delete(i.heard, a)
	i.mu.Unlock()
	if h != nil {
		h.leave()
	}
}

func (h *hearing) leave() {
	h.once.Do(func() { h.err = ErrEnded })
	if h.sub != nil {
		h.sub.Unsubscribe()
	}
}

// Close ends all inboxes. Who waits for answers gets ErrEnded.
func (i *Inboxes) Close() {
	i.mu.Lock()
	select {
	case <-i.ended:
	default:
		close(i.ended)
	}
	all := i.heard
	i.heard = make(map[*broker.Account]*hearing)
	i.mu.Unlock()
	for _, h := range all {
		h.leave()
	}
}

// Open opens an inbox in an account, with room for so many answers that wait to be read;
// more are dropped. If too many are open, it waits until ctx ends for another one to be
// closed. The caller closes the inbox.
func (i *Inboxes) Open(ctx context.Context, a *broker.Account, answers int) (*Inbox, error) {
	select {
	case i.slots <- struct{}{}:
		return i.add(a, answers)
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-i.ended:
		return nil, ErrEnded
	}
}

// TryOpen is Open that does not wait: it fails with ErrBusy if too many are open.
func (i *Inboxes) TryOpen(a *broker.Account, answers int) (*Inbox, error) {
	select {
	case i.slots <- struct{}{}:
		return i.add(a, answers)
	default:
		return nil, ErrBusy
	}
}

// add opens an inbox, for which there is a slot.
func (i *Inboxes) add(a *broker.Account, answers int) (*Inbox, error) {
	in := &Inbox{Subject: i.prefix + rand.Text(), of: i, answers: make(chan Answer, answers)}
	i.mu.Lock()
	i.open[strings.TrimPrefix(in.Subject, i.prefix)] = in
	i.mu.Unlock()
	if err := i.Listen(a); err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// Close closes the inbox.
func (in *Inbox) Close() {
	i := in.of
	name := strings.TrimPrefix(in.Subject, i.prefix)
	i.mu.Lock()
	_, was := i.open[name]
	delete(i.open, name)
	i.mu.Unlock()
	if was {
		<-i.slots
	}
}

// Next waits for the next answer, until ctx ends.
func (in *Inbox) Next(ctx context.Context) (Answer, error) {
	select {
	case a := <-in.answers:
		return a, nil
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	case <-in.of.ended:
		return Answer{}, ErrEnded
	}
}

// receive takes an answer. It runs on the goroutine of who publishes it: it copies and is
// gone. Whatever nobody waits for is dropped.
func (i *Inboxes) receive(m *broker.Message) {
	if len(m.Subject) <= len(i.prefix) {
		return
	}
	i.mu.Lock()
	in := i.open[string(m.Subject[len(i.prefix):])]
	i.mu.Unlock()
	if in == nil {
		return
	}
	select {
	case in.answers <- Answer{bytes.Clone(m.Header), bytes.Clone(m.Payload)}:
	default: // more than anybody asked for
	}
}

// Ask publishes a question and waits for the answer that comes first. It waits for its
// turn if too many questions are open.
func (i *Inboxes) Ask(ctx context.Context, a *broker.Account, subject string, header, body []byte) (Answer, error) {
	in, err := i.Open(ctx, a, 1)
	if err != nil {
		return Answer{}, err
	}
	defer in.Close()
	a.Publish(subject, in.Subject, header, body)
	return in.Next(ctx)
}
