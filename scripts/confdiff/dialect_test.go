// Package confdiff compares how nats-broker and nats-server read configuration.
package confdiff

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/confparse"
	"github.com/nats-io/nats-server/v2/conf"
)

// both parses a text with either parser. nats-server resolves variables from
// the real environment, so both do.
func both(t *testing.T, dir, text string) (ours, theirs any, ourErr, theirErr error) {
	t.Helper()
	path := filepath.Join(dir, "test.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tree, ourErr := confparse.ParseFile(path, confparse.Options{})
	m, theirErr := conf.ParseFileWithChecks(path)
	if theirErr == nil {
		theirs = plain(m)
	}
	if ourErr == nil {
		ours = tree.Root.Interface()
	}
	return ours, theirs, ourErr, theirErr
}

// plain strips nats-server's tokens.
func plain(v any) any {
	if tk, ok := v.(interface{ Value() any }); ok {
		v = tk.Value()
	}
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, e := range v {
			m[k] = plain(e)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = plain(e)
		}
		return list
	default:
		return v
	}
}

// dropped reports the mistakes that nats-server does not see because it drops
// or misplaces part of the text: the deliberate differences of package confparse.
func dropped(err error) bool {
	errs, ok := err.(confparse.Errors)
	if !ok {
		return false
	}
	for _, e := range errs {
		switch {
		case strings.HasPrefix(e.Message, "missing value for"),
			e.Message == "this string is not closed",
			e.Message == "the quote around this key is not closed",
			strings.HasSuffix(e.Message, "is not a suffix of a number"),
			strings.HasPrefix(e.Message, "the number does not fit"):
			return true
		}
	}
	return false
}

func compare(t *testing.T, dir, text string) {
	t.Helper()
	ours, theirs, ourErr, theirErr := both(t, dir, text)
	switch {
	case ourErr != nil && theirErr == nil && dropped(ourErr):
	case (ourErr == nil) != (theirErr == nil):
		t.Errorf("%q\n nats-broker: %v\n nats-server: %v", text, ourErr, theirErr)
	case ourErr == nil && !reflect.DeepEqual(ours, theirs):
		t.Errorf("%q\n nats-broker: %#v\n nats-server: %#v", text, ours, theirs)
	}
}

// pieces are what the dialect is made of, to be thrown together.
var pieces = []string{
	"a", "b", "port", "include", "true", "NO", "$a", "$b", "$ENVSTR", "$ENVMAP", "$ENVBAD", "$2a$11$x", "$",
	":", "=", " ", "\t", "\n", "\r", "\n", " ", " ", ",", ";", "{", "}", "{", "}", "[", "]", "[", "]", "(", ")", "(\n", "\n)\n",
	"\"", "\"", "'", "'", "\\", "\\n", "\\x41", "\\xg", "\\\"", "#", "//", "/", "-", ".", "1", "20", "1k", "1kb", "1kbb", "9e", "8Ti", "1.5", "1.", "1.2.3.4",
	"2026-11-22T18:00:00Z", "2026-13-22T18:00:00Z", "2026-", "\x00", "\u00a0", "é", "\xff", "٣", "\f", "x: 1\n", "y { z: 2 }\n", "a: 1\n", "a: [1, 2]\n", "k = \"v\"\n",
}

func TestRandomTexts(t *testing.T) {
	t.Setenv("ENVSTR", "some-text")
	t.Setenv("ENVMAP", "{x: 1, y: [a b\n]}")
	t.Setenv("ENVBAD", "a b")
	dir := t.TempDir()
	rounds := 10000
	if testing.Short() {
		rounds = 2000
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range rounds {
		var b strings.Builder
		for range 1 + rng.IntN(14) {
			b.WriteString(pieces[rng.IntN(len(pieces))])
		}
		compare(t, dir, b.String())
		if t.Failed() {
			return
		}
	}
}

// template makes texts that are valid more often than not.
func template(rng *rand.Rand, depth int, b *strings.Builder) {
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	for range rng.IntN(4) {
		b.WriteString(pick("a", "b", "c", "'k k'", "\"q\"", "d.e", "/a"))
		b.WriteString(pick(": ", " = ", " ", ":", "\n", " :"))
		value(rng, depth, b)
		b.WriteString(pick("\n", "\n", ",", ";", " \n", " # c\n", " // c\n", "/", "}", "", "\r\n"))
	}
}

func value(rng *rand.Rand, depth int, b *strings.Builder) {
	if depth > 0 {
		switch rng.IntN(5) {
		case 0:
			b.WriteString("{")
			template(rng, depth-1, b)
			b.WriteString("}")
			return
		case 1:
			b.WriteString("[")
			for range rng.IntN(4) {
				value(rng, depth-1, b)
				b.WriteString([]string{",", "\n", " ", ", ", "/"}[rng.IntN(5)])
			}
			b.WriteString("]")
			return
		}
	}
	b.WriteString(pieces[rng.IntN(len(pieces))])
	if rng.IntN(4) == 0 {
		b.WriteString(pieces[rng.IntN(len(pieces))])
	}
}

func TestRandomStructures(t *testing.T) {
	t.Setenv("ENVSTR", "some-text")
	t.Setenv("ENVMAP", "{x: 1, y: [a, b\n]}")
	t.Setenv("ENVBAD", "a b")
	dir := t.TempDir()
	rounds := 10000
	if testing.Short() {
		rounds = 2000
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	valid := 0
	for range rounds {
		var b strings.Builder
		if rng.IntN(4) == 0 {
			b.WriteString("{")
		}
		template(rng, 3, &b)
		if rng.IntN(4) == 0 {
			b.WriteString("}")
		}
		text := b.String()
		compare(t, dir, text)
		if _, err := conf.Parse(text); err == nil {
			valid++
		}
		if t.Failed() {
			return
		}
	}
	if valid < rounds/20 {
		t.Errorf("only %d of %d texts were valid: the test compares nothing", valid, rounds)
	}
	t.Logf("%d of %d texts valid", valid, rounds)
}

// The digest printed by -t is nats-server's.
func TestDigest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.conf")
	const text = "port: 4222, a { b: [1, 2.5, 'x<y>'\n], c: 2026-11-22T18:00:00Z }\nd: \"\\xff\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tree, err := confparse.ParseFile(path, confparse.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, digest, err := conf.ParseFileWithChecksDigest(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := confparse.Digest(tree.Root); got != digest {
		a, _ := json.Marshal(tree.Root.Interface())
		b, _ := json.Marshal(m)
		t.Errorf("%s, nats-server says %s\n%s\n%s", got, digest, a, b)
	}
}
