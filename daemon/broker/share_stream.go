package broker

import (
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// A stream import works by shadows: each subscription of a client that can match
// the import's local subjects has a second one, in the account that exports, which
// delivers to the same client and sid under the local subject. So the exporting
// account's plans, queue groups and interest of peers need to know nothing of
// imports, and a message of the import costs what any message costs.

// streamImport is a StreamImport in use.
type streamImport struct {
	StreamImport
	from  *Account           // set when the import is put into effect
	local string             // the local pattern
	in    *subject.Transform // subjects there to subjects here
	out   *subject.Transform // the way back
}

func newStreamImport(i StreamImport) (*streamImport, error) {
	im := &streamImport{StreamImport: i, local: i.Local}
	if im.local == "" {
		im.local = i.Subject
	}
	var err error
	if im.in, err = subject.NewReversible(i.Subject, localDestination(im.local)); err != nil {
		return nil, err
	}
	if im.out, err = im.in.Reverse(); err != nil {
		return nil, err
	}
	im.local = im.out.Source()
	return im, nil
}

// localDestination is the destination of a transform to a local pattern, which may
// have its wildcards written as such or numbered.
func localDestination(local string) string { return subject.Placeholders(local) }

// same reports whether subjects are the same here and there.
func (im *streamImport) same() bool { return im.local == im.Subject }

// shadow is what makes a subscription a shadow.
type shadow struct {
	of *Subscription // the client's own, or a capture
	im *streamImport
}

// shadow returns what s is a shadow of, nil if it is none.
func (s *Subscription) shadow() *shadow {
	if x := s.more.Load(); x != nil {
		return x.shadow
	}
	return nil
}

// castShadows adds the shadows of a client's new subscription. The client's lock
// is held.
func (a *Account) castShadows(sub *Subscription) {
	sh := a.shares.now.Load()
	if sh == nil || len(sh.streams) == 0 {
		return
	}
	a.shares.mu.Lock()
	defer a.shares.mu.Unlock()
	a.castShadowsOf(sh, sub)
}

func (a *Account) castShadowsOf(sh *sharing, sub *Subscription) {
	for _, im := range sh.streams {
		both, ok := subject.Intersect(sub.Subject(), im.local)
		if !ok || im.from == nil {
			continue
		}
		s := newSubscription(sub.client, asBytes(im.out.Apply(both)), asBytes(sub.SID()), sub.queue)
		s.kind = kindShadow
		s.more.Store(&subExtra{shadow: &shadow{of: sub, im: im}})
		n, err := im.from.index.Insert(s)
		if err != nil {
			continue // cannot be: the parts are valid patterns
		}
		s.started(n)
		if a.shares.shadows == nil {
			a.shares.shadows = make(map[*Subscription][]*Subscription)
		}
		a.shares.shadows[sub] = append(a.shares.shadows[sub], s)
	}
}

// dropShadows removes the shadows of a subscription that ends.
func (a *Account) dropShadows(sub *Subscription) {
	if a.shares.now.Load() == nil {
		return
	}
	a.shares.mu.Lock()
	defer a.shares.mu.Unlock()
	for _, s := range a.shares.shadows[sub] {
		s.shadow().im.from.index.Remove(s)
	}
	delete(a.shares.shadows, sub)
}

// touchShadows outdates the plans that lead to a subscription's shadows.
func (a *Account) touchShadows(sub *Subscription) {
	if a.shares.now.Load() == nil {
		return
	}
	a.shares.mu.Lock()
	defer a.shares.mu.Unlock()
	for _, s := range a.shares.shadows[sub] {
		s.shadow().im.from.index.Touch(s.Subject())
	}
}

// recastShadows makes all shadows anew, after imports have changed.
func (a *Account) recastShadows() {
	a.shares.mu.Lock()
	for _, list := range a.shares.shadows {
		for _, s := range list {
			s.shadow().im.from.index.Remove(s)
		}
	}
	a.shares.shadows = nil
	a.shares.mu.Unlock()
	sh := a.shares.now.Load()
	if sh == nil || len(sh.streams) == 0 {
		return
	}
	a.mu.Lock()
	clients := make([]*Client, 0, len(a.clients))
	for _, c := range a.clients {
		clients = append(clients, c)
	}
	a.mu.Unlock()
	a.recastCaptures(sh)
	for _, c := range clients {
		c.mu.Lock()
		if c.acc == a {
			a.shares.mu.Lock()
			c.subs.all(func(s *Subscription) bool {
				if len(a.shares.shadows[s]) == 0 {
					a.castShadowsOf(sh, s)
				}
				return true
			})
			a.shares.mu.Unlock()
		}
		c.mu.Unlock()
	}
}

// renamed is a receiver that gets the message under another subject.
type renamed struct {
	sub     *Subscription
	subject string
}

// addShadow adds the receiver behind a shadow to a plan.
func (s *sender) addShadow(p *plan, sub *Subscription) {
	if sub.client != nil && sub.client == s.self && !s.echo && s.trail == nil {
		return
	}
	r := renamed{sub, sub.shadow().im.in.Apply(p.seen())}
	if sub.client == nil {
		p.steps = append(p.steps, &capturedShadow{sub.shadow().of.more.Load().capture, sub.shadow().im, r.subject})
		return
	}
	p.renamed = append(p.renamed, r)
}

// toShadow gives a message to the receiver behind a shadow, under the subject there. What
// the account was told of who published it, by an import of a service, is for the account.
func (s *sender) toShadow(sub *Subscription, as string, f *proto.Frame) bool {
	if f.Shown != nil && sub.shadow().im.same() {
		as = asString(f.Shown)
	}
	if t := s.trail; t != nil {
		if !s.listen(sub, as) {
			return true
		}
		if !sub.shadow().im.AllowTrace {
			s.trail = nil
			defer func() { s.trail = t }()
		}
	}
	if s.entry != AsMessage || f.Hdr <= 0 {
		return s.to(sub, asBytes(as), f)
	}
	was, foreign := *f, s.foreign
	s.nest().dropInfo(f)
	s.foreign = true
	delivered := s.to(sub, asBytes(as), f)
	*f, s.foreign = was, foreign
	return delivered
}
