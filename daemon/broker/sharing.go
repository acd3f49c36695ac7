package broker

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// AccountOptions say what an account shares with others and how it renames
// subjects. Imports name accounts of the same set.
type AccountOptions struct {
	Name     string
	Limits   AccountLimits
	Exports  []ServiceExport // services only: a stream needs nothing of its exporter
	Streams  []StreamImport
	Services []ServiceImport
	Mappings []Mapping
	Trace    Tracing
}

// ServiceExport is how requests to a subject are answered.
type ServiceExport struct {
	Subject string
	// Streamed lets a request have any number of answers until the threshold is
	// over; otherwise it has one.
	Streamed  bool
	Threshold time.Duration // for the answer; 0: two minutes
	Latency   *LatencySampling
	// AllowTrace lets reports of a request's way tell what happens in the exporting account.
	AllowTrace bool
}

// LatencySampling publishes how long requests to a service take.
type LatencySampling struct {
	Subject string // in the exporting account
	Percent int    // of requests; 0: those whose header asks for it
}

// defaultThreshold is how long an answer may take (nats-server 2.15.3).
const defaultThreshold = 2 * time.Minute

// StreamImport makes messages of another account visible under a local pattern.
type StreamImport struct {
	Account string // where they come from
	Subject string // there
	Local   string // here; empty: as there
	// AllowTrace lets reports of a message's way tell who gets it here.
	AllowTrace bool
}

// ServiceImport sends requests on a local pattern to another account.
type ServiceImport struct {
	Account string
	Subject string
	Local   string
	Share   bool // the service learns who asks
}

// sharing is what an account shares, as it is used: immutable but for what its
// parts protect themselves.
type sharing struct {
	options  AccountOptions
	streams  []*streamImport
	services []*serviceImport
	exports  []*serviceExport
	mappings []*mapping
}

// shares is the part of an account that sharing adds.
type shares struct {
	now atomic.Pointer[sharing] // nil: nothing is shared

	mu       sync.Mutex // after Account.mu and Client.mu, before an index
	shadows  map[*Subscription][]*Subscription
	captures map[*Subscription]struct{}

	replies replyTable
	waiting waiting // for answers of other accounts' services

	measured held[time.Time] // when requests came that other servers measure
	halved   held[*sample]   // answered on other servers, which have not told their half yet

	mapMu    sync.Mutex // held while those who watch are told
	mapWatch map[*mapWatch]struct{}
}

// PrepareAccounts checks what accounts are to be and returns what makes them so:
// new ones are added, and of the others only those touched whose options differ.
// Accounts that are not in the list stay: see [Broker.RemoveAccount]. Nothing
// changes before commit is called; it cannot fail. It closes connections beyond limits that
// are lower than they were.
func (b *Broker) PrepareAccounts(list []AccountOptions) (commit func(), err error) {
	next := make(map[string]*sharing, len(list))
	for _, o := range list {
		if !subject.FitsLine(strings.ReplaceAll(o.Name, " ", "")) { // with blanks there is no cluster
			return nil, fmt.Errorf("account %q: the name holds white space", o.Name)
		}
		if _, twice := next[o.Name]; twice {
			return nil, fmt.Errorf("account %q is defined twice", o.Name)
		}
		next[o.Name] = &sharing{options: o}
	}
	for _, sh := range next {
		if err := sh.prepare(func(name string) bool { return next[name] != nil }); err != nil {
			return nil, fmt.Errorf("account %q: %w", sh.options.Name, err)
		}
	}
	return func() {
		for _, a := range b.commitAccounts(next) {
			a.CloseExcess()
		}
	}, nil
}

// prepare makes the parts of one account. Imports may be from accounts that are known.
func (sh *sharing) prepare(known func(name string) bool) error {
	o := &sh.options
	for _, e := range o.Exports {
		if !subject.ValidStrict(e.Subject, false) {
			return fmt.Errorf("service export %q: invalid subject", e.Subject)
		}
		if l := e.Latency; l != nil && (!subject.ValidStrict(l.Subject, false) || !subject.IsLiteral(l.Subject)) {
			return fmt.Errorf("service export %q: invalid subject of latency samples %q", e.Subject, l.Subject)
		}
		if e.Threshold <= 0 {
			e.Threshold = defaultThreshold
		}
		sh.exports = append(sh.exports, &serviceExport{ServiceExport: e})
	}
	for _, i := range o.Streams {
		if !known(i.Account) {
			return fmt.Errorf("stream import of %q: account %q is not known", i.Subject, i.Account)
		}
		im, err := newStreamImport(i)
		if err != nil {
			return fmt.Errorf("stream import of %q: %w", i.Subject, err)
		}
		sh.streams = append(sh.streams, im)
	}
	for _, i := range o.Services {
		if !known(i.Account) {
			return fmt.Errorf("service import of %q: account %q is not known", i.Subject, i.Account)
		}
		im, err := newServiceImport(i)
		if err != nil {
			return fmt.Errorf("service import of %q: %w", i.Subject, err)
		}
		sh.services = append(sh.services, im)
	}
	for _, m := range o.Mappings {
		made, err := newMapping(m)
		if err != nil {
			return fmt.Errorf("mapping of %q: %w", m.Source, err)
		}
		sh.mappings = append(sh.mappings, made)
	}
	return nil
}

// commitAccounts puts prepared accounts into effect. It returns those that may have fewer
// connections or subscriptions than before.
func (b *Broker) commitAccounts(next map[string]*sharing) (lowered []*Account) {
	for name := range next {
		b.AddAccount(name)
	}
	for name, sh := range next {
		a := b.Account(name)
		if was, now := a.Limits(), sh.options.Limits; was != now {
			a.SetLimits(now)
			if orUnlimited(now.Connections) < orUnlimited(was.Connections) || orUnlimited(now.Subscriptions) < orUnlimited(was.Subscriptions) {
				lowered = append(lowered, a)
			}
		}
		if old := a.shares.now.Load(); old == nil || !reflect.DeepEqual(old.options, sh.options) {
			a.share(sh)
		}
	}
	for name := range next { // plans reach over accounts
		b.Account(name).index.Invalidate()
	}
	return lowered
}

// share replaces what the account shares; nil for nothing.
func (a *Account) share(sh *sharing) {
	if sh != nil {
		for _, im := range sh.streams { // before anybody sees it
			im.from = a.broker.Account(im.Account)
		}
	}
	old := a.shares.now.Swap(sh)
	if old != nil {
		for _, im := range old.services {
			im.detach()
		}
	}
	if sh != nil {
		for _, im := range sh.services {
			im.attach(a)
		}
	}
	if old != nil {
		for _, im := range old.services {
			im.release()
		}
	}
	a.recastShadows()
	a.index.Invalidate()
	a.tellMappings()
}
