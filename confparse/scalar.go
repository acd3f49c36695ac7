package confparse

import (
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxDepth is how deep maps and arrays nest.
const maxDepth = 1000

// value reads one value. It returns nil after reporting a mistake.
func (p *parser) value() *Value {
	p.skipBlanks()
	start := p.pos
	r, w := p.peek()
	switch {
	case r == '[' || r == '{':
		return p.nested(r)
	case r == '\'':
		return p.singleQuoted()
	case r == '"':
		return p.doubleQuoted()
	case r == '(':
		return p.block()
	case r == '-', unicode.IsDigit(r):
		v := p.number(r)
		if v != nil {
			p.record.scalar(v.kind, v.Text(), start)
		}
		return v
	case r == '.':
		p.pos += w
		p.fail(p.span(start), "expected a value, found '.'").
			WithHint("a fraction begins with a digit, as in 0.5; put quotes around a string that begins with a dot")
		p.resync()
		return nil
	case newline(r):
		p.fail(p.src.Span(start, start), "expected a value, found the end of the line")
		return nil
	}
	v := p.bare(start)
	if v != nil {
		p.record.scalar(v.kind, p.text[start:p.pos], start)
	}
	return v
}

// nested reads a map or an array.
func (p *parser) nested(bracket rune) *Value {
	start := p.pos
	p.pos++
	opened := p.span(start)
	if p.depth++; p.depth > maxDepth {
		p.fail(opened, "values are nested more than %d deep", maxDepth)
		p.stop = true
		return nil
	}
	defer func() { p.depth-- }()
	p.record.add(tokOpen, string(bracket), start)
	if bracket == '[' {
		return p.array(opened)
	}
	return p.mapping(opened)
}

// unclosed reports a string without an end and goes on with the next line.
func (p *parser) unclosed(start int, what string) *Value {
	p.pos = start + 1
	p.fail(p.span(start), "%s is not closed", plain(what))
	p.skipLine()
	return nil
}

// singleQuoted reads a string in which nothing is special.
func (p *parser) singleQuoted() *Value {
	start := p.pos
	n := strings.IndexAny(p.text[start+1:], "'\x00")
	if n < 0 || p.text[start+1+n] != '\'' {
		return p.unclosed(start, "this string")
	}
	p.pos = start + 1 + n + 1
	p.record.scalar(String, p.text[start:p.pos], start)
	return NewString(p.span(start), p.text[start+1:start+1+n])
}

// doubleQuoted reads a string with escapes.
func (p *parser) doubleQuoted() *Value {
	start := p.pos
	p.pos++
	var parts []byte
	from, escaped := p.pos, false
	for p.pos < len(p.text) {
		switch p.text[p.pos] {
		case '\\':
			parts = append(parts, p.text[from:p.pos]...)
			parts = p.escape(parts)
			from, escaped = p.pos, true
			continue
		case '"':
			s := p.text[from:p.pos]
			if escaped {
				s = string(append(parts, s...))
			}
			p.pos++
			p.record.scalar(String, p.text[start:p.pos], start)
			return NewString(p.span(start), s)
		case 0:
			return p.unclosed(start, "this string")
		}
		p.pos++
	}
	return p.unclosed(start, "this string")
}

// escape reads a backslash and what follows and appends what it stands for.
func (p *parser) escape(to []byte) []byte {
	start := p.pos
	p.pos++
	switch r := p.next(); r {
	case 't':
		return append(to, '\t')
	case 'n':
		return append(to, '\n')
	case 'r':
		return append(to, '\r')
	case '"', '\\':
		return append(to, byte(r))
	case 'x':
		if b, err := hex.DecodeString(p.text[p.pos:min(p.pos+2, len(p.text))]); err == nil && len(b) == 1 {
			p.pos += 2
			return append(to, b...)
		}
		p.fail(p.span(start), `expected two hexadecimal digits after \x`)
		return to
	default:
		if newline(r) || r == end {
			p.pos = start + 1
		}
		p.fail(p.span(start), "'%s' is not an escape", p.text[start:p.pos]).
			WithHint(`escapes are \xXX \t \n \r \" \\; in single quotes a backslash is a backslash`)
		return to
	}
}

// block reads a string between a parenthesis and another that stands alone on
// its line. If the file ends right behind it, that one belongs to the string.
func (p *parser) block() *Value {
	start := p.pos
	for i := start + 1; ; i++ {
		n := strings.IndexAny(p.text[i:], ")\x00")
		if n < 0 || p.text[i+n] == 0 {
			break
		}
		if i += n; p.text[i-1] != '\n' {
			continue
		}
		p.pos = i + 1
		if p.atEnd() {
			p.record.scalar(String, p.text[start:], start)
			return NewString(p.span(start), p.text[start+1:])
		}
		if c := p.text[p.pos]; c == '\n' || c == 0 {
			p.record.scalar(String, p.text[start:p.pos], start)
			return NewString(p.span(start), p.text[start+1:i])
		}
	}
	p.pos = start + 1
	p.fail(p.span(start), "this block is not closed").WithHint("a block ends with a line that is only ')'")
	p.skipLine()
	return nil
}

// endsNumber reports the characters that end a number.
func endsNumber(r rune) bool {
	return blank(r) || newline(r) || r == end || r == '}' || r == ';' || r == ','
}

// number reads what begins with a digit or a minus sign: an integer, a float, a
// time, an address, or a string that merely begins with a digit.
func (p *parser) number(first rune) *Value {
	start := p.pos
	negative := first == '-'
	if negative {
		p.pos++
		if r, _ := p.peek(); !unicode.IsDigit(r) {
			p.failFound(p.pos, "expected a digit after '-'").WithHint("put quotes around a string that begins with '-'")
			p.resync()
			return nil
		}
	}
	for {
		r, w := p.peek()
		switch {
		case unicode.IsDigit(r):
			p.pos += w
		case r == '.':
			return p.float(start)
		case suffixLetter(r):
			return p.suffixed(start)
		case negative || endsNumber(r):
			return p.integer(start, p.pos)
		case r == '-':
			return p.date(start)
		default:
			p.pos += w
			return p.bare(start)
		}
	}
}

// suffixed reads a number with a suffix, or finds out that it is a string.
func (p *parser) suffixed(start int) *Value {
	digits := p.pos
	p.pos++
	for p.pos < len(p.text) && strings.IndexByte("bBiI", p.text[p.pos]) >= 0 {
		p.pos++
	}
	if r, _ := p.peek(); !endsNumber(r) {
		return p.bare(start)
	}
	return p.integer(start, digits)
}

// integer makes an integer of the text from start, whose digits end at digits
// and whose suffix ends here.
func (p *parser) integer(start, digits int) *Value {
	span := p.span(start)
	n, err := strconv.ParseInt(p.text[start:digits], 10, 64)
	if err != nil {
		if errors.Is(err, strconv.ErrRange) {
			p.fail(span, "the number does not fit into 64 bits")
		} else {
			p.fail(span, "%q is not a number", span.Text())
		}
		return nil
	}
	unit, ok := multiplier(p.text[digits:p.pos])
	if !ok {
		p.fail(p.span(digits), "%q is not a suffix of a number", p.text[digits:p.pos]).
			WithHint("suffixes are k, kb, ki, kib and the same with m, g, t, p and e")
		return nil
	}
	if n > math.MaxInt64/unit || n < math.MinInt64/unit {
		p.fail(span, "the number does not fit into 64 bits")
		return nil
	}
	return NewInt(span, n*unit)
}

// multiplier returns what a suffix multiplies by: powers of 1000 for the letter
// alone, powers of 1024 with b, i or ib behind it.
func multiplier(suffix string) (int64, bool) {
	if suffix == "" {
		return 1, true
	}
	base := int64(1000)
	switch strings.ToLower(suffix[1:]) {
	case "":
	case "b", "i", "ib":
		base = 1024
	default:
		return 0, false
	}
	n := int64(1)
	for range 1 + strings.Index("kmgtpe", strings.ToLower(suffix[:1])) {
		n *= base
	}
	return n, true
}

// float reads the rest of a number from its point on; with a second point it is
// an address.
func (p *parser) float(start int) *Value {
	p.pos++
	if r, _ := p.peek(); !unicode.IsDigit(r) {
		p.failFound(p.pos, "expected a digit after '.'").WithHint("put quotes around a string that begins like a number")
		p.resync()
		return nil
	}
	for {
		r, w := p.peek()
		if r == '.' {
			return p.address(start)
		}
		if !unicode.IsDigit(r) {
			break
		}
		p.pos += w
	}
	span := p.span(start)
	f, err := strconv.ParseFloat(span.Text(), 64)
	if err != nil {
		if errors.Is(err, strconv.ErrRange) {
			p.fail(span, "the number is too large")
		} else {
			p.fail(span, "%q is not a number", span.Text())
		}
		return nil
	}
	return NewFloat(span, f)
}

// address reads the rest of something like 127.0.0.1:4222, a string.
func (p *parser) address(start int) *Value {
	for {
		r, w := p.peek()
		if !unicode.IsDigit(r) && r != '.' && r != ':' && r != '-' {
			v := NewString(p.span(start), p.text[start:p.pos])
			v.quoted = false
			return v
		}
		p.pos += w
	}
}

// date reads a time from behind its year. Nothing else may have a minus sign
// behind digits.
func (p *parser) date(start int) *Value {
	const shape = "2006-01-02T15:04:05Z"
	stop := min(start+len(shape), len(p.text))
	t, err := time.Parse(shape, p.text[start:stop])
	if err != nil {
		// The mistake covers the word, whatever it was meant to be.
		for r, w := p.peek(); !endsNumber(r) && r != ']'; r, w = p.peek() {
			p.pos += w
		}
		p.fail(p.span(start), "%q is not a time such as 2026-11-22T18:00:00Z", p.text[start:p.pos]).
			WithHint("put quotes around a string that begins like a number")
		p.resync()
		return nil
	}
	p.pos = stop
	return NewTime(p.span(start), t)
}

// bare reads the rest of a string without quotes that begins at start, and
// finds out whether it is a boolean or a variable.
func (p *parser) bare(start int) *Value {
	var parts []byte
	from, escaped := start, false
	for {
		r, w := p.peek()
		switch {
		case r == '\\':
			parts = append(parts, p.text[from:p.pos]...)
			parts = p.escape(parts)
			from, escaped = p.pos, true
			continue
		case endsNumber(r), r == ']', r == '\'':
			s := p.text[from:p.pos]
			if escaped {
				s = string(append(parts, s...))
			}
			if r == '\'' {
				p.pos++ // taken, and what stands before it is a string in any case
			} else if !escaped {
				if v, ok := p.word(start, s); ok {
					return v
				}
			}
			v := NewString(p.span(start), s)
			v.quoted = false
			return v
		}
		p.pos += w
	}
}

// word reads a bare word that is not a string: a boolean or a variable.
func (p *parser) word(start int, s string) (*Value, bool) {
	if len(s) > 0 && s[0] == '$' {
		return p.variable(s[1:], p.span(start)), true
	}
	if len(s) < 2 || len(s) > 5 {
		return nil, false
	}
	switch strings.ToLower(s) {
	case "true", "yes", "on":
		return NewBool(p.span(start), true), true
	case "false", "no", "off":
		return NewBool(p.span(start), false), true
	}
	return nil, false
}
