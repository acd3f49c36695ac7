package auth

import (
	"fmt"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// Configured returns what a user, or an nkey, may that the configuration has; ok is false if it has none of that name.
// Users that come as JWTs, or by a callout, it does not know. Where nobody has to say who it is, everybody is known.
func (a *Authenticator) Configured(name string) (id *Identity, ok bool) {
	d := a.users.Load()
	var acc *account
	switch {
	case !d.required:
		return &Identity{Account: GlobalAccount, User: name}, true
	case d.users[name] != nil:
		acc = d.users[name]
	case d.nkeys[name] != nil:
		acc = d.nkeys[name]
	case d.single != nil && d.single.name == name:
		acc = d.single
	default:
		return nil, false
	}
	own := acc.id
	return &own, true
}

// WhyPublish is [Permissions.CanPublish] with the reason, for people. p may be nil, which is to say that nothing is
// forbidden.
func (p *Permissions) WhyPublish(subj string) (ok bool, why string) {
	if p == nil {
		return true, "the user has no permissions that restrict it"
	}
	ok = p.CanPublish(subj)
	denied, allowed := matchingSubject(p.rules.PublishDeny, subj), matchingSubject(p.rules.PublishAllow, subj)
	switch {
	case !ok && denied != "":
		why = fmt.Sprintf("publish deny has %q", denied)
	case !ok && p.rules.PublishAllow == nil:
		why = "the user may publish answers only"
	case !ok:
		why = "nothing in publish allow matches"
	case allowed != "":
		why = fmt.Sprintf("publish allow has %q", allowed)
	default:
		why = "publishing is not restricted to certain subjects, and nothing in publish deny matches"
	}
	if r := p.responses; !ok && r != nil {
		why += "; the user may answer there if a message that it received asks for it" + limits(r)
	}
	return ok, why
}

func limits(r *Responses) string {
	var parts []string
	if r.Max > 0 {
		parts = append(parts, fmt.Sprintf("at most %d times", r.Max))
	}
	if r.Expires > 0 {
		parts = append(parts, "within "+r.Expires.String())
	}
	if parts == nil {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func matchingSubject(entries []string, subj string) string {
	for _, e := range entries {
		if subject.Matches(e, subj) {
			return e
		}
	}
	return ""
}

// WhySubscribe is [Permissions.CanSubscribe] with the reason, for people. Of a subscription that is allowed, held lists the
// entries of subscribe deny whose messages are held back from it, and only, where no entry of subscribe allow covers all
// of it, those whose messages it gets. p may be nil.
func (p *Permissions) WhySubscribe(pattern, queue string) (ok bool, why string, held, only []string) {
	if p == nil {
		return true, "the user has no permissions that restrict it", nil, nil
	}
	ok, filter := p.CanSubscribe(pattern, queue)
	denied, allowed := entryFor(p.subscribeDeny, pattern, queue), entryFor(p.subscribeAllow, pattern, queue)
	switch {
	case !ok && len(p.subscribeAllow) > 0 && !p.coveredByAllow(pattern, queue):
		why = "nothing in subscribe allow covers it"
	case !ok && denied != "":
		return false, fmt.Sprintf("subscribe deny has %q", denied), nil, nil
	case !ok:
		why = "an entry of subscribe deny with a queue group covers it"
	case allowed != "":
		why = fmt.Sprintf("subscribe allow has %q", allowed)
	default:
		why = "subscribing is not restricted to certain subjects, and nothing in subscribe deny covers it"
	}
	if ok && filter {
		held = partly(p.subscribeDeny, pattern, queue)
		if len(p.subscribeAllow) > 0 {
			if _, some := p.allowed(pattern, queue); some {
				only = partly(p.subscribeAllow, pattern, queue)
			}
		}
	}
	return ok, why, held, only
}

// partly lists the entries that speak of some messages of a subscription.
func partly(entries []entry, pattern, queue string) (list []string) {
	for _, e := range entries {
		if e.admits(queue) && subject.Collide(e.subject, pattern) {
			list = append(list, e.String())
		}
	}
	return list
}

func (p *Permissions) coveredByAllow(pattern, queue string) bool {
	ok, _ := p.allowed(pattern, queue)
	return ok
}

// entryFor is the first entry that speaks of a subscription, as it is written; empty if none does.
func entryFor(entries []entry, pattern, queue string) string {
	for _, e := range entries {
		if subject.Matches(e.subject, pattern) && e.admits(queue) {
			return e.String()
		}
	}
	return ""
}

// String is the entry as the configuration has it.
func (e entry) String() string { return strings.TrimSpace(e.subject + " " + e.queue) }
