package subject

import "strings"

// Intersect returns the pattern of all subjects that both patterns match, and
// whether there are any. Both must be valid.
func Intersect(a, b string) (string, bool) {
	var tokens []string
	for {
		ta, ra, moreA := Next(a)
		tb, rb, moreB := Next(b)
		switch {
		case isTail(ta):
			return strings.Join(append(tokens, b), "."), true
		case isTail(tb):
			return strings.Join(append(tokens, a), "."), true
		case isStar(ta):
			tokens = append(tokens, tb)
		case isStar(tb) || ta == tb:
			tokens = append(tokens, ta)
		default:
			return "", false
		}
		if moreA != moreB {
			return "", false
		}
		if !moreA {
			return strings.Join(tokens, "."), true
		}
		a, b = ra, rb
	}
}
