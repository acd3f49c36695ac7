package confparse

import (
	"unicode"
	"unicode/utf8"
)

// end is what peek returns behind the last character. A NUL byte looks the
// same, as it does to nats-server; atEnd tells them apart.
const end rune = 0

// peek returns the next character and its width without taking it.
func (p *parser) peek() (rune, int) {
	if p.pos >= len(p.text) {
		return end, 0
	}
	if c := p.text[p.pos]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRuneInString(p.text[p.pos:])
}

// next takes one character.
func (p *parser) next() rune {
	r, w := p.peek()
	p.pos += w
	return r
}

// ahead reports whether the text goes on with s.
func (p *parser) ahead(s string) bool {
	return len(p.text)-p.pos >= len(s) && p.text[p.pos:p.pos+len(s)] == s
}

func (p *parser) atEnd() bool { return p.pos >= len(p.text) }

func blank(r rune) bool   { return r == ' ' || r == '\t' }
func newline(r rune) bool { return r == '\n' || r == '\r' }
func keySep(r rune) bool  { return r == ':' || r == '=' }

// space reports white space of any script, line ends included.
func space(r rune) bool {
	if r < utf8.RuneSelf {
		return r == ' ' || r >= '\t' && r <= '\r'
	}
	return unicode.IsSpace(r)
}

// skipBlanks takes blanks and tabs.
func (p *parser) skipBlanks() {
	for p.pos < len(p.text) && blank(rune(p.text[p.pos])) {
		p.pos++
	}
}

// skipSpace takes white space and line ends.
func (p *parser) skipSpace() {
	for {
		r, w := p.peek()
		if w == 0 || !space(r) {
			return
		}
		p.pos += w
	}
}

// comment takes a comment up to, not including, the end of its line, if one
// begins here. A NUL byte ends it too.
func (p *parser) comment() bool {
	if !p.ahead("#") && !p.ahead("//") {
		return false
	}
	start := p.pos
	for p.pos < len(p.text) {
		if c := p.text[p.pos]; newline(rune(c)) || c == 0 {
			break
		}
		p.pos++
	}
	p.record.comment(p.text[start:p.pos], start)
	return true
}

// number suffixes begin with one of these.
func suffixLetter(r rune) bool {
	switch r {
	case 'k', 'K', 'm', 'M', 'g', 'G', 't', 'T', 'p', 'P', 'e', 'E':
		return true
	}
	return false
}

// resync skips what follows a mistake: the rest of the line, and if brackets
// were opened on it, up to where they are closed. It stops before a bracket that
// closes something opened earlier.
func (p *parser) resync() {
	defer func() { p.quiet = p.pos }()
	open := 0
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; c {
		case '\n':
			if open == 0 {
				return
			}
		case '{', '[':
			open++
		case '}', ']':
			if open == 0 {
				return
			}
			open--
		case '"', '\'':
			p.skipQuoted(c)
			continue
		case '#':
			p.skipLine()
			continue
		case '/':
			if p.ahead("//") && open > 0 {
				p.skipLine()
				continue
			}
		}
		p.pos++
	}
}

func (p *parser) skipLine() {
	for p.pos < len(p.text) && p.text[p.pos] != '\n' {
		p.pos++
	}
}

// skipQuoted takes a quoted string that ends on its line, or the quote alone.
func (p *parser) skipQuoted(quote byte) {
	for i := p.pos + 1; i < len(p.text) && p.text[i] != '\n'; i++ {
		switch p.text[i] {
		case quote:
			p.pos = i + 1
			return
		case '\\':
			if quote == '"' {
				i++
			}
		}
	}
	p.pos++
}
