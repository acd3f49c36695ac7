package confparse

import "strings"

// found describes the character at offset start for a message, and its span.
func (p *parser) found(start int) (string, Span) {
	at := p.pos
	p.pos = start
	r, w := p.peek()
	p.pos = at
	span := p.src.Span(start, start+w)
	switch {
	case w == 0:
		return "the end of the file", span
	case r == end:
		return "a NUL byte", span
	case newline(r):
		return "the end of the line", p.src.Span(start, start)
	case r == '\'':
		return "a quote", span
	default:
		return "'" + string(r) + "'", span
	}
}

// failFound reports that something else was expected at offset start.
func (p *parser) failFound(start int, message string) *Error {
	what, span := p.found(start)
	return p.fail(span, "%s, found %s", plain(message), what)
}

// word returns the letters that a text begins with.
func word(text string) string {
	for i := range len(text) {
		if c := text[i] | 0x20; c < 'a' || c > 'z' {
			return text[:i]
		}
	}
	return text
}

// isUnit reports whether a word is a unit of a size or of a duration.
func isUnit(word string) bool {
	switch word {
	case "":
		return false
	case "ns", "us", "ms", "s", "m", "h":
		return true
	}
	_, ok := multiplier(word)
	return ok && strings.Contains("kmgtpe", strings.ToLower(word[:1]))
}

// failEnd reports that a value goes on where it should end.
func (p *parser) failEnd(v *Value, start int, wanted string) *Error {
	e := p.failFound(start, "expected "+wanted+" after the value")
	switch {
	case v == nil:
	case v.quoted && strings.Contains(v.Text(), "\n"):
		e.WithNote(v.span, "the value is this string, which runs over several lines: is a quote missing?")
	case v.kind == String && !v.quoted && v.ref == nil:
		e.WithHint("put quotes around a value that contains white space")
	case v.kind == Int && isUnit(word(p.text[start:])):
		e.WithHint("write the unit without a space: %s%s", v.Text(), word(p.text[start:]))
	case v.kind == Int || v.kind == Float || v.kind == Time:
		e.WithHint("put quotes around a string that begins like a number")
	}
	return e
}

// failMissing reports a key without a value.
func (p *parser) failMissing(span Span, key string) {
	p.fail(span, "missing value for %q", key)
}

// failOpen reports a map or array that the file does not close.
func (p *parser) failOpen(opened Span, what string, bracket rune) *Error {
	p.stop = true
	return p.fail(opened, "this %s is not closed", plain(what)).
		WithHint("expected '%c' before the end of the file", bracket)
}

// failOpenArray is failOpen for an array, one of whose values may have taken
// the bracket that was meant to close it.
func (p *parser) failOpenArray(v *Value) {
	e := p.failOpen(v.span, "array", ']')
	for _, item := range v.items {
		if item.kind == String && !item.quoted && strings.HasSuffix(item.str, "]") {
			e.WithNote(item.span, "this is read as the string %q: put white space between a number and ']'", item.str)
			return
		}
	}
}
