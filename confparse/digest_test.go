package confparse

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"
)

// plainDigest is Digest by way of encoding/json.
func plainDigest(t testing.TB, v *Value) string {
	t.Helper()
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(v.Interface()); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("sha256:%x", h.Sum(nil))
}

// What is hashed is what encoding/json would write.
func TestDigestIsThatOfJSON(t *testing.T) {
	for _, text := range []string{
		``, `a: 1`, `b: 2, a: 1`, `a { z: 1, b: [1, 2.5, -3k, true, "x"], a {} }, c: []`,
		`t: 2020-01-02T03:04:05Z`, `s: "<a> & \"b\" \\ \t \x7f ä   "`, `"ä": 1, "A": 2, "<": 3`, "s: \"\xff\"", `f: 1e3`, `f: 123456789012345678901.5`, `f: 0.00000001`,
		`n: -9223372036854775808`, `u { b: $v }, v { c: 1 }`,
	} {
		tree, err := Parse("x", []byte(text), Options{})
		if err != nil {
			t.Logf("%q: %v", text, err)
			continue
		}
		v := tree.Root
		if got, want := Digest(v), plainDigest(t, v); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	every := make([]byte, 0, 256)
	for i := range 256 {
		every = append(every, byte(i))
	}
	v := NewMap(Span{}, Entry{Key: string(every), Value: NewString(Span{}, string(every))}, Entry{Key: "nothing"})
	if got, want := Digest(v), plainDigest(t, v); got != want {
		t.Errorf("every byte: %s, want %s", got, want)
	}
}
