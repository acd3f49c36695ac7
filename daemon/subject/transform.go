package subject

import (
	"errors"
	"fmt"
	"strings"
)

// The errors of a transform whose destination cannot be used. The texts are
// those nats-server 2.15.3 gives, since people search for them.
var (
	ErrBadSubject               = errors.New("invalid subject")
	ErrMapping                  = errors.New("invalid mapping destination")
	ErrMappingWildcards   error = mappingError("not using all of the token wildcard(s)")
	ErrMappingFunction    error = mappingError("unknown function")
	ErrMappingIndex       error = mappingError("wildcard index out of range")
	ErrMappingFewArgs     error = mappingError("not enough arguments passed to the function")
	ErrMappingManyArgs    error = mappingError("too many arguments passed to the function")
	ErrMappingArg         error = mappingError("function argument is invalid or in the wrong format")
	ErrMappingImportOnly  error = mappingError("the only mapping function allowed for import transforms is {{Wildcard()}}")
	ErrMappingUnavailable error = mappingError("function is not available in this context")
)

// mappingError is a kind of ErrMapping; a constant, so that a start has nothing to make.
type mappingError string

func (e mappingError) Error() string { return ErrMapping.Error() + ": " + string(e) }

// Unwrap gives ErrMapping.
func (e mappingError) Unwrap() error { return ErrMapping }

// MappingError says which token of a destination is wrong.
type MappingError struct {
	Token string // the token, with the index in brackets where an index is wrong
	Err   error  // one of the ErrMapping errors
}

func (e *MappingError) Error() string { return e.Err.Error() + " in " + e.Token }

// Unwrap gives the ErrMapping error.
func (e *MappingError) Unwrap() error { return e.Err }

// A Transform rewrites the subjects that match a source pattern into subjects
// of another shape: a mapping of an account, the local name of an import, a
// republished subject. The forms of a destination token are those of the
// subject mapping chapter of the NATS documentation: plain text, `$1`, and
// `{{function(…)}}`.
//
// A Transform is immutable and safe for concurrent use.
type Transform struct {
	source      string
	destination string
	sourceToks  []string
	pieces      []piece // one for each destination token, without a final ">"
	tail        bool    // both end in ">": what matched it is carried over
	identity    bool    // ">" to ">"
	varies      bool    // two calls with one subject may differ
}

// NewTransform makes the transform from source to destination. An empty source
// stands for ">".
//
// The error is ErrBadSubject when one of the two is no subject or could not stand in a line (see [FitsLine]), when only one of
// them ends in ">" or when the destination holds "*", and a *MappingError for a
// destination token that cannot be used.
func NewTransform(source, destination string) (*Transform, error) {
	return newTransform(source, destination, false)
}

// NewReversible is NewTransform for imports: the destination may use no function
// but wildcard and must use every wildcard of the source, so that Reverse exists.
func NewReversible(source, destination string) (*Transform, error) {
	return newTransform(source, destination, true)
}

func newTransform(source, destination string, reversible bool) (*Transform, error) {
	if source == "" {
		source = ">"
	}
	from, to := patternOf(source), patternOf(destination)
	if !FitsLine(source) || !from.valid || !to.valid || len(to.wildcards) > 0 || from.open != to.open {
		return nil, ErrBadSubject
	}
	t := &Transform{
		source: source, destination: destination, sourceToks: from.tokens,
		tail: to.open, identity: source == ">" && destination == ">",
	}
	used := 0
	wild := len(from.wildcards) > 0 || from.open
	for i, token := range to.tokens {
		if t.tail && i == len(to.tokens)-1 {
			break
		}
		call, err := parseCall(token)
		if err != nil {
			return nil, err
		}
		if call == nil {
			if !FitsLine(token) {
				return nil, ErrBadSubject
			}
			t.pieces = append(t.pieces, literal(token))
			continue
		}
		if wild && reversible && call.name != fnWildcard {
			return nil, &MappingError{token, ErrMappingImportOnly}
		}
		if !wild && call.name != fnRandom && call.name != fnPartition {
			return nil, &MappingError{token, ErrMappingIndex}
		}
		places, err := call.places(from.wildcards, wild)
		if err != nil {
			return nil, err
		}
		if call.name != fnRandom {
			used += len(places)
		}
		t.varies = t.varies || call.name == fnRandom
		t.pieces = append(t.pieces, call.piece(places))
	}
	if reversible && used < len(from.wildcards) {
		return nil, &MappingError{destination, ErrMappingWildcards}
	}
	return t, nil
}

// Source gives the pattern that the transform applies to.
func (t *Transform) Source() string { return t.source }

// Destination gives the destination as it was written.
func (t *Transform) Destination() string { return t.destination }

// Varies reports whether one subject may be transformed differently from call to
// call, so that a result must not be kept.
func (t *Transform) Varies() bool { return t.varies }

// Match transforms a literal subject; ok is false when the source does not match it.
func (t *Transform) Match(subject string) (mapped string, ok bool) {
	if t.identity {
		return subject, true
	}
	tokens := strings.Split(subject, ".")
	if !t.matches(tokens) {
		return "", false
	}
	return t.join(tokens), true
}

// Apply transforms a subject, or a pattern, that the caller knows to match the
// source.
func (t *Transform) Apply(subject string) string {
	if t.identity {
		return subject
	}
	return t.join(strings.Split(subject, "."))
}

// matches reports whether the tokens of a literal subject match the source.
func (t *Transform) matches(tokens []string) bool {
	for i, want := range t.sourceToks {
		if want == ">" && i == len(t.sourceToks)-1 {
			return len(tokens) > i
		}
		if i >= len(tokens) || want != "*" && want != tokens[i] {
			return false
		}
	}
	return len(tokens) == len(t.sourceToks)
}

func (t *Transform) join(tokens []string) string {
	var b []byte
	for i, p := range t.pieces {
		if i > 0 {
			b = append(b, '.')
		}
		b = p.appendTo(b, tokens)
	}
	if !t.tail {
		return string(b)
	}
	for _, token := range tokens[min(len(t.sourceToks)-1, len(tokens)):] {
		if len(b) > 0 {
			b = append(b, '.')
		}
		b = append(b, token...)
	}
	return string(b)
}

// Reverse gives the transform that undoes a reversible one: from the
// destination, its placeholders read as "*", to the source, its wildcards
// numbered as the destination used them.
func (t *Transform) Reverse() (*Transform, error) {
	source, order := placeholders(t.destination)
	var dest []string
	next := 0
	for _, token := range t.sourceToks {
		if token != "*" {
			dest = append(dest, token)
			continue
		}
		next++
		place := 0
		for i, n := range order {
			if n == next {
				place = i + 1
			}
		}
		if place == 0 {
			return nil, &MappingError{t.destination, ErrMappingWildcards}
		}
		dest = append(dest, fmt.Sprintf("$%d", place))
	}
	return newTransform(source, strings.Join(dest, "."), true)
}

// Placeholders turns the wildcards of a pattern into a destination that numbers
// them: "a.*.*" becomes "a.$1.$2".
func Placeholders(pattern string) string {
	tokens := strings.Split(pattern, ".")
	n := 0
	for i, token := range tokens {
		if token == "*" {
			n++
			tokens[i] = fmt.Sprintf("$%d", n)
		}
	}
	return strings.Join(tokens, ".")
}

// placeholders is the way back: the pattern of a destination, and the number of
// the source wildcard behind each of its stars.
func placeholders(destination string) (pattern string, order []int) {
	tokens := strings.Split(destination, ".")
	for i, token := range tokens {
		if call, err := parseCall(token); err == nil && call != nil && call.name == fnWildcard {
			order = append(order, call.indexes[0])
			tokens[i] = "*"
		}
	}
	return strings.Join(tokens, "."), order
}

// pattern is what a transform needs to know of a subject. Its idea of validity
// is wider than that of a published subject: function calls hold blanks.
type pattern struct {
	valid     bool
	tokens    []string
	wildcards []int // positions of "*" among tokens
	open      bool  // ends in ">"
}

func patternOf(subject string) pattern {
	if subject == "" {
		return pattern{}
	}
	p := pattern{valid: true, tokens: strings.Split(subject, ".")}
	for i, token := range p.tokens {
		if token == "" || p.open {
			return pattern{}
		}
		switch token {
		case "*":
			p.wildcards = append(p.wildcards, i)
		case ">":
			p.open = true
		}
	}
	return p
}
