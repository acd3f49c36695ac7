package confparse

// tokenKind says what a token of the formatter is.
type tokenKind uint8

const (
	tokKey tokenKind = iota
	tokScalar
	tokOpen  // { or [ of a value
	tokClose // } or ]
	tokOpenTop
	tokCloseTop
	tokInclude // the operand
	tokComment
)

// A token is a piece of text as it was written.
type token struct {
	kind  tokenKind
	text  string
	start int  // byte offset
	value Kind // of a scalar
}

// A recorder keeps the tokens of a parse for the formatter. A nil one keeps
// nothing; with one, includes and variables are not followed.
type recorder struct{ tokens []token }

func (r *recorder) add(kind tokenKind, text string, start int) {
	if r != nil {
		r.tokens = append(r.tokens, token{kind: kind, text: text, start: start})
	}
}

func (r *recorder) key(span Span) {
	if r != nil {
		r.add(tokKey, span.Text(), int(span.start))
	}
}

func (r *recorder) comment(text string, start int) { r.add(tokComment, text, start) }

func (r *recorder) scalar(value Kind, text string, start int) {
	if r != nil {
		r.tokens = append(r.tokens, token{kind: tokScalar, text: text, start: start, value: value})
	}
}
