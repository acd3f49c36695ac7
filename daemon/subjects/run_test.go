package subjects

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// token draws from few tokens, among them such that sort before and behind the dot.
func token(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "a-", "a0", "aa", "-", "z", "id", "é"}).Draw(t, "token")
}

func drawSubject(t *rapid.T) string {
	s := token(t)
	for range rapid.IntRange(0, 3).Draw(t, "tokens") {
		s += "." + token(t)
	}
	return s
}

func drawFilter(t *rapid.T) *Filter {
	var patterns []string
	for range rapid.IntRange(0, 3).Draw(t, "patterns") {
		p := ""
		for i := range rapid.IntRange(1, 4).Draw(t, "depth") {
			if i > 0 {
				p += "."
			}
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				p += "*"
			case 1:
				p += ">"
			default:
				p += token(t)
			}
			if p[len(p)-1] == '>' {
				break
			}
		}
		patterns = append(patterns, p)
	}
	return NewFilter(patterns...)
}

func drawRun(t *rapid.T) (*Run, map[string][]uint32, []string) {
	numbers := map[string][]uint32{}
	n := uint32(rapid.IntRange(0, 300).Draw(t, "records"))
	pick := rapid.SliceOfNDistinct(rapid.Custom(drawSubject), 1, 60, rapid.ID).Draw(t, "subjects")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	for i := range n {
		s := pick[rng.IntN(len(pick))]
		numbers[s] = append(numbers[s], 2*i)
	}
	names := make([]string, 0, len(numbers))
	for s := range numbers {
		names = append(names, s)
	}
	slices.Sort(names)
	var w RunWriter
	for _, s := range names {
		w.Add([]byte(s), numbers[s])
	}
	body, head := w.Finish()
	r, err := OpenRun(head, Bytes(body))
	if err != nil {
		t.Fatal(err)
	}
	return r, numbers, names
}

// TestRunFindsWhatWasWritten asks a run for its subjects one by one, through filters with
// wildcards in any place, and for their numbers, and compares with a map.
func TestRunFindsWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, numbers, names := drawRun(t)
		for range 5 {
			s := drawSubject(t)
			h, ok, err := r.Find([]byte(s))
			if err != nil || ok != (numbers[s] != nil) {
				t.Fatalf("Find(%q) = %v, %v; want %v", s, ok, err, numbers[s] != nil)
			}
			if ok {
				got, err := r.Numbers(h, 1<<30, nil)
				if err != nil || !slices.Equal(got, numbers[s]) {
					t.Fatalf("numbers of %q: %v, %v; want %v", s, got, err, numbers[s])
				}
			}
		}
		for range 5 {
			f := drawFilter(t)
			var want, got []string
			for _, s := range names {
				if f.Match([]byte(s)) {
					want = append(want, s)
				}
			}
			it := r.Iter(f)
			for it.Next() {
				got = append(got, string(it.Name()))
				if h := it.Hit(); h.Msgs != len(numbers[got[len(got)-1]]) {
					t.Fatalf("%q has %d messages; want %d", it.Name(), h.Msgs, len(numbers[got[len(got)-1]]))
				}
			}
			if it.Err() != nil || !slices.Equal(got, want) {
				t.Fatalf("%q gives %q, %v; want %q", f.Patterns(), got, it.Err(), want)
			}
		}
	})
}

// TestRunOfManyLeaves has names and postings that fill several leaves.
func TestRunOfManyLeaves(t *testing.T) {
	const subjects = 20_000
	var w RunWriter
	for i := range subjects {
		numbers := []uint32{uint32(i)}
		if i%1000 == 0 {
			for k := range 20_000 {
				numbers = append(numbers, uint32(i+3*(k+1)+k%2))
			}
		}
		w.Add(fmt.Appendf(nil, "kv.%08d.id", i), numbers)
	}
	body, head := w.Finish()
	r, err := OpenRun(head, Bytes(body))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.leaves) < 20 {
		t.Fatalf("%d leaves: the test wants many", len(r.leaves))
	}
	for i := range subjects {
		h, ok, err := r.Find(fmt.Appendf(nil, "kv.%08d.id", i))
		if err != nil || !ok || h.First != uint32(i) {
			t.Fatalf("%d: %+v, %v, %v", i, h, ok, err)
		}
		if i%1000 == 0 {
			got, err := r.Numbers(h, 1<<30, nil)
			if err != nil || len(got) != 20_001 || got[7] != uint32(i+3*7+6%2) {
				t.Fatalf("%d: numbers: %d, %v", i, len(got), err)
			}
		}
	}
	n := 0
	for it := r.Iter(NewFilter("*.00019999.*", "kv.00000001.id", "kv.0.>")); it.Next(); {
		n++
	}
	if n != 2 {
		t.Fatalf("found %d, want 2", n)
	}
	t.Logf("%.1f bytes a subject, head %d bytes", float64(len(body)+len(head))/subjects, len(head))
}

// viewed counts the bytes that are asked for.
type viewed struct {
	Bytes
	n int
}

func (v *viewed) View(off int64, n int) ([]byte, error) {
	v.n += n
	return v.Bytes.View(off, n)
}

// TestWildcardInTheMiddleSkips: the names below a token that a wildcard has done with are not
// read.
func TestWildcardInTheMiddleSkips(t *testing.T) {
	var w RunWriter
	for i := range 10 {
		for j := range 10_000 {
			w.Add(fmt.Appendf(nil, "a.%d.%05d", i, j), []uint32{uint32(i*10_000 + j)})
		}
	}
	body, head := w.Finish()
	src := &viewed{Bytes: body}
	r, err := OpenRun(head, src)
	if err != nil {
		t.Fatal(err)
	}
	it := r.Iter(NewFilter("a.*.05000"))
	n := 0
	for it.Next() {
		n++
	}
	if n != 10 || it.Err() != nil {
		t.Fatalf("found %d, %v", n, it.Err())
	}
	if src.n > len(body)/4 {
		t.Fatalf("read %d of %d bytes for 10 subjects of 100,000", src.n, len(body))
	}
}

// TestMerge goes through several runs at once.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := map[string][]int{}
		var cursors []*Iter
		f := drawFilter(t)
		for i := range rapid.IntRange(0, 5).Draw(t, "runs") {
			r, numbers, _ := drawRun(t)
			cursors = append(cursors, r.Iter(f))
			for s := range numbers {
				if f.Match([]byte(s)) {
					want[s] = append(want[s], i)
				}
			}
		}
		last := ""
		err := Merge(cursors, func(name []byte, at []int) bool {
			if last != "" && string(name) <= last {
				t.Fatalf("%q behind %q", name, last)
			}
			last = string(name)
			if !slices.Equal(at, want[last]) {
				t.Fatalf("%q in %v, want %v", name, at, want[last])
			}
			delete(want, last)
			return true
		})
		if err != nil || len(want) != 0 {
			t.Fatalf("%v; left: %v", err, want)
		}
	})
}

// TestDamagedRunSaysSo flips each bit of a run: what is found is right, or the search says
// that it could not be made. The head has no sum of its own; whoever keeps it sums it.
func TestDamagedRunSaysSo(t *testing.T) {
	var w RunWriter
	for i := range 100 {
		w.Add(fmt.Appendf(nil, "s.%03d", i), []uint32{uint32(i), uint32(i + 200), uint32(2*i + 500)})
	}
	body, head := w.Finish()
	for bit := range len(body) * 8 {
		bad := slices.Clone(body)
		bad[bit/8] ^= 1 << (bit % 8)
		r, err := OpenRun(head, Bytes(bad))
		if err != nil {
			t.Fatal(err)
		}
		h, ok, err := r.Find([]byte("s.042"))
		if err == nil && (!ok || h.First != 42) {
			t.Fatalf("bit %d: %+v, %v without an error", bit, h, ok)
		}
		if err != nil {
			continue
		}
		if n, err := r.Numbers(h, 1<<30, nil); err == nil && !slices.Equal(n, []uint32{42, 242, 584}) {
			t.Fatalf("bit %d: numbers %v without an error", bit, n)
		}
	}
}

// FuzzRun opens what may be anything and walks through it.
func FuzzRun(f *testing.F) {
	var w RunWriter
	w.Add([]byte("a.b"), []uint32{1, 5, 9, 11})
	w.Add([]byte("a.c"), []uint32{2})
	body, head := w.Finish()
	f.Add(head, body, "a.*")
	f.Fuzz(func(t *testing.T, head, body []byte, pattern string) {
		// The sums are made right, so that what is behind them is reached.
		r, err := OpenRun(head, Bytes(body))
		if err != nil {
			return
		}
		for i, l := range r.leaves {
			if end := l.off + int64(l.entries) + int64(l.postings); end > int64(len(body)) || end < 0 {
				continue
			}
			fixSum(body[l.off : l.off+int64(l.entries)])
			fixSum(body[l.off+int64(l.entries):][:l.postings])
			_ = i
		}
		it := r.Iter(NewFilter(pattern))
		for n := 0; it.Next() && n < 1000; n++ {
			_, _ = r.Numbers(it.Hit(), 1<<16, nil)
		}
		_, _, _ = r.Find([]byte("a.b"))
	})
}

func fixSum(b []byte) {
	if len(b) >= 4 {
		appendSum(b[:len(b)-4], 0)
	}
}

// TestNumbersOfTooMany: a hit that announces more records than there are is damaged, before it takes memory for them.
func TestNumbersOfTooMany(t *testing.T) {
	r := &Run{}
	for _, h := range []Hit{{Msgs: 1 << 31, First: 0, Last: 1<<31 - 1}, {Msgs: 1, First: 100, Last: 100}, {Msgs: 2, First: 3, Last: 100}} {
		if n, err := r.Numbers(h, 100, nil); !errors.Is(err, ErrDamaged) || len(n) > 0 {
			t.Errorf("%+v: %d numbers, %v", h, len(n), err)
		}
	}
	if n, err := r.Numbers(Hit{Msgs: 100, Last: 99}, 100, nil); err != nil || len(n) != 100 {
		t.Errorf("%d numbers, %v", len(n), err)
	}
}
