package config

import (
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nkeys"
)

// Defaults of values inside lists and maps, where the registry's defaults do not reach.
const (
	defaultResponses    = 1
	defaultResponseTime = 2 * time.Minute
)

// The kinds of public keys that a configuration names.
const (
	keyUser    = 'U'
	keyAccount = 'A'
	keyCurve   = 'X'
)

// lazily compiles an expression when it is first needed, which costs a start less.
func lazily(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

func validNkey(key string, kind byte) bool {
	switch kind {
	case keyUser:
		return nkeys.IsValidPublicUserKey(key)
	case keyAccount:
		return nkeys.IsValidPublicAccountKey(key)
	case keyCurve:
		return nkeys.IsValidPublicCurveKey(key)
	}
	return false
}

// validSubject reports whether s is a subject, wildcards allowed: tokens that are not empty and hold no white space, with
// ">" only at the end.
func validSubject(s string) bool {
	tokens := strings.Split(s, ".")
	for i, t := range tokens {
		if t == "" || strings.ContainsAny(t, " \t\n\r\f") || t == ">" && i != len(tokens)-1 {
			return false
		}
	}
	return true
}

// literal reports whether a subject has no wildcards.
func literal(s string) bool {
	for _, t := range strings.Split(s, ".") {
		if t == "*" || t == ">" {
			return false
		}
	}
	return true
}

// covers reports whether every subject that matches sub also matches pattern.
func covers(pattern, sub string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(sub, ".")
	for i, t := range p {
		if i >= len(s) {
			return false
		}
		switch {
		case t == ">":
			return true
		case s[i] == ">":
			return false
		case t == "*":
		case t != s[i]:
			return false
		}
	}
	return len(p) == len(s)
}

// collide reports whether some subject matches both patterns.
func collide(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := 0; i < len(x) && i < len(y); i++ {
		if x[i] == ">" || y[i] == ">" {
			return true
		}
		if x[i] != y[i] && x[i] != "*" && y[i] != "*" {
			return false
		}
	}
	return len(x) == len(y)
}

// validSeed reports whether text is the seed of a user's nkey.
func validSeed(text string) bool {
	pair, err := nkeys.FromSeed([]byte(text))
	if err != nil {
		return false
	}
	defer pair.Wipe()
	public, err := pair.PublicKey()
	return err == nil && nkeys.IsValidPublicUserKey(public)
}
