package confparse

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// offline keeps a parse away from the file system; the environment is testEnv.
func offline() Options {
	opts := testOptions()
	opts.ReadFile = func(string) ([]byte, error) { return nil, os.ErrNotExist }
	return opts
}

// FuzzParse looks for texts that make the parser panic or hang, whose canonical
// form says something else, or whose layout changes what they say.
func FuzzParse(f *testing.F) {
	for _, dir := range []string{"parse", "format"} {
		files, _ := filepath.Glob(filepath.Join("testdata", dir, "*.conf"))
		for _, path := range files {
			if text, err := os.ReadFile(path); err == nil {
				f.Add(text)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		tree, err := Parse("fuzz.conf", text, offline())
		if errs, ok := err.(Errors); ok {
			if err := errs.Render(io.Discard, true); err != nil {
				t.Fatal(err)
			}
			for _, e := range errs {
				if e.Span.IsZero() || e.Message == "" {
					t.Fatalf("an error without place or message: %+v", e)
				}
			}
		} else {
			roundTrip(t, tree.Root)
		}
		if laidOut, err := Format("fuzz.conf", text); err == nil {
			again, err := Format("fuzz.conf", laidOut)
			if err != nil || !bytes.Equal(laidOut, again) {
				t.Fatalf("layout is not stable (%v):\n%q\n%q", err, laidOut, again)
			}
			sameTree(t, text, laidOut)
		}
	})
}

// sameTree fails if two texts differ in what they say.
func sameTree(t *testing.T, a, b []byte) {
	t.Helper()
	x, errA := Parse("a", a, offline())
	y, errB := Parse("b", b, offline())
	if (errA == nil) != (errB == nil) || errA == nil && !reflect.DeepEqual(x.Root.Interface(), y.Root.Interface()) {
		t.Fatalf("%q (%v) and\n%q (%v) differ", a, errA, b, errB)
	}
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

// roundTrip fails unless the canonical form of v parses to v and is its own
// canonical form.
func roundTrip(t fataler, v *Value) {
	t.Helper()
	text, err := Print(v)
	if err != nil {
		return // a key with both kinds of quotes
	}
	again, err := Parse("printed.conf", text, offline())
	if err != nil {
		t.Fatalf("canonical form does not parse: %v\n%s", err, text)
	}
	if !reflect.DeepEqual(again.Root.Interface(), v.Interface()) {
		t.Fatalf("canonical form says something else:\n%s\n%#v\n%#v", text, v.Interface(), again.Root.Interface())
	}
	if second, _ := Print(again.Root); !bytes.Equal(second, text) {
		t.Fatalf("canonical form is not stable:\n%s\n%s", text, second)
	}
}

// anyValue generates values of every kind.
func anyValue(depth int) *rapid.Generator[*Value] {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "true", "$X", "$2a$x", "1k", "a b", "#", "\x00", "\xff", "it's", `"`, "\n)\n"}),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	kinds := []*rapid.Generator[*Value]{
		rapid.Map(text, func(s string) *Value { return NewString(Span{}, s) }),
		rapid.Map(rapid.Int64(), func(n int64) *Value { return NewInt(Span{}, n) }),
		rapid.Map(rapid.Bool(), func(b bool) *Value { return NewBool(Span{}, b) }),
		rapid.Map(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64), func(x float64) *Value { return NewFloat(Span{}, x) }),
		rapid.Map(rapid.Int64Range(0, 200_000_000_000), func(s int64) *Value { return NewTime(Span{}, time.Unix(s, 0)) }),
	}
	if depth > 0 {
		kinds = append(kinds, rapid.Map(rapid.SliceOfN(anyValue(depth-1), 0, 4), func(l []*Value) *Value { return NewArray(Span{}, l...) }),
			anyMap(depth-1))
	}
	return rapid.OneOf(kinds...)
}

func anyMap(depth int) *rapid.Generator[*Value] {
	key := rapid.OneOf(rapid.StringMatching(`[a-z_]{1,8}`), rapid.SampledFrom([]string{"include", "", "a b", "{", "}", "#x", `q"`, "q'", "ü"}))
	return rapid.Custom(func(t *rapid.T) *Value {
		var entries []Entry
		for range rapid.IntRange(0, 12).Draw(t, "n") {
			entries = append(entries, Entry{Key: key.Draw(t, "key"), Value: anyValue(depth).Draw(t, "value")})
		}
		return NewMap(Span{}, entries...)
	})
}

func TestAnyTreeRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyMap(3).Draw(t, "tree")
		if _, err := Print(v); err != nil {
			t.Fatalf("cannot be printed: %v", err)
		}
		roundTrip(t, v)
	})
}

func TestQuotedIsValidUTF8(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "s"))
		if q := AppendQuoted(nil, s); !utf8.Valid(q) || bytes.ContainsAny(q, "\n\x00\r") {
			t.Fatalf("%q", q)
		}
	})
}
