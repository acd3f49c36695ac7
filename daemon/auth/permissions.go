package auth

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// Permissions answer what a connection may do. They are immutable and may be asked from any goroutine.
//
// The rules are nats-server's:
//
//   - Publishing is allowed if an allow entry matches, or there is none at all, and no deny entry matches.
//   - Subscribing to a pattern is allowed if an allow entry covers it, or there is none, and no deny entry covers it.
//     Entries with a queue group count for members of a group alone; where such entries match the subject, one of them
//     must name the group.
//   - A pattern that is wider than a deny entry may be subscribed to; the messages that the entry matches are held back.
//
// They are stricter in one point. A pattern that ends in ">" is let through by an allow entry with "*" in its place
// ("foo.>" by "foo.*"), as there; but only those messages are delivered that an allow entry matches.
type Permissions struct {
	publishAllow   patterns
	publishAll     bool // no allow entries
	publishDeny    patterns
	subscribeAllow []entry // empty: all
	subscribeDeny  []entry
	responses      *Responses
	rules          Rules // it was made from
}

// entry is a subject with or without a queue group.
type entry struct{ subject, queue string }

// NewPermissions compiles rules. The error names the entry that is not valid.
func NewPermissions(r *Rules) (*Permissions, error) {
	p := &Permissions{publishAll: r.PublishAllow == nil, rules: *r}
	var err error
	if p.publishAllow, err = newPatterns(r.PublishAllow); err != nil {
		return nil, fmt.Errorf("publish allow: %w", err)
	}
	if p.publishDeny, err = newPatterns(r.PublishDeny); err != nil {
		return nil, fmt.Errorf("publish deny: %w", err)
	}
	if p.subscribeAllow, err = newEntries(r.SubscribeAllow); err != nil {
		return nil, fmt.Errorf("subscribe allow: %w", err)
	}
	if p.subscribeDeny, err = newEntries(r.SubscribeDeny); err != nil {
		return nil, fmt.Errorf("subscribe deny: %w", err)
	}
	if r.Responses != nil {
		resp := *r.Responses
		if resp.Max == 0 {
			resp.Max = defaultResponses
		}
		if resp.Expires == 0 {
			resp.Expires = defaultResponseTime
		}
		p.responses = &resp
		p.publishAll = false // the right to answer takes the blanket right away
	}
	return p, nil
}

// Rules returns what the permissions were made from. It must not be changed.
func (p *Permissions) Rules() *Rules { return &p.rules }

// equal reports whether two permissions were made from the same rules; nil is equal to nil.
func (p *Permissions) equal(q *Permissions) bool {
	return p == q || p != nil && q != nil && reflect.DeepEqual(p.rules, q.rules)
}

// CanPublish reports whether the connection may publish to a literal subject.
func (p *Permissions) CanPublish(subj string) bool {
	if !p.publishAll && !p.publishAllow.match(subj) {
		return false
	}
	return !p.publishDeny.match(subj)
}

// CanSubscribe reports whether the connection may subscribe to a pattern, in a queue group unless queue is empty. filter
// is set if some messages that match the pattern must not reach it all the same: then [Permissions.CanReceive] decides.
func (p *Permissions) CanSubscribe(pattern, queue string) (ok, filter bool) {
	if len(p.subscribeAllow) > 0 {
		if ok, filter = p.allowed(pattern, queue); !ok {
			return false, false
		}
	}
	plain, groups, named := matching(p.subscribeDeny, pattern, queue)
	if plain || groups && named {
		return false, false
	}
	if !filter && (queue != "" || !subject.IsLiteral(pattern)) {
		for _, e := range p.subscribeDeny {
			if subject.Collide(e.subject, pattern) {
				filter = true
				break
			}
		}
	}
	return true, filter
}

// allowed asks the allow entries. filter is set if none of them covers the pattern in the strict sense.
func (p *Permissions) allowed(pattern, queue string) (ok, filter bool) {
	plain, groups, named := matching(p.subscribeAllow, pattern, queue)
	ok = plain
	if groups {
		ok = named
	}
	if !ok {
		return false, false
	}
	for _, e := range p.subscribeAllow {
		if e.admits(queue) && subject.IsSubset(pattern, e.subject) {
			return true, false
		}
	}
	return true, true
}

// CanReceive reports whether a message on a literal subject may be delivered to a subscription, in a queue group unless
// queue is empty, for which CanSubscribe has set filter.
func (p *Permissions) CanReceive(subj, queue string) bool {
	plain, _, named := matching(p.subscribeDeny, subj, queue)
	if plain || named {
		return false
	}
	if len(p.subscribeAllow) == 0 {
		return true
	}
	for _, e := range p.subscribeAllow {
		if e.admits(queue) && subject.Matches(e.subject, subj) {
			return true
		}
	}
	return false
}

// Responses returns what the connection may publish to the reply subjects of messages it received; nil for nothing
// beyond CanPublish. The fields are not zero.
func (p *Permissions) Responses() *Responses { return p.responses }

// matching looks up what entries match a subject token by token, a wildcard in the subject being a token like others:
// entries without a queue group, entries with one (only if the subscription has one, too), and among those one that
// names this group.
func matching(entries []entry, subj, queue string) (plain, groups, named bool) {
	for _, e := range entries {
		if !subject.Matches(e.subject, subj) {
			continue
		}
		switch {
		case e.queue == "":
			plain = true
		case queue != "":
			groups = true
			named = named || e.admits(queue)
		}
	}
	return plain, groups, named
}

// admits reports whether the entry speaks of subscriptions in this queue group; without a group of its own it speaks of
// all.
func (e entry) admits(queue string) bool {
	if e.queue == "" || e.queue == queue {
		return true
	}
	return queue != "" && !subject.IsLiteral(e.queue) && subject.IsSubset(queue, e.queue)
}

func newEntries(list []string) ([]entry, error) {
	entries := make([]entry, 0, len(list))
	for _, s := range list {
		words := strings.Fields(s)
		switch {
		case len(words) == 1 && subject.Valid(words[0]):
			entries = append(entries, entry{subject: words[0]})
		case len(words) == 2 && subject.Valid(words[0]) && subject.Valid(words[1]):
			entries = append(entries, entry{words[0], words[1]})
		default:
			return nil, fmt.Errorf("%q is neither a subject nor a subject with a queue group", s)
		}
	}
	return entries, nil
}

// patterns is a set of subjects: a table for the literal ones, which may be many, and a list of the others.
type patterns struct {
	literal map[string]struct{}
	wild    []string
}

func newPatterns(list []string) (patterns, error) {
	var p patterns
	for _, s := range list {
		if !subject.ValidStrict(s, false) {
			return p, fmt.Errorf("%q is not a valid subject", s)
		}
		if !subject.IsLiteral(s) {
			p.wild = append(p.wild, s)
			continue
		}
		if p.literal == nil {
			p.literal = map[string]struct{}{}
		}
		p.literal[s] = struct{}{}
	}
	return p, nil
}

func (p *patterns) match(subj string) bool {
	if _, ok := p.literal[subj]; ok {
		return true
	}
	for _, w := range p.wild {
		if subject.Matches(w, subj) {
			return true
		}
	}
	return false
}
