package broker

import (
	"github.com/nats-broker/nats-broker/daemon/subject"
	"github.com/nats-broker/nats-broker/daemon/sublist"
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
	im.sub.kind = kindInternal
	im.sub.more.Store(&subExtra{service: im})
	_, _ = a.index.Insert(im.sub) // the pattern is valid
}

func (im *serviceImport) detach() {
	if im.sub != nil {
		im.acc.index.Remove(im.sub)
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

// maxChain is through how many imports a request may go.
const maxChain = 16

// addService adds a service import to a plan.
func (s *sender) addService(p *plan, im *serviceImport) {
	if s.routed || s.depth >= maxChain {
		return // a peer's request has been through its own server's imports
	}
	s.depth++
	to := im.out.Apply(p.seen())
	st := &serviceStep{im: im, plan: s.mappedPlanOf(im.to, to), export: im.to.exportOf(to)}
	s.depth--
	st.class = im.to.shares.replies.class(st.export.Threshold)
	if s.self != nil {
		st.told = s.tells(im.Share)
	}
	p.dependOn(im.to, st.plan)
	p.steps = append(p.steps, st)
}

// mappedPlanOf is planOf for what enters the account from another, whose mappings
// come first.
func (s *sender) mappedPlanOf(a *Account, to string) *plan {
	ways := a.waysFor(to)
	if len(ways) == 1 && ways[0].upto == 100 && !ways[0].to.Varies() {
		return s.planOf(a, ways[0].to.Apply(to))
	}
	if ways == nil {
		return s.planOf(a, to)
	}
	p := &plan{subject: to, hash: sublist.Hash(asBytes(to)), shard: sublist.ShardOf(asBytes(to))}
	acc := s.acc
	s.acc = a
	p.stamp = a.index.Stamp(p.shard)
	s.fillMapped(p, ways)
	s.acc = acc
	return p
}
