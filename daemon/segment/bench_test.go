package segment

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// filled makes a log of so many messages in a folder and returns its name.
func filled(b *testing.B, messages uint64, o Options, subject func(buf []byte, seq uint64) []byte) string {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "log")
	l, err := Open(vfs.OS, dir, o)
	if err != nil {
		b.Fatal(err)
	}
	t := time.Now()
	r := stream.Record{Payload: make([]byte, 32)}
	var buf []byte
	for seq := uint64(1); seq <= messages; seq++ {
		buf = subject(buf[:0], seq)
		r.Seq, r.Time, r.Subject = seq, int64(seq)*1000, buf
		l.Begin(seq)
		if err := l.Append(&r); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("%.2f µs a message to append", float64(time.Since(t).Microseconds())/float64(messages))
	b.Logf("%d bytes of table for %d subjects: %.1f each", l.table.Bytes(), l.table.Len(), float64(l.table.Bytes())/float64(max(l.table.Len(), 1)))
	if err := l.Sync(); err != nil {
		b.Fatal(err)
	}
	var size, index int64
	for _, f := range l.files {
		size += f.size
	}
	for _, r := range l.runs {
		index += int64(r.body + r.head)
	}
	b.Logf("%d files, %d runs, %.1f bytes a message, %.2f of them its index", len(l.files), len(l.runs), float64(size)/float64(messages), float64(index)/float64(messages))
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

func fewSubjects(buf []byte, seq uint64) []byte { return fmt.Appendf(buf, "orders.%d.new", seq%1000) }
func manySubjects(buf []byte, seq uint64) []byte {
	return fmt.Appendf(buf, "kv.%02d.%05d.v", seq%100, seq/100%10_000)
}

// BenchmarkOpen opens a log of ten million messages and asks for its state.
func BenchmarkOpen(b *testing.B) {
	dir := filled(b, 10_000_000, Options{}, fewSubjects)
	b.ResetTimer()
	for range b.N {
		fs := vfs.Count(vfs.OS)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		l, err := Open(fs, dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(reads(fs)), "reads")
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc), "B-allocated")
		if st := l.State(); st.Msgs != 10_000_000 {
			b.Fatal(st)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMillion asks a log of a million subjects, opened anew each time, for one of them, for
// some by wildcards, and for what is pending. So it is the first question that is measured.
func BenchmarkMillion(b *testing.B) {
	dir := filled(b, 1_000_000, Options{Segment: 8 << 20}, manySubjects)
	ask := func(name string, fn func(l *Log) int) {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				fs := vfs.Count(vfs.OS)
				l, err := Open(fs, dir, Options{})
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				n := fn(l)
				b.StopTimer()
				b.ReportMetric(float64(n), "found")
				b.ReportMetric(float64(reads(fs)), "reads")
				if err := l.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
	list := func(pattern string) func(l *Log) int {
		return func(l *Log) (n int) {
			l.Subjects(subjects.NewFilter(pattern), func([]byte, stream.Totals) bool { n++; return true })
			return n
		}
	}
	ask("one subject", func(l *Log) int { t, _ := l.Subject([]byte("kv.17.00500.v")); return int(t.Msgs) })
	ask("1,000 subjects", func(l *Log) (n int) {
		for i := range uint64(1000) {
			if t, err := l.Subject(manySubjects(nil, 1+i*997)); err == nil && t.Msgs > 0 {
				n += int(t.Msgs)
			}
		}
		return n
	})
	ask("wildcard in the middle", list("kv.*.00500.v"))
	ask("wildcard at the end", list("kv.17.>"))
	ask("wildcards everywhere", list("*.*.*.w"))
	ask("all subjects", list(">"))
	ask("pending of a wildcard", func(l *Log) int { return int(l.Count(subjects.NewFilter("kv.*.00500.v"), 0, 1<<40)) })
	ask("a new subject", func(l *Log) int {
		l.Begin(1 << 40)
		if err := l.Append(&stream.Record{Seq: 1_000_001, Subject: []byte("kv.new")}); err != nil {
			b.Fatal(err)
		}
		return l.State().Subjects
	})
}

// BenchmarkRead goes through a log as consumers do, and jumps about in it.
func BenchmarkRead(b *testing.B) {
	dir := filled(b, 1_000_000, Options{}, fewSubjects)
	l, err := Open(vfs.OS, dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	var r stream.Record
	for name, f := range map[string]*subjects.Filter{"all": nil, "one of ten": subjects.NewFilter("orders.*7.new", "orders.1.new", "orders.2.new")} {
		b.Run("next and load, "+name, func(b *testing.B) {
			b.ReportAllocs()
			seq := uint64(0)
			for range b.N {
				next, ok := l.Next(seq+1, f)
				if !ok {
					seq = 0
					continue
				}
				if err := l.Load(next, &r); err != nil {
					b.Fatal(err)
				}
				seq = next
			}
		})
	}
	b.Run("load anywhere", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if err := l.Load(1+uint64(i)*7919%1_000_000, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
}
