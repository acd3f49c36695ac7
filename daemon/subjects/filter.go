package subjects

import (
	"slices"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// Filter is a set of subject patterns; a message is asked for if one of them matches its
// subject. A nil Filter, and one without patterns, matches everything. It is immutable and
// may be shared.
type Filter struct {
	patterns []string
	all      bool // one of them is ">"
	literal  bool // none has a wildcard
}

// NewFilter returns the filter of patterns that are valid subjects. No patterns: everything.
func NewFilter(patterns ...string) *Filter {
	f := &Filter{patterns: slices.Clone(patterns), all: len(patterns) == 0, literal: len(patterns) > 0}
	for _, p := range patterns {
		f.all = f.all || p == ">"
		f.literal = f.literal && subject.IsLiteral(p)
	}
	return f
}

// All reports whether every subject matches.
func (f *Filter) All() bool { return f == nil || f.all }

// Literal reports whether the patterns are subjects without wildcards, so that they can be
// looked up instead of searched.
func (f *Filter) Literal() bool { return f != nil && f.literal }

// Patterns returns the patterns, which must not be changed. None: everything.
func (f *Filter) Patterns() []string {
	if f == nil {
		return nil
	}
	return f.patterns
}

// Match reports whether a message on s is asked for.
func (f *Filter) Match(s []byte) bool {
	if f.All() {
		return true
	}
	for _, p := range f.patterns {
		if subject.Matches(p, s) {
			return true
		}
	}
	return false
}
