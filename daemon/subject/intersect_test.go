package subject

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A literal subject matches the intersection exactly if it matches both.
func TestIntersect(t *testing.T) {
	pattern := rapid.Custom(func(t *rapid.T) string {
		tokens := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*"}), 1, 4).Draw(t, "tokens")
		if rapid.Bool().Draw(t, "open") {
			tokens = append(tokens, ">")
		}
		return strings.Join(tokens, ".")
	})
	literal := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 1, 6).Draw(t, "tokens"), ".")
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, s := pattern.Draw(t, "a"), pattern.Draw(t, "b"), literal.Draw(t, "s")
		both, ok := Intersect(a, b)
		if ok && !Valid(both) {
			t.Fatalf("%s and %s: %s is no pattern", a, b, both)
		}
		if want := Matches(a, s) && Matches(b, s); (ok && Matches(both, s)) != want {
			t.Fatalf("%s and %s give %q (%v), but for %s that is wrong", a, b, both, ok, s)
		}
	})
}
