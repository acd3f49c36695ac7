package subjects

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestTableIsAMap plays random changes on a table and a map.
func TestTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tab Table
		defer tab.Release()
		want := map[string]Totals{}
		for range rapid.IntRange(0, 400).Draw(t, "steps") {
			s := fmt.Sprint("s.", rapid.IntRange(0, 60).Draw(t, "subject"))
			switch rapid.IntRange(0, 2).Draw(t, "do") {
			case 0, 1:
				r, made := tab.Insert([]byte(s))
				if _, is := want[s]; is == made {
					t.Fatalf("Insert(%q) made %v", s, made)
				}
				v := Totals{First: rapid.Uint64().Draw(t, "first"), Last: rapid.Uint64().Draw(t, "last"), Msgs: uint64(rapid.Uint32().Draw(t, "msgs"))}
				tab.Set(r, v)
				want[s] = v
			default:
				tab.Delete([]byte(s))
				delete(want, s)
			}
		}
		check(t, &tab, want)
	})
}

func check(t interface{ Fatalf(string, ...any) }, tab *Table, want map[string]Totals) {
	if tab.Len() != len(want) {
		t.Fatalf("%d subjects, want %d", tab.Len(), len(want))
	}
	n := 0
	tab.Range(func(r Ref, name []byte) bool {
		n++
		if v, ok := want[string(name)]; !ok || tab.Totals(r) != v {
			t.Fatalf("%q: %v, want %v", name, tab.Totals(r), v)
		}
		return true
	})
	if n != len(want) {
		t.Fatalf("Range: %d subjects, want %d", n, len(want))
	}
	for s, v := range want {
		if r, ok := tab.Find([]byte(s)); !ok || tab.Totals(r) != v {
			t.Fatalf("Find(%q) = %v", s, ok)
		}
	}
}

// TestTableGrowsAndShrinks has names that fill several chunks, among them long ones, and
// takes most out again.
func TestTableGrowsAndShrinks(t *testing.T) {
	var tab Table
	defer tab.Release()
	want := map[string]Totals{}
	long := make([]byte, 60_000)
	for i := range long {
		long[i] = 'x'
	}
	name := func(i int) []byte {
		if i%500 == 0 {
			return fmt.Appendf(long[:len(long):len(long)], "%d", i)
		}
		return fmt.Appendf(nil, "orders.eu.%d", i)
	}
	for round := range 3 {
		for i := range 20_000 {
			r, _ := tab.Insert(name(i))
			tab.Set(r, Totals{Last: uint64(i + round), Msgs: 1})
			want[string(name(i))] = Totals{Last: uint64(i + round), Msgs: 1}
		}
		check(t, &tab, want)
		full := tab.Bytes()
		for i := range 20_000 {
			if i%10 != 0 {
				tab.Delete(name(i))
				delete(want, string(name(i)))
			}
		}
		check(t, &tab, want)
		if round > 0 && full > 25<<20 {
			t.Fatalf("%d MiB: what was deleted stays", full>>20)
		}
	}
}

// TestTableIsSmall is the promise of the package comment.
func TestTableIsSmall(t *testing.T) {
	var tab Table
	defer tab.Release()
	const n = 200_000
	for i := range n {
		tab.Insert(fmt.Appendf(nil, "orders.eu.%010d", i))
	}
	per := float64(tab.Bytes()) / n
	t.Logf("%.1f bytes a subject with names of 20 bytes", per)
	if per > 64 {
		t.Fatalf("%.1f bytes a subject", per)
	}
}

func BenchmarkTable(b *testing.B) {
	const n = 1 << 20
	names := make([][]byte, n)
	for i := range names {
		names[i] = fmt.Appendf(nil, "orders.eu.%010d", i)
	}
	var tab Table
	defer tab.Release()
	b.Run("insert", func(b *testing.B) {
		for i := range b.N {
			tab.Insert(names[i%n])
		}
	})
	for _, s := range names {
		tab.Insert(s)
	}
	b.Run("find", func(b *testing.B) {
		b.ReportMetric(float64(tab.Bytes())/n, "B/subject")
		for i := range b.N {
			if _, ok := tab.Find(names[i*7919%n]); !ok {
				b.Fatal("not found")
			}
		}
	})
}

// BenchmarkWildcard searches 1,000,000 subjects of one run.
func BenchmarkWildcard(b *testing.B) {
	var w RunWriter
	k := uint32(0)
	for i := range 100 {
		for j := range 10_000 {
			w.Add(fmt.Appendf(nil, "kv.%02d.%05d.v", i, j), []uint32{k})
			k++
		}
	}
	body, head := w.Finish()
	r, err := OpenRun(head, Bytes(body))
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range []string{"kv.*.00500.v", "kv.50.*.v", "*.*.*.w", "kv.17.00500.v", ">"} {
		b.Run(p, func(b *testing.B) {
			for range b.N {
				n := 0
				for it := r.Iter(NewFilter(p)); it.Next(); {
					n++
				}
				b.ReportMetric(float64(n), "found")
			}
		})
	}
	b.Logf("%.1f bytes a subject on the disk", float64(len(body)+len(head))/1e6)
}
