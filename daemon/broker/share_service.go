package broker

import (
	"slices"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// A service import is a subscription of the importing account that sends what it
// matches on to the exporting account, under the subject there, with a reply
// subject of the exporting account in place of the requestor's. Answers to that
// come back through the table of replies.

// serviceImport is a ServiceImport in use.
type serviceImport struct {
	ServiceImport
	acc, to *Account // who imports, and from whom; set by attach
	local   string
	out     *subject.Transform // subjects here to subjects there
	sub     *Subscription
}

// serviceExport is a ServiceExport in use.
type serviceExport struct{ ServiceExport }

var anyExport = &serviceExport{ServiceExport{Threshold: defaultThreshold}}

func newServiceImport(i ServiceImport) (*serviceImport, error) {
	im := &serviceImport{ServiceImport: i, local: i.Local}
	if im.local == "" {
		im.local = i.Subject
	}
	in, err := subject.NewReversible(i.Subject, localDestination(im.local))
	if err != nil {
		return nil, err
	}
	if im.out, err = in.Reverse(); err != nil {
		return nil, err
	}
	im.local = im.out.Source()
	return im, nil
}

// attach puts the import into effect for an account.
func (im *serviceImport) attach(a *Account) {
	im.acc, im.to = a, a.broker.Account(im.Account)
	if im.to == nil {
		return
	}
	im.to.shares.replies.open(im.to)
	im.sub = newSubscription(nil, asBytes(im.local), nil, nil)
	im.sub.kind = importKind(im.local)
	im.sub.more.Store(&subExtra{service: im})
	_, _ = a.index.Insert(im.sub) // the pattern is valid
}

// detach ends it. The account of the service may be asked until release is called.
func (im *serviceImport) detach() {
	if im.sub != nil {
		im.acc.index.Remove(im.sub)
	}
}

// release lets go of the account of the service.
func (im *serviceImport) release() {
	if im.sub != nil {
		im.to.shares.replies.close(im.to)
	}
}

// exportOf returns how a service of the account is exported.
func (a *Account) exportOf(s string) *serviceExport {
	if sh := a.shares.now.Load(); sh != nil {
		for _, e := range sh.exports {
			if subject.IsSubset(s, e.Subject) {
				return e
			}
		}
	}
	return anyExport
}

// ImportsService reports whether requests to a subject go to a service of another account.
func (a *Account) ImportsService(s string) bool {
	sh := a.shares.now.Load()
	return sh != nil && slices.ContainsFunc(sh.services, func(im *serviceImport) bool { return subject.IsSubset(s, im.local) })
}

// maxChain is through how many imports a request may go.
const maxChain = 16

// addService adds a service import to a plan.
func (s *sender) addService(p *plan, im *serviceImport) {
	if !s.leadsOn(im) {
		return
	}
	to := im.out.Apply(p.seen())
	st := &serviceStep{im: im, before: s.via, told: s.tellsBy(im), export: im.to.exportOf(to)}
	h := s.toService(st, s.asks(s.entry == Published))
	s.hidden = s.hidden && s.entry != Published
	h.granted = h.granted || p.denied // then the plan is for answers only
	st.plan = s.planInto(h, to)
	st.guard = s.guardOf(p, h.granted, st)
	st.class = im.to.shares.replies.class(st.export.Threshold)
	p.dependOn(im.to, st.plan)
	if s.entry == Published && s.hidden {
		s.hidden = false
		g := s.toService(st, AsMessage)
		g.granted = h.granted
		st.oneWay = s.planInto(g, to)
		p.dependOn(im.to, st.oneWay)
	}
	p.steps = append(p.steps, st)
}

// planInto is planOf for what enters an account by a hop: the account's mappings come first.
func (s *sender) planInto(h hop, to string) *plan {
	was := s.hop
	s.hop = h
	defer func() { s.hop = was }()
	ways := s.acc.waysFor(to)
	if len(ways) == 1 && ways[0].upto == 100 && !ways[0].to.Varies() {
		return s.planOf(ways[0].to.Apply(to))
	}
	if ways == nil {
		return s.planOf(to)
	}
	p := newPlan(to)
	p.stamp = s.acc.index.Stamp(p.shard)
	s.fillMapped(p, ways)
	return p
}
