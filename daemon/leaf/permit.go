package leaf

import (
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// Rules allow and deny subjects on a connection, as nats-server 2.15.3 has it. A nil Rules allows all, as does
// a nil Allow; what is denied is denied even if it is allowed. Rules are not changed once they are in use.
type Rules struct {
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"`
}

// with is the rules with more that is denied.
func (r *Rules) with(deny ...string) *Rules {
	if len(deny) == 0 {
		return r
	}
	n := &Rules{}
	if r != nil {
		n.Allow, n.Deny = r.Allow, slices.Clone(r.Deny)
	}
	for _, d := range deny {
		if !slices.Contains(n.Deny, d) {
			n.Deny = append(n.Deny, d)
		}
	}
	return n
}

func (r *Rules) none() bool { return r == nil || r.Allow == nil && len(r.Deny) == 0 }

// equal reports whether both allow the same.
func (r *Rules) equal(o *Rules) bool {
	if r.none() || o.none() {
		return r.none() && o.none()
	}
	return slices.Equal(r.Allow, o.Allow) && slices.Equal(r.Deny, o.Deny) && (r.Allow == nil) == (o.Allow == nil)
}

// passes reports whether a message on a literal subject is allowed.
func (r *Rules) passes(subj string) bool {
	if r.none() || exempt(subj) {
		return true
	}
	allows := func(e string) bool { return !strings.Contains(e, " ") && subject.Matches(e, subj) }
	denies := func(e string) bool { return subject.Matches(plain(e), subj) }
	return (r.Allow == nil || slices.ContainsFunc(r.Allow, allows)) && !slices.ContainsFunc(r.Deny, denies)
}

// covers reports whether interest in a pattern is allowed: none of it is denied as a whole, and some of it is
// allowed. Messages are looked at one by one.
func (r *Rules) covers(pattern string) bool {
	if r.none() || exempt(pattern) {
		return true
	}
	literal := subject.IsLiteral(pattern)
	allows := func(e string) bool {
		return !strings.Contains(e, " ") && (subject.Matches(e, pattern) || !literal && subject.Collide(e, pattern))
	}
	denies := func(e string) bool { return subject.Matches(plain(e), pattern) }
	return (r.Allow == nil || slices.ContainsFunc(r.Allow, allows)) && !slices.ContainsFunc(r.Deny, denies)
}

// plain is an entry without a queue group. One with a group denies all, and allows nothing: which member a message is for is
// decided on the other side.
func plain(entry string) string {
	s, _, _ := strings.Cut(entry, " ")
	return s
}

const loopPrefix = "$LDS."

// exempt reports whether a subject is one that servers use among themselves: it need not be allowed.
func exempt(s string) bool {
	if s == "" || s[0] != '$' && s[0] != '_' {
		return false
	}
	for _, p := range [...]string{"_R_.", loopPrefix, "$JS.ACK.", "_GR_.", "$GR."} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
