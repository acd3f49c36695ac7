package confparse

import (
	"errors"
	"strings"
	"testing"
)

// Who puts a space between a number and its unit is told so, and nobody else.
func TestUnitBehindSpace(t *testing.T) {
	for text, want := range map[string]string{
		"max_payload: 8 MB\n":     "write the unit without a space: 8MB",
		"a { size: 8 gib, b: 1 }": "write the unit without a space: 8gib",
		"ping_interval: 30 s\n":   "write the unit without a space: 30s",
		"name: 8 Mules\n":         "put quotes around a string that begins like a number",
		"name: 8 -\n":             "put quotes around a string that begins like a number",
	} {
		_, err := Parse("f", []byte(text), Options{})
		var errs Errors
		if !errors.As(err, &errs) {
			t.Errorf("%q: %v", text, err)
			continue
		}
		var b strings.Builder
		if err := errs.Render(&b, false); err != nil || !strings.Contains(b.String(), want) {
			t.Errorf("%q: %v, %s", text, err, b.String())
		}
	}
}
