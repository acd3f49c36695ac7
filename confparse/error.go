package confparse

import (
	"fmt"
	"slices"
	"strings"
)

// An Error is one mistake at one place.
type Error struct {
	Span    Span   // where; zero if nowhere in particular
	Message string // one line, in words for a user, no full stop
	Hint    string // what might be meant: `did you mean "port"?`; may be empty
	Notes   []Note // other places that matter
	Secret  bool   // the line must not be shown when rendering
	syntax  bool   // what a line means is not known
}

// A Note is a second place that belongs to an error.
type Note struct {
	Span    Span
	Message string
}

// Errorf makes an error at a place.
func Errorf(span Span, format string, args ...any) *Error {
	return &Error{Span: span, Message: fmt.Sprintf(format, args...)}
}

// Error returns file:line:column: message.
func (e *Error) Error() string {
	if e.Span.IsZero() {
		return e.Message
	}
	return e.Span.String() + ": " + e.Message
}

// WithHint sets the hint and returns e.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithNote adds a second place and returns e.
func (e *Error) WithNote(span Span, format string, args ...any) *Error {
	if e.syntax {
		args = discreet(span, args)
	}
	e.Notes = append(e.Notes, Note{Span: span, Message: fmt.Sprintf(format, args...)})
	return e
}

// Errors are all mistakes of one run.
type Errors []*Error

// Error returns every error, a line each.
func (l Errors) Error() string {
	lines := make([]string, len(l))
	for i, e := range l {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes each error visible to errors.Is and errors.As.
func (l Errors) Unwrap() []error {
	list := make([]error, len(l))
	for i, e := range l {
		list[i] = e
	}
	return list
}

// Syntax returns the first mistake of syntax, nil if there is none.
func (l Errors) Syntax() *Error {
	for _, e := range l {
		if e.syntax {
			return e
		}
	}
	return nil
}

// Sort orders l by source in order of reading, then by place; errors of no
// place come first.
func (l Errors) Sort() {
	slices.SortStableFunc(l, func(a, b *Error) int {
		switch {
		case a.Span.before(b.Span):
			return -1
		case b.Span.before(a.Span):
			return 1
		default:
			return 0
		}
	})
}

// Err returns l as an error, sorted; nil if there is none.
func (l Errors) Err() error {
	if len(l) == 0 {
		return nil
	}
	l.Sort()
	return l
}
