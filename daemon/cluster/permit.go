package cluster

import (
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// Rules allow and deny subjects between servers, as nats-server 2.15.3 has it: what
// clients here want is told to a peer only if the rules of import cover it, and what a
// peer wants is heeded only if those of export do. Messages follow the interest; where
// a pattern is denied in part, they are looked at one by one.
//
// A nil Rules allows all, as does a nil Allow; what is denied is denied even if it is
// allowed. Rules are not changed once they are in use. When they are replaced, peers
// are told by INFO, and tell again what they may have now.
type Rules struct {
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"`
}

// mqttPrefix begins the subjects by which servers keep MQTT sessions; they need not be
// allowed, but can be denied.
const mqttPrefix = "$MQTT."

// covers reports whether interest in a pattern, which may hold wildcards, is allowed:
// all of it, as far as Allow goes, and none of it denied as a whole.
func (r *Rules) covers(pattern string) bool {
	return r == nil || decide(r, pattern)
}

// passes reports whether a message on a literal subject is allowed.
func (r *Rules) passes(subj []byte) bool {
	return r == nil || decide(r, subj)
}

func decide[S subject.Text](r *Rules, s S) bool {
	matches := func(pattern string) bool { return subject.Matches(pattern, s) }
	if r.Allow != nil && !(len(s) >= len(mqttPrefix) && string(s[:len(mqttPrefix)]) == mqttPrefix) && !slices.ContainsFunc(r.Allow, matches) {
		return false
	}
	return !slices.ContainsFunc(r.Deny, matches)
}

// divides reports whether some subjects of a pattern that is covered are denied.
func (r *Rules) divides(pattern string) bool {
	return r != nil && !subject.IsLiteral(pattern) &&
		slices.ContainsFunc(r.Deny, func(d string) bool { return subject.Collide(d, pattern) })
}

func (r *Rules) equal(o *Rules) bool {
	if r == nil || o == nil {
		return r == o
	}
	return slices.Equal(r.Allow, o.Allow) && slices.Equal(r.Deny, o.Deny) && (r.Allow == nil) == (o.Allow == nil)
}

// check reports the first subject that is none.
func (r *Rules) check() (bad string, ok bool) {
	if r == nil {
		return "", true
	}
	for _, s := range slices.Concat(r.Allow, r.Deny) {
		if s, _, _ = strings.Cut(s, " "); !subject.Valid(s) {
			return s, false
		}
	}
	return "", true
}

// permit changes what of the interest is told to peers.
func (i *interest) permit(now *Rules) {
	i.mu.Lock()
	defer i.mu.Unlock()
	old := i.imports
	i.imports = now
	for w, n := range i.wishes {
		before, after := old.covers(w.subject), now.covers(w.subject)
		if before == after {
			continue
		}
		for _, r := range i.routes {
			if before {
				r.tell(i.name, w, members{})
			} else {
				r.tell(i.name, w, i.with(r, w, n))
			}
		}
	}
	i.permitLeafs(old, now)
}

// repeat tells a peer again what its rules cover now and did not before.
func (i *interest) repeat(r *Route, old, now *Rules) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for w, n := range i.wishes {
		if now.covers(w.subject) && !old.covers(w.subject) && i.imports.covers(w.subject) {
			r.tell(i.name, w, i.with(r, w, n))
		}
	}
	for w, d := range i.leafs {
		if now.covers(w.subject) && !old.covers(w.subject) && i.imports.covers(w.subject) {
			i.tellLeafs(r, w, d)
		}
	}
}

// repermit puts changed rules into effect on the connections there are.
func (h *Hub) repermit(o *Options) {
	frame := h.ownInfo(nil).frame()
	h.epoch.Add(1)
	for _, r := range h.registered() {
		if r.info.Proto < protoAsyncInfo {
			r.Abort(&refusal{reason: "Route Removed"})
			continue
		}
		r.guarded.Store(true) // until the reader has looked at what the peer wants
		r.Out.Send(frame)
		r.readopt()
	}
	h.syncMu.Lock() // whoever makes an interest does it with the new rules from now on
	defer h.syncMu.Unlock()
	h.mu.Lock()
	list := make([]*interest, 0, len(h.interests))
	for _, i := range h.interests {
		list = append(list, i)
	}
	h.mu.Unlock()
	for _, i := range list {
		i.permit(o.Import)
	}
}

// theirRules takes note of a peer's rules; if they allow more than before, it is told
// what clients here want.
func (r *Route) theirRules(imp, exp *Rules) {
	r.mu.Lock()
	old := r.theirExport
	r.theirImport, r.theirExport = imp, exp
	r.mu.Unlock()
	if exp.equal(old) {
		return
	}
	h := r.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, i := range h.interests {
		if r.attached && h.carries(r, i) {
			i.repeat(r, old, exp)
		}
	}
}

// admits reports whether the peer may want a pattern, and sees to it that messages are
// looked at one by one if it may have only some.
func (r *Route) admits(pattern string) bool {
	exp := r.hub.opts.Load().Export
	if !exp.covers(pattern) {
		return false
	}
	if exp.divides(pattern) {
		r.guarded.Store(true)
	}
	return true
}

// readmit looks at all that the peer wants after the rules have changed.
func (r *Route) readmit() {
	r.guarded.Store(false)
	for k, e := range r.entries() {
		if r.admits(k.subject) {
			continue
		}
		r.mu.Lock()
		delete(r.wanted, k)
		r.mu.Unlock()
		if !e.in.None() {
			e.in.Remove()
		}
	}
}
