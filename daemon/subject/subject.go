// Package subject knows the grammar of NATS subjects: tokens separated by dots,
// "*" standing for one token and a final ">" for one or more. It is pure: no
// clock, no i/o, no state.
//
// A subject to publish to is literal. A subject to subscribe to is a pattern: it
// may hold wildcards, each a token of its own; a "*" or ">" within a longer token
// is an ordinary character (https://docs.nats.io/nats-concepts/subjects).
package subject

import (
	"strings"
	"unicode/utf8"
)

// Text is what the functions of this package read: they keep no reference to it.
type Text interface{ ~string | ~[]byte }

// Valid reports whether s can be subscribed to: no empty token, and no token
// behind ">". White space cannot occur in a subject that came over the wire and
// is not looked for; see [ValidStrict].
func Valid[S Text](s S) bool {
	start := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' {
			continue
		}
		if i == start {
			return false
		}
		if i-start == 1 && s[start] == '>' && i < len(s) {
			return false
		}
		start = i + 1
	}
	return true
}

// ValidStrict is [Valid] for subjects that did not come over the wire, such as
// those of a configuration: white space is refused too, and with checkRunes also
// NUL and what is not UTF-8.
func ValidStrict(s string, checkRunes bool) bool {
	if checkRunes && (strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError)) {
		return false
	}
	return Valid(s) && FitsLine(s) && strings.IndexByte(s, '\f') < 0
}

// FitsLine reports whether s can stand in a line of the protocol as one word: it holds nothing that separates words or
// ends lines. Whatever becomes a part of a line and did not come as a word of one, be it a subject, the name of an
// account or of a queue group, is held to it.
func FitsLine[S Text](s S) bool {
	i := 0
	for ; i+8 <= len(s); i += 8 {
		v := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		if (v-0x2121212121212121)&^v&0x8080808080808080 != 0 { // one of them is at most a space
			break
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c <= ' ' && (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
			return false
		}
	}
	return true
}

// ValidLiteral reports whether s can be published to when a client asked for
// pedantic checks: no empty token and no wildcard.
func ValidLiteral[S Text](s S) bool {
	start := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' {
			continue
		}
		if i == start || i-start == 1 && (s[start] == '*' || s[start] == '>') {
			return false
		}
		start = i + 1
	}
	return true
}

// IsLiteral reports whether s holds no wildcard token. It says nothing about
// empty tokens.
func IsLiteral[S Text](s S) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '*' && c != '>' {
			continue
		}
		if (i == 0 || s[i-1] == '.') && (i+1 == len(s) || s[i+1] == '.') {
			return false
		}
	}
	return true
}

// Next cuts the first token off s. more is false when it was the last.
func Next[S Text](s S) (token, rest S, more bool) {
	for i := 0; i < len(s); i++ {
		if s[i] == '.' {
			return s[:i], s[i+1:], true
		}
	}
	return s, s[len(s):], false
}

// Tokens counts the tokens of s.
func Tokens[S Text](s S) int {
	n := 1
	for i := 0; i < len(s); i++ {
		if s[i] == '.' {
			n++
		}
	}
	return n
}

func isStar[S Text](t S) bool { return len(t) == 1 && t[0] == '*' }
func isTail[S Text](t S) bool { return len(t) == 1 && t[0] == '>' }

// Matches reports whether a message published to the literal subject s reaches a
// subscription to pattern. A subject with an empty token reaches none.
func Matches[P, S Text](pattern P, s S) bool {
	for {
		p, prest, pmore := Next(pattern)
		t, srest, smore := Next(s)
		if isTail(p) && !pmore {
			return !hasEmptyToken(s)
		}
		if !isStar(p) && string(p) != string(t) || len(t) == 0 {
			return false
		}
		if pmore != smore {
			return false
		}
		if !pmore {
			return true
		}
		pattern, s = prest, srest
	}
}

func hasEmptyToken[S Text](s S) bool {
	for more := true; more; {
		var t S
		if t, s, more = Next(s); len(t) == 0 {
			return true
		}
	}
	return false
}

// IsSubset reports whether every literal subject that matches sub matches
// pattern too; both may hold wildcards.
func IsSubset[P, S Text](sub S, pattern P) bool {
	for {
		p, prest, pmore := Next(pattern)
		t, srest, smore := Next(sub)
		if isTail(p) && !pmore {
			return len(t) > 0
		}
		if isTail(t) && !smore || len(t) == 0 {
			return false
		}
		if !isStar(p) && string(p) != string(t) {
			return false
		}
		if pmore != smore {
			return false
		}
		if !pmore {
			return true
		}
		pattern, sub = prest, srest
	}
}

// Collide reports whether some literal subject matches both a and b; both may
// hold wildcards.
func Collide[A, B Text](a A, b B) bool {
	for {
		ta, arest, amore := Next(a)
		tb, brest, bmore := Next(b)
		if len(ta) == 0 || len(tb) == 0 {
			return false
		}
		if isTail(ta) && !amore || isTail(tb) && !bmore {
			return true
		}
		if !isStar(ta) && !isStar(tb) && string(ta) != string(tb) {
			return false
		}
		if amore != bmore {
			return false
		}
		if !amore {
			return true
		}
		a, b = arest, brest
	}
}
