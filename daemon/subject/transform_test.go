package subject

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The results are those of nats-server 2.15.3 for the same source, destination
// and subject.
func TestTransform(t *testing.T) {
	for _, c := range []struct{ source, destination, subject, want string }{
		{"foo", "bar", "foo", "bar"},
		{"foo.*.*", "bar.$2.$1", "foo.a.b", "bar.b.a"},
		{"foo.*.*", "bar.{{wildcard(2)}}.{{ Wildcard( 1 ) }}", "foo.a.b", "bar.b.a"},
		{"foo.*", "bar.{{wildcard(0)}}", "foo.a", "bar.foo"},
		{"foo.>", "bar.>", "foo.a.b.c", "bar.a.b.c"},
		{"foo.*.>", "bar.$1.x.>", "foo.a.b.c", "bar.a.x.b.c"},
		{">", "pre.>", "a.b", "pre.a.b"},
		{"", "pre.>", "a.b", "pre.a.b"},
		{">", ">", "a.b", "a.b"},
		{"foo.*.*", "bar.{{partition(10,1,2)}}", "foo.foo1.bar1", "bar.0"},
		{"foo.*.*", "bar.{{partition(10)}}", "foo.foo1.bar1", "bar.6"},
		{"foo", "bar.{{partition(3)}}", "foo", "bar.0"},
		{"foo", "bar.{{partition(3,1)}}", "foo", "bar.0"},
		{"*", "bar.{{partition(0,1)}}", "foo", "bar.0"},
		{"*", "{{splitfromleft(1,3)}}", "12345", "123.45"},
		{"*", "{{SplitFromRight(1,3)}}", "12345", "12.345"},
		{"*", "{{SplitFromRight(1,5)}}", "12345", "12345"},
		{"*", "{{SliceFromLeft(1,3)}}", "1234567890", "123.456.789.0"},
		{"*", "{{SliceFromRight(1,3)}}", "1234567890", "1.234.567.890"},
		{"*", "{{SliceFromLeft(1,5)}}", "1234567890", "12345.67890"},
		{"*", "{{split(1,-)}}", "-abc-def--ghi-", "abc.def.ghi"},
		{"*", "{{left(1,3)}}", "abcdef", "abc"},
		{"*", "{{right(1,3)}}", "abcdef", "def"},
		{"*", "{{right(1,9)}}", "abcdef", "abcdef"},
		{"orders.*", "$JS.$1.$G", "orders.x", "$JS.x.$G"},
		{"*", "{{random(1)}}", "a", "0"},
	} {
		tr, err := NewTransform(c.source, c.destination)
		if err != nil {
			t.Errorf("%s -> %s: %v", c.source, c.destination, err)
			continue
		}
		got, ok := tr.Match(c.subject)
		if !ok || got != c.want {
			t.Errorf("%s -> %s: %s became %q (%v), want %q", c.source, c.destination, c.subject, got, ok, c.want)
		}
		if got := tr.Apply(c.subject); got != c.want {
			t.Errorf("%s -> %s: Apply(%s) = %q, want %q", c.source, c.destination, c.subject, got, c.want)
		}
	}
}

// The functions of accounts are resolved once; the hash is nats-server's.
func TestResolveAccounts(t *testing.T) {
	both := Accounts{Account: "EXP", Import: "IMP"}
	for _, c := range []struct {
		in, want string
		names    Accounts
		err      error
	}{
		{"a.{{account-hash()}}.>", "a.6bnb23H0.>", both, nil},
		{"{{ Account-Hash-Import ( ) }}.*", "7bLjePac.*", both, nil},
		{"a.{{wildcard(1)}}.{{account-hash()}}", "a.{{wildcard(1)}}.6bnb23H0", both, nil},
		{"a.{{}}.b", "a.{{}}.b", both, nil},
		{"a.{{account-hash}}", "a.{{account-hash}}", both, nil},
		{"{{account-hash(x)}}", "", both, ErrMappingManyArgs},
		{"{{account-hash(,)}}", "", both, ErrMappingManyArgs},
		{"{{account-hash-import()}}", "", Accounts{Account: "EXP"}, ErrMappingUnavailable},
		{"{{account-hash-leaf-remote()}}", "", both, ErrMappingUnavailable},
	} {
		got, err := c.names.Resolve(c.in)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s became %q, %v, want %q, %v", c.in, got, err, c.want, c.err)
		}
	}
	if _, err := NewTransform("a", "b.{{account-hash()}}"); !errors.Is(err, ErrMappingUnavailable) {
		t.Errorf("a transform that nobody has resolved gives %v", err)
	}
}

func TestTransformDoesNotMatch(t *testing.T) {
	for _, c := range []struct{ source, subject string }{
		{"foo.*", "foo"}, {"foo.*", "foo.a.b"}, {"foo.>", "foo"}, {"foo", "bar"}, {"a.*.c", "a.b.d"},
	} {
		dest := "x"
		if strings.HasSuffix(c.source, ">") {
			dest = "x.>"
		}
		tr, err := NewTransform(c.source, dest)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := tr.Match(c.subject); ok {
			t.Errorf("%s matches %s as %q", c.source, c.subject, got)
		}
	}
}

func TestTransformErrors(t *testing.T) {
	for _, c := range []struct {
		source, destination string
		reversible          bool
		want                error
		text                string
	}{
		{"foo..a", "bar", false, ErrBadSubject, "invalid subject"},
		{"foo", "bar.*", false, ErrBadSubject, ""},
		{"foo.>", "bar", false, ErrBadSubject, ""},
		{"foo", "bar.>", false, ErrBadSubject, ""},
		{"foo.>.a", "bar", false, ErrBadSubject, ""},
		{"foo", "bar.$1", false, ErrMappingIndex, "invalid mapping destination: wildcard index out of range in $1"},
		{"foo.*", "bar.$2", false, ErrMappingIndex, "invalid mapping destination: wildcard index out of range in $2: [2]"},
		{"foo.>", "bar.{{partition(2,1)}}.>", false, ErrMappingIndex, ""},
		{"foo.*", "bar.{{unknown(1)}}", false, ErrMappingFunction, "invalid mapping destination: unknown function in {{unknown(1)}}"},
		{"foo.*", "bar.{{WILDCARD(1)}}", false, ErrMappingFunction, ""},
		{"foo.*", "bar.{{wildcard()}}", false, ErrMappingFewArgs, ""},
		{"foo.*", "bar.{{wildcard(1,2)}}", false, ErrMappingManyArgs, ""},
		{"foo.*", "bar.{{wildcard(a)}}", false, ErrMappingArg, ""},
		{"foo.*", "bar.{{partition(99999999999)}}", false, ErrMappingArg, ""},
		{"foo.*", "bar.{{split(1)}}", false, ErrMappingFewArgs, ""},
		{"foo.*", "bar.{{split(1, -,x)}}", false, ErrMappingManyArgs, ""},
		{"foo.*", "bar.{{left(1,b)}}", false, ErrMappingArg, ""},
		{"foo.*.*", "bar.$1", true, ErrMappingWildcards, "invalid mapping destination: not using all of the token wildcard(s) in bar.$1"},
		{"foo.*", "bar.{{left(1,2)}}", true, ErrMappingImportOnly, ""},
	} {
		_, err := newTransform(c.source, c.destination, c.reversible)
		if !errors.Is(err, c.want) || c.text != "" && err.Error() != c.text {
			t.Errorf("%s -> %s: %v, want %v %s", c.source, c.destination, err, c.want, c.text)
		}
	}
}

func TestTransformVaries(t *testing.T) {
	tr, err := NewTransform("*", "{{random(1000000)}}")
	if err != nil || !tr.Varies() {
		t.Fatalf("random does not vary: %v", err)
	}
	if tr, _ = NewTransform("*", "{{partition(3,1)}}"); tr.Varies() {
		t.Error("partition varies")
	}
}

// Whatever a reversible transform makes of a subject, its reverse undoes.
func TestReverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 4).Draw(t, "wildcards")
		order := rapid.Permutation([]string{"$1", "$2", "$3", "$4"}[:n]).Draw(t, "order")
		stars := strings.Repeat(".*", n)
		dest := strings.Join(append([]string{"to"}, order...), ".")
		open := rapid.Bool().Draw(t, "open")
		subject := "from"
		for range n {
			subject += "." + rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "token")
		}
		source := "from" + stars
		if open {
			source, dest, subject = source+".>", dest+".>", subject+".x.y"
		}
		there, err := NewReversible(source, dest)
		if err != nil {
			t.Fatalf("%s -> %s: %v", source, dest, err)
		}
		back, err := there.Reverse()
		if err != nil {
			t.Fatalf("reverse of %s -> %s: %v", source, dest, err)
		}
		mapped, ok := there.Match(subject)
		if !ok {
			t.Fatalf("%s does not match %s", source, subject)
		}
		if got, ok := back.Match(mapped); !ok || got != subject {
			t.Fatalf("%s -> %s: %s became %s became %s", source, dest, subject, mapped, got)
		}
	})
}

func TestPlaceholders(t *testing.T) {
	if got := Placeholders("a.*.b.*.>"); got != "a.$1.b.$2.>" {
		t.Error(got)
	}
}
