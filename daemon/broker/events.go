package broker

import "github.com/nats-broker/nats-broker/daemon/subject"

// Observer is told of connections that come and go, by the goroutines that serve them:
// it must be quick, and must not wait for anything. No lock is held meanwhile.
type Observer interface {
	// Joined is told of a connection whose CONNECT was accepted.
	Joined(c *Client)
	// Left is told of a connection that ends. The description must not be changed.
	Left(c *Client, d *ConnInfo)
	// Refused is told of a connection that may not be here, before it ends.
	Refused(c *Client, why Reason)
	// Counted is told of an account whose number of connections has changed.
	Counted(a *Account)
}

// Observe has an observer told from now on, beside others, until stop is called. It may
// be told of a few things afterwards, which are on their way by then.
func (b *Broker) Observe(o Observer) (stop func()) {
	w := &observing{o}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.setObservers(append(b.observers(), w))
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		var kept []*observing
		for _, other := range b.observers() {
			if other != w {
				kept = append(kept, other)
			}
		}
		b.setObservers(kept)
	}
}

// observing is one observer, so often as it observes.
type observing struct{ Observer }

func (b *Broker) setObservers(list []*observing) {
	list = append([]*observing(nil), list...)
	b.observer.Store(&list)
}

// observers returns those who are to be told. The list is never changed.
func (b *Broker) observers() []*observing {
	if l := b.observer.Load(); l != nil {
		return *l
	}
	return nil
}

func (a *Account) tellCount() {
	for _, o := range a.broker.observers() {
		o.Counted(a)
	}
}

func (c *Client) tellRefused(why Reason) {
	for _, o := range c.broker.observers() {
		o.Refused(c, why)
	}
}

// AccountObserver is told of accounts that come and go, each in order, by whoever adds or
// removes them. It may use the account, but must not add or remove any.
type AccountObserver interface {
	Came(a *Account)
	Went(a *Account) // it is known to nobody any more, and its connections are about to end
}

// ObserveAccounts has an observer told of the accounts that there are, and from then on of
// those that come and go, until stop is called.
func (b *Broker) ObserveAccounts(o AccountObserver) (stop func()) {
	w := &accountObserving{o}
	b.coming.Lock()
	defer b.coming.Unlock()
	for _, a := range b.Accounts() {
		o.Came(a)
	}
	b.accountObservers = append(b.accountObservers, w)
	return func() {
		b.coming.Lock()
		defer b.coming.Unlock()
		var kept []*accountObserving
		for _, other := range b.accountObservers {
			if other != w {
				kept = append(kept, other)
			}
		}
		b.accountObservers = kept
	}
}

type accountObserving struct{ AccountObserver }

// accountCame tells of an account that is new. The lock of those who add accounts is held.
func (b *Broker) accountCame(a *Account) {
	for _, o := range b.accountObservers {
		o.Came(a)
	}
}

func (b *Broker) accountWent(a *Account) {
	for _, o := range b.accountObservers {
		o.Went(a)
	}
}

// interestWatches are who wants to know whether anybody would receive what is published
// on some subject, by the first two tokens of that: an account may have very many, below
// different inboxes. The index' lock of writers guards it.
type interestWatches struct {
	byHead map[string]map[*interestWatch]struct{}
	notice func() // ends the index' notices; nil while nobody watches
}

type interestWatch struct {
	subject string
	named   bool   // only those count who name the subject
	queue   string // of those, the members of this group; "": of none
	f       func(interested bool)
	was     bool
}

func (w *interestWatch) now(a *Account) bool {
	if w.named {
		return a.Named(w.subject, w.queue)
	}
	return a.Interested(w.subject)
}

// WatchInterest has f called whenever interest in a literal subject comes or goes, as
// [Account.Interested] tells it, until stop is called; once at the beginning, with what is
// so by then. f must be quick, and must not subscribe, unsubscribe, or watch.
func (a *Account) WatchInterest(subject string, f func(interested bool)) (stop func()) {
	return a.watchInterest(&interestWatch{subject: subject, f: f})
}

// WatchNamed is WatchInterest of those alone who have subscribed to the subject itself, as [Account.Named] tells it.
func (a *Account) WatchNamed(subject, queue string, f func(interested bool)) (stop func()) {
	return a.watchInterest(&interestWatch{subject: subject, queue: queue, named: true, f: f})
}

func (a *Account) watchInterest(w *interestWatch) (stop func()) {
	head, f := headOf(w.subject), w.f
	t := &a.interest
	a.interestMu.Lock()
	defer a.interestMu.Unlock()
	if t.notice == nil {
		t.notice = a.index.Notice(a.interestChanged)
	}
	a.index.Settled(func() {
		if t.byHead == nil {
			t.byHead = make(map[string]map[*interestWatch]struct{})
		}
		if t.byHead[head] == nil {
			t.byHead[head] = make(map[*interestWatch]struct{})
		}
		t.byHead[head][w] = struct{}{}
		w.was = w.now(a)
		f(w.was)
	})
	return func() { a.unwatchInterest(head, w) }
}

func (a *Account) unwatchInterest(head string, w *interestWatch) {
	t := &a.interest
	a.interestMu.Lock()
	defer a.interestMu.Unlock()
	last := false
	a.index.Settled(func() {
		delete(t.byHead[head], w)
		if len(t.byHead[head]) == 0 {
			delete(t.byHead, head)
		}
		last = len(t.byHead) == 0
	})
	if last && t.notice != nil {
		t.notice()
		t.notice = nil
	}
}

// interestChanged looks at the subjects that a pattern may match. It runs under the lock of
// the index' writers.
func (a *Account) interestChanged(pattern string) {
	if head := headOf(pattern); subject.IsLiteral(head) && head != "" {
		a.lookAgain(a.interest.byHead[head], pattern)
		return
	}
	for _, some := range a.interest.byHead {
		a.lookAgain(some, pattern)
	}
}

func (a *Account) lookAgain(some map[*interestWatch]struct{}, pattern string) {
	for w := range some {
		if !subject.Matches(pattern, w.subject) {
			continue
		}
		if now := w.now(a); now != w.was {
			w.was = now
			w.f(now)
		}
	}
}

// headOf returns the first two tokens of a subject or pattern.
func headOf(s string) string {
	first, rest, more := subject.Next(s)
	if !more {
		return s
	}
	second, _, _ := subject.Next(rest)
	return s[:len(first)+1+len(second)]
}
