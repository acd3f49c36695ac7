package cluster

import (
	"fmt"
	"maps"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// remote is one entry of what a peer wants. It has no place in the broker while the
// account does not exist here.
type remote struct {
	account        string
	subject, queue string
	origin         string // of leaf nodes of the peer: their cluster
	members        broker.Members
	acc            *broker.Account
	in             broker.RemoteInterest
}

type remoteKey struct{ account, subject, queue, origin string }

// maxWeight bounds what a peer may say; the broker bounds it further.
const maxWeight = 1 << 20

// subscribe handles RS+ and LS+.
func (r *Route) subscribe(f *proto.RouteFrame) error {
	account := r.accountName(f)
	r.mu.Lock()
	e := r.wanted[remoteKey{account, string(f.Subject), string(f.Queue), string(f.Origin)}] // makes no strings
	r.mu.Unlock()
	members := membersOf(f)
	if e != nil {
		r.mu.Lock()
		same := e.members == members
		e.members = members
		r.mu.Unlock()
		if !e.in.None() && !same {
			e.in.SetMembers(members)
		}
		return nil
	}
	if r.elsewhere(account) {
		return nil
	}
	if r.hub.opts.Load().Export != nil && !r.admits(string(f.Subject)) {
		r.hub.log.Debug(fmt.Sprintf("%s - Can not export %q, ignoring remote subscription request", r.label, f.Subject))
		return nil
	}
	e = &remote{account: account, members: members}
	if len(f.Queue) > 0 {
		e.queue = r.names.Of(f.Queue)
	}
	if len(f.Origin) > 0 {
		e.origin = r.names.Of(f.Origin)
	}
	if err := r.adopt(e, f.Subject); err != nil {
		return err
	}
	if e.in.None() {
		e.subject = string(f.Subject)
	} else {
		e.subject = e.in.Pattern()
	}
	r.mu.Lock()
	r.wanted[remoteKey{account, e.subject, e.queue, e.origin}] = e
	r.mu.Unlock()
	return nil
}

// membersOf is for whom interest stands. Without a word about it all are the account's own.
func membersOf(f *proto.RouteFrame) broker.Members {
	m := broker.Members{All: min(max(f.Weight, 1), maxWeight)}
	m.Own = m.All
	if f.Own >= 0 {
		m.Own = min(f.Own, m.All)
	}
	return m
}

// adopt gives an entry with its subject to its account, if that exists.
func (r *Route) adopt(e *remote, subject []byte) (err error) {
	if e.acc = r.hub.broker.Account(e.account); e.acc == nil {
		if !r.hub.opts.Load().LazyAccounts {
			return nil
		}
		e.acc = r.hub.broker.AddAccount(e.account)
	}
	e.in, err = e.acc.AddRouted(r, e.origin, subject, e.queue, e.members)
	return err
}

// unsubscribe handles RS- and LS-.
func (r *Route) unsubscribe(f *proto.RouteFrame) {
	k := remoteKey{r.accountName(f), string(f.Subject), string(f.Queue), string(f.Origin)}
	r.mu.Lock()
	e := r.wanted[k]
	delete(r.wanted, k)
	r.mu.Unlock()
	if e != nil && !e.in.None() {
		e.in.Remove()
	}
}

func (r *Route) accountName(f *proto.RouteFrame) string {
	if r.account != "" {
		return r.account
	}
	return r.names.Of(f.Account)
}

// readopt has the reader look at all entries again, since accounts came or went.
func (r *Route) readopt() { r.Wake(r.catchUp) }

// catchUp does what accounts that came or went ask for. It runs on the reader.
func (r *Route) catchUp() {
	if e := r.hub.epoch.Load(); e != r.epoch {
		r.epoch = e
		r.rejoin()
	}
	if r.anew.Load() && r.anew.Swap(false) {
		r.forgetAccounts()
	}
}

// rejoin gives entries to accounts that came, and forgets those that went. It runs
// on the reader.
func (r *Route) rejoin() {
	for name, a := range r.accounts {
		if r.hub.broker.Account(name) != a {
			r.pub.Forget(a)
		}
	}
	clear(r.accounts)
	r.readmit()
	for _, e := range r.entries() {
		if r.hub.broker.Account(e.account) == e.acc {
			continue
		}
		if !e.in.None() {
			e.in.Remove()
			e.in = broker.RemoteInterest{}
		}
		_ = r.adopt(e, []byte(e.subject)) // the subject was valid before
	}
}

// entries is what the peer wants, in a map that stays as it is.
func (r *Route) entries() map[remoteKey]*remote {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.wanted)
}

// forget ends all that the peer wants.
func (r *Route) forget() {
	for _, e := range r.entries() {
		if !e.in.None() {
			e.in.Remove()
			e.in = broker.RemoteInterest{}
		}
	}
	r.mu.Lock()
	clear(r.wanted)
	r.mu.Unlock()
}
