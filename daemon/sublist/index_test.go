package sublist

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// member is a subscription of the tests.
type member struct {
	subject, queue string
	kind           uint8
	id             int
}

func (m *member) Subject() string { return m.subject }
func (m *member) Queue() string   { return m.queue }
func (m *member) Kind() uint8     { return m.kind }

type testIndex = Index[member, int, *member]

// matched lists the ids of the members that a subject reaches: plain ones, and all
// of each group.
func matched(x *testIndex, s string) []int {
	var ids []int
	for _, n := range x.Match([]byte(s), Hash([]byte(s)), nil) {
		one, l := n.Members()
		if one != nil {
			ids = append(ids, one.id)
		}
		if l == nil {
			continue
		}
		for _, m := range l.Plain {
			ids = append(ids, m.id)
		}
		for _, g := range l.Queues {
			for _, m := range g.Subs {
				ids = append(ids, m.id)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

var tokens = rapid.SampledFrom([]string{"a", "b", "c", "*", ">", "a*", ""})

func pattern(t *rapid.T, label string) string {
	return strings.Join(rapid.SliceOfN(tokens, 1, 4).Draw(t, label), ".")
}

// kinds are those of members: the common one, one that the watcher is not told of, one that
// it is told of, and one of guests.
var kinds = []uint8{0, 1, 2 | Announced, 3 | Announced | Guest}

// An index answers as looking at every member in turn does, whatever came and went
// before, tells its watcher the right counts, and outdates the stamps of what has
// changed.
func TestIndexAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := New[member, int]()
		type key struct{ subject, queue string }
		counts := map[key]Tally{}
		x.Watch(func(c Change) { counts[key{c.Subject, c.Queue}] = Tally{c.Count, c.Guests} })
		var model []*member
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(model) > 0 && rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				k := rapid.IntRange(0, len(model)-1).Draw(t, "which")
				m := model[k]
				if !x.Remove(m) {
					t.Fatalf("%+v was not there", m)
				}
				if x.Remove(m) {
					t.Fatalf("%+v was there twice", m)
				}
				model = slices.Delete(model, k, k+1)
				continue
			}
			if rapid.IntRange(0, 15).Draw(t, "crowd") == 0 {
				subject := pattern(t, "crowd's pattern")
				for range crowdFrom + 10 {
					m := &member{subject: subject, kind: kinds[len(model)%len(kinds)], id: 1000 + len(model)}
					if _, err := x.Insert(m); err == nil {
						model = append(model, m)
					}
				}
				for range rapid.SampledFrom([]int{0, 20, crowdFrom}).Draw(t, "leave again") {
					if k := len(model) - 1 - i%3; k >= 0 {
						if !x.Remove(model[k]) {
							t.Fatalf("%+v was not there", model[k])
						}
						model = slices.Delete(model, k, k+1)
					}
				}
				compare(t, x, model)
			}
			m := &member{subject: pattern(t, "pattern"), queue: rapid.SampledFrom([]string{"", "", "q", "r"}).Draw(t, "queue"),
				kind: rapid.SampledFrom(kinds).Draw(t, "kind"), id: i}
			s := pattern(t, "stamped")
			shard := ShardOf([]byte(s))
			before := x.Stamp(shard)
			_, err := x.Insert(m)
			if (err == nil) != subject.Valid(m.subject) {
				t.Fatalf("Insert(%q): %v", m.subject, err)
			}
			if err == nil {
				model = append(model, m)
				if subject.Matches(m.subject, s) && x.Stamp(shard) == before {
					t.Fatalf("the stamp of %q outlived the insertion of %q", s, m.subject)
				}
			}
		}
		compare(t, x, model)
		want := map[key]Tally{}
		for _, m := range model {
			k := key{m.subject, m.queue}
			n := want[k]
			if m.kind == 0 || m.kind&Announced != 0 {
				n.Own++
			}
			if m.kind&Guest != 0 {
				n.Guests++
			}
			want[k] = n
		}
		late := map[key]Tally{}
		x.Watch(func(c Change) { late[key{c.Subject, c.Queue}] = Tally{c.Count, c.Guests} })
		for k, n := range late {
			if n != want[k] {
				t.Fatalf("a watcher that comes late is told %v of %v, there are %v", n, k, want[k])
			}
		}
		for k, n := range counts {
			if n != want[k] {
				t.Fatalf("watcher was told %v of %v, there are %v", n, k, want[k])
			}
		}
		for k, n := range want {
			if _, ok := counts[k]; !ok && n.Own > 0 {
				t.Fatalf("watcher was not told of %v", k)
			}
		}
	})
}

func compare(t *rapid.T, x *testIndex, model []*member) {
	if x.Len() != len(model) {
		t.Fatalf("Len() = %d, want %d", x.Len(), len(model))
	}
	listed := 0
	x.Each(func(n *Node[member, int]) bool {
		one, l := n.Members()
		if one != nil {
			listed++
		}
		if l != nil {
			listed += len(l.Plain)
			for _, g := range l.Queues {
				listed += len(g.Subs)
			}
		}
		return true
	})
	if listed != len(model) {
		t.Fatalf("Each lists %d members, want %d", listed, len(model))
	}
	for range 10 {
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "a*", ""}), 1, 5).Draw(t, "subject"), ".")
		var want []int
		for _, m := range model {
			if subject.Matches(m.subject, s) {
				want = append(want, m.id)
			}
		}
		slices.Sort(want)
		if got := matched(x, s); !slices.Equal(got, want) {
			t.Fatalf("Match(%q) = %v, want %v of %d", s, got, want, len(model))
		}
		likeEachOther(t, x, s, 1)
		likeEachOther(t, x, s, 2)
		likeEachOther(t, x, s, 3)
	}
}

// likeEachOther checks what the index says of the subjects of so many tokens more than s.
func likeEachOther(t *rapid.T, x *testIndex, s string, more int) {
	if !subject.ValidLiteral(s) || !x.Alike([]byte(s), more) {
		return
	}
	first, seen := []int(nil), false
	all := []string{s}
	for range more {
		var longer []string
		for _, s := range all {
			for _, token := range []string{"a", "b", "c", "a*", "never"} {
				longer = append(longer, s+"."+token)
			}
		}
		all = longer
	}
	for _, s := range all {
		one := []byte(s)
		if x.Literal(one, Hash(one)) {
			continue
		}
		if got := matched(x, string(one)); !seen {
			first, seen = got, true
		} else if !slices.Equal(got, first) {
			t.Fatalf("%q matches %v, others that are alike %v", one, got, first)
		}
	}
}

// Subjects are alike unless a pattern tells them apart.
func TestAlike(t *testing.T) {
	for pattern, want := range map[string]bool{
		"a.b.>": true, "a.b.*": true, "*.b.>": true, ">": true, "a.b.c": true, "b.b.c.*": true,
		"a.b.c.>": false, "a.*.c": false, "*.b.c": false, "*.*.c": false,
	} {
		x := New[member, int]()
		if _, err := x.Insert(&member{subject: pattern}); err != nil {
			t.Fatal(err)
		}
		if got := x.Alike([]byte("a.b"), 1); got != want {
			t.Errorf("with %q: %v", pattern, got)
		}
		if got, want := x.Alike([]byte("a"), 2), pattern == ">" || pattern == "a.b.c" || pattern == "b.b.c.*"; got != want {
			t.Errorf("with %q, two tokens: %v", pattern, got)
		}
		s := []byte("a.b.c")
		if got := x.Literal(s, Hash(s)); got != (pattern == "a.b.c") {
			t.Errorf("with %q: literal %v", pattern, got)
		}
	}
}

// What goes leaves nothing behind: the tables are as small as those of a new index.
func TestEmptiedIndexIsSmall(t *testing.T) {
	x := New[member, int]()
	var all []*member
	for i := range 5000 {
		m := &member{subject: fmt.Sprintf("a.%d.b", i), id: i}
		if i%2 == 0 {
			m.subject = fmt.Sprintf("a.%d.*.>", i)
		}
		if _, err := x.Insert(m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	for _, m := range all {
		x.Remove(m)
	}
	if n := len(x.literal.slots.Load().at); n > 64 {
		t.Errorf("%d slots for no subject", n)
	}
	if n := len(x.edges.slots.Load().at); n > 64 || x.root.star.Load() != nil {
		t.Errorf("%d slots for no branch", n)
	}
	if x.wild.Load() != 0 {
		t.Errorf("%d wildcards left", x.wild.Load())
	}
}

// Readers that hold no lock always find what is there all the time, whatever
// happens around it.
func TestReadersBesideWriters(t *testing.T) {
	x := New[member, int]()
	for i, s := range []string{"keep.1", "keep.*", "keep.>"} {
		if _, err := x.Insert(&member{subject: s, id: -1 - i}); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				found := 0
				for _, id := range matched(x, "keep.1") {
					if id < 0 {
						found++
					}
				}
				if found != 3 {
					t.Errorf("found %d of 3", found)
					return
				}
			}
		})
	}
	for round := range 20 {
		var some []*member
		for i := range 600 {
			m := &member{subject: fmt.Sprintf("keep.%d", i%50), id: i}
			switch i % 3 {
			case 0:
				m.subject = "keep.*"
			case 1:
				m.queue = "q"
			}
			if _, err := x.Insert(m); err != nil {
				t.Fatal(err)
			}
			some = append(some, m)
		}
		for _, m := range some {
			if !x.Remove(m) {
				t.Fatalf("round %d: %+v is gone", round, m)
			}
		}
	}
	close(stop)
	readers.Wait()
}

func TestMatchDoesNotAllocate(t *testing.T) {
	x := New[member, int]()
	for i := range 100 {
		_, _ = x.Insert(&member{subject: fmt.Sprintf("a.%d.*", i)})
		_, _ = x.Insert(&member{subject: fmt.Sprintf("a.%d.b", i)})
	}
	found := make([]*Node[member, int], 0, 8)
	hit, miss := []byte("a.7.b"), []byte("a.7.b.c")
	if n := testing.AllocsPerRun(100, func() {
		found = x.Match(hit, Hash(hit), found[:0])
		if len(found) != 2 {
			t.Fatalf("found %d", len(found))
		}
		found = x.Match(miss, Hash(miss), found[:0])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// However many subscribe to a pattern, one more comes and goes in the same time.
func BenchmarkComeAndGo(b *testing.B) {
	for _, n := range []int{1, 100, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x := New[member, int]()
			for i := range n {
				if _, err := x.Insert(&member{subject: "a.b", id: i}); err != nil {
					b.Fatal(err)
				}
			}
			m := &member{subject: "a.b", id: n}
			for b.Loop() {
				if _, err := x.Insert(m); err != nil || !x.Remove(m) {
					b.Fatal("not there", err)
				}
			}
		})
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, c := range []struct {
		name   string
		wild   int
		target string
	}{{"literal", 0, "orders.eu.123.new"}, {"wild10k", 10000, "orders.eu.123.new"}} {
		b.Run(c.name, func(b *testing.B) {
			x := New[member, int]()
			_, _ = x.Insert(&member{subject: c.target})
			for i := range c.wild {
				_, _ = x.Insert(&member{subject: fmt.Sprintf("orders.*.%d.>", i)})
			}
			s := []byte(c.target)
			h := Hash(s)
			found := make([]*Node[member, int], 0, 8)
			b.ReportAllocs()
			for b.Loop() {
				found = x.Match(s, h, found[:0])
			}
		})
	}
}
