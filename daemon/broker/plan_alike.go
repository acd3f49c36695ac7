package broker

import (
	"bytes"

	"github.com/nats-broker/nats-broker/daemon/sublist"
)

// Subjects that are used once, inboxes above all, would each need a plan of its own, made
// for one message; and those plans would push out the ones that are used again. Most of
// them have all but their last tokens in common, and as a rule all subjects that do reach
// the same receivers: then they share one plan. The index knows whether they do.

// alikePlans is a table of plans for many subjects, by what those have in common. It is
// bounded and needs no removal, as planCache.
type alikePlans struct {
	sets [alikeSets][alikeWays]*alikePlan
	next [alikeSets]uint8
	seen [alikeSeen]uint16 // hashes of what subjects have in common, of those that missed
}

const (
	alikeSets = 64
	alikeWays = 4
	alikeSeen = 256
)

// alikePlan is the plan of all subjects that have a prefix, and so many tokens behind it,
// unless it is denied. It has no subject, so that it is not taken for the plan of one.
type alikePlan struct {
	plan
	prefix []byte // through its last dot
	more   int
}

// ackPrefix is what the subjects by which consumers' messages are acknowledged begin with.
// They differ from the token behind the consumer's name on, the fifth, or the seventh if
// there are a domain and an account.
const ackPrefix = "$JS.ACK."

// inCommon returns the length of what a subject has in common with those like it, through
// a dot, and how many tokens there are behind it; 0 if there is nothing. Nobody receives
// what has an empty token, unlike others.
func inCommon(subject []byte) (n, more int) {
	if len(subject) < len(ackPrefix) || string(subject[:len(ackPrefix)]) != ackPrefix {
		if n = 1 + bytes.LastIndexByte(subject, '.'); n == len(subject) {
			return 0, 0
		}
		return n, 1
	}
	if subject[len(subject)-1] == '.' || bytes.Contains(subject, []byte("..")) {
		return 0, 0
	}
	tokens := 1 + bytes.Count(subject, []byte{'.'})
	common := 4
	if tokens > 10 {
		common = 6
	}
	if tokens <= common {
		return 0, 0
	}
	for range common {
		n += 1 + bytes.IndexByte(subject[n:], '.')
	}
	return n, tokens - common
}

// planForAlike returns the plan that a subject shares with others, nil if it needs one of
// its own. Messages of the last plan are counted.
func (s *sender) planForAlike(subject []byte, hash uint64) *plan {
	n, more := inCommon(subject)
	if n == 0 || s.traced || s.acc.index.Literal(subject, hash) {
		return nil
	}
	p := s.alikePlan(subject, n, more)
	if p == nil || p.denied {
		return nil
	}
	s.last = p
	return p
}

// alikePlan finds the plan for all that begins with subject[:n], or makes it when that
// comes for the second time.
func (s *sender) alikePlan(subject []byte, n, more int) *plan {
	if s.alike == nil {
		s.alike = new(alikePlans)
	}
	t := s.alike
	hash := sublist.Hash(subject[:n])
	set := &t.sets[hash%alikeSets]
	for _, p := range set {
		if p != nil && p.more == more && string(p.prefix) == string(subject[:n]) {
			if !p.current(s.acc.index) {
				s.fillAlike(p, subject)
			}
			return &p.plan
		}
	}
	at, mark := &t.seen[hash>>32%alikeSeen], uint16(hash>>48)|1
	if *at != mark {
		*at = mark
		return nil
	}
	way := &t.next[hash%alikeSets]
	p := set[*way%alikeWays]
	if p == nil {
		p = &alikePlan{plan: plan{scratch: true}}
		set[*way%alikeWays] = p
	}
	*way++
	p.prefix, p.more = append(p.prefix[:0], subject[:n]...), more
	s.fillAlike(p, subject)
	return &p.plan
}

// fillAlike makes a plan, by the example of one subject.
func (s *sender) fillAlike(p *alikePlan, one []byte) {
	s.acc.misses.Add(1)
	p.reset()
	p.subject, p.hash = asString(one), sublist.Hash(one)
	s.fillFrom(&p.plan)
	literal := len(p.nodes) > 0 && p.nodes[0].Pattern == p.subject // it has come right now
	p.subject = ""
	p.denied = p.denied || literal || !s.maySharePlans() || !p.sameForAll() || !s.acc.index.Alike(p.prefix[:len(p.prefix)-1], p.more)
}

// maySharePlans reports whether who receives what the sender publishes depends on the
// subject in no other way than by the index.
func (s *sender) maySharePlans() bool {
	if s.self != nil && s.self.permissions() != nil {
		return false
	}
	sh := s.acc.shares.now.Load()
	return sh == nil || len(sh.mappings) == 0
}
