package confparse

import (
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"
)

// What is wrong with a text that is or may be a secret is said without a word of it. The parser knows no options: a key
// that is called like a secret has one for its value, and where such a value has no quotes, what follows it on the line may
// belong to it, since a comma or a blank in a password is what breaks it.

// secretWords are what the keys of secrets end with, and those of what may hold a password in the middle.
var secretWords = [...]string{"pass", "passwd", "password", "passphrase", "pwd", "token", "secret", "seed", "bcrypt", "sentinel", "jwt",
	"encryption_key"}

// secretNames are whole keys of such.
var secretNames = [...]string{"key", "prev_key", "ek", "prev_ek", "routes", "url", "urls", "operator", "operators", "resolver_preload"}

// secretKey reports whether the value of a key is or may hold a secret.
func secretKey(key string) bool {
	for _, w := range secretWords {
		if len(key) >= len(w) && strings.EqualFold(key[len(key)-len(w):], w) {
			return true
		}
	}
	for _, w := range secretNames {
		if strings.EqualFold(key, w) {
			return true
		}
	}
	return false
}

// guard is a part of a source that no message quotes.
type guard struct {
	from, to int
	end      int  // of the value, as it was read
	lost     bool // it could not be read
}

// guarded reads the value of a key, and keeps it out of messages if it is a secret.
func (p *parser) guarded(key string) *Value {
	if !secretKey(key) || p.src.guards(p.pos) {
		return p.value()
	}
	start := p.pos
	p.src.guarded = append(p.src.guarded, guard{from: start, to: len(p.text) + 1})
	own := len(p.src.guarded) - 1
	p.skipBlanks()
	opener, _ := utf8.DecodeRuneInString(strings.TrimLeft(p.text[min(p.pos, len(p.text)):], " \t"))
	v := p.value()
	rest := p.text[min(p.pos, len(p.text)):]
	to := p.pos
	switch next := strings.TrimLeft(rest, " \t"); {
	case v == nil && strings.ContainsRune("\"'([{", opener):
		to = len(p.text) + 1 // nobody knows where it ends
	case v != nil && (v.quoted || v.ref != nil) && (next == "" || strings.ContainsRune(",;}]\r\n#/", rune(next[0]))):
	default:
		if end := strings.IndexByte(rest, '\n'); end >= 0 {
			to += end
		} else {
			to = len(p.text) + 1
		}
	}
	p.src.guarded[own].to, p.src.guarded[own].end, p.src.guarded[own].lost = to, p.pos, v == nil
	return v
}

// guards reports whether an offset is in a part that is not quoted.
func (s *Source) guards(offset int) bool {
	if s == nil || s.masked {
		return s != nil
	}
	// They stand in the order of the text and do not overlap: in one no other begins.
	i := sort.Search(len(s.guarded), func(i int) bool { return s.guarded[i].from > offset })
	return i > 0 && offset < s.guarded[i-1].to
}

// Guarded reports whether s begins in what is a secret or may be a part of one: what stands there must not be shown.
func (s Span) Guarded() bool { return !s.IsZero() && s.src.guards(int(s.start)) }

// Continues reports whether s stands behind a secret without quotes, and either no white space or nothing that separates
// is in between: a key there is the rest of the secret, most likely.
func (s Span) Continues() bool {
	if s.IsZero() {
		return false
	}
	for _, g := range s.src.guarded {
		at := int(s.start)
		if at < g.end || at >= g.to {
			continue
		}
		between := s.src.text[g.end:at]
		if g.lost || !strings.ContainsAny(between, " \t\r\n") || !strings.ContainsAny(between, ",;}\n") {
			return true
		}
	}
	return false
}

// plain is an argument of a message that is not from the text.
type plain string

// hideGuarded replaces what of a line is guarded by as many stars.
func (s *Source) hideGuarded(n int, line string) string {
	begin := s.lines[n-1]
	if n == 1 {
		begin += s.hidden
	}
	var b strings.Builder
	for i, c := range line {
		if s.guards(begin + i) {
			c = '*'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// both is a line in which is hidden what is hidden in one of two, which are the same otherwise.
func both(a, b string) string {
	other := []rune(b)
	n := -1
	return strings.Map(func(c rune) rune {
		if n++; n < len(other) && other[n] == '*' {
			return '*'
		}
		return c
	}, a)
}

// unquoted stands for an argument of a message about a text that is not quoted.
type unquoted struct{}

func (unquoted) Format(f fmt.State, verb rune) { _, _ = f.Write([]byte("…")) }

// discreet returns the arguments of a message about a place as they can be shown: none of them, where the place is
// not quoted.
func discreet(span Span, args []any) []any {
	if !span.Guarded() {
		return args
	}
	out := make([]any, len(args))
	for i, a := range args {
		if _, ok := a.(plain); !ok {
			a = unquoted{}
		}
		out[i] = a
	}
	return out
}
