package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// The folder of the benchmarks, on a disk: JOURNAL_BENCH_DIR, else the working directory, since
// the one for temporary files may lie in memory.
func benchDir(b *testing.B) string {
	b.Helper()
	at := os.Getenv("JOURNAL_BENCH_DIR")
	if at == "" {
		at = "."
	}
	dir, err := os.MkdirTemp(at, ".bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func benchJournal(b *testing.B, o Options) *Journal {
	b.Helper()
	var j *Journal
	o.Checkpoint = func(upTo uint64) { j.Release(upTo) }
	j, err := Open(vfs.OS, filepath.Join(benchDir(b), "journal"), testKey, o)
	if err == nil {
		_, err = j.Recover(func(uint64, *Frame) error { return nil })
	}
	if err != nil {
		b.Fatal(err)
	}
	j.Start()
	b.Cleanup(func() {
		if err := j.Close(); err != nil {
			b.Error(err)
		}
	})
	return j
}

// percentiles reports how long frames took.
func percentiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	for _, p := range []struct {
		name string
		of   float64
	}{{"p50-µs", 0.5}, {"p99-µs", 0.99}} {
		if len(took) > 0 {
			b.ReportMetric(float64(took[int(p.of*float64(len(took)-1))])/1e3, p.name)
		}
	}
}

// BenchmarkFlush is what the disk does without a journal: a block is written and synced.
func BenchmarkFlush(b *testing.B) {
	f, err := makeFile(vfs.OS, filepath.Join(benchDir(b), fileName(1)), 64<<20, keyOf(testKey))
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, Block)
	took := make([]time.Duration, 0, 1<<20)
	b.ResetTimer()
	for n := int64(0); b.Loop(); n++ {
		t := time.Now()
		if _, err := f.f.WriteAt(p, n*Block%(60<<20)); err != nil {
			b.Fatal(err)
		}
		if err := f.f.Sync(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(t))
	}
	percentiles(b, took)
}

// BenchmarkInFlight has goroutines with one frame of 128 bytes in flight each, of a stream of its own.
func BenchmarkInFlight(b *testing.B) {
	for _, mode := range []Mode{Durable, Interval} {
		for _, n := range []int{1, 8, 32, 1000} {
			b.Run(fmt.Sprintf("%v/%d", mode, n), func(b *testing.B) {
				j := benchJournal(b, Options{Mode: mode})
				var over sync.WaitGroup
				var mu sync.Mutex
				var all []time.Duration
				each := b.N/n + 1
				b.ReportAllocs()
				b.ResetTimer()
				for s := range uint64(n) {
					over.Go(func() {
						w := make(waiter, 1)
						f := frame(s, 1, 128, w)
						took := make([]time.Duration, 0, each)
						for range each {
							t := time.Now()
							if n == 1 {
								j.Commit(f)
							} else {
								j.Append(f)
							}
							if r := <-w; r.err != nil {
								b.Error(r.err)
								return
							}
							took = append(took, time.Since(t))
						}
						mu.Lock()
						defer mu.Unlock()
						all = append(all, took...)
					})
				}
				over.Wait()
				b.StopTimer()
				percentiles(b, all)
				b.ReportMetric(float64(b.N)/float64(max(j.Stats().Commits, 1)), "frames/commit")
			})
		}
	}
}

// BenchmarkWindow has one stream with 4,000 messages in flight, in blocks of 64: as a reader hands
// over what it has read at once. An operation is a message.
func BenchmarkWindow(b *testing.B) {
	for _, size := range []int{128, 1024} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			j := benchJournal(b, Options{})
			const block, window = 64, 4000 / 64
			w := make(waiter, window)
			free := make([]*Frame, window)
			for i := range free {
				free[i] = frame(1, 1, block*size, w)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			sent, told := 0, 0
			for told*block < b.N {
				for sent-told < window {
					j.Append(free[sent%window])
					sent++
				}
				if r := <-w; r.err != nil {
					b.Fatal(r.err)
				}
				told++
			}
			for ; told < sent; told++ {
				<-w
			}
			b.StopTimer()
			b.ReportMetric(float64(sent*block)/float64(j.Stats().Commits), "msgs/commit")
		})
	}
}

// BenchmarkNeighbours has eight streams with one message in flight beside one with 256 of 64 KiB.
func BenchmarkNeighbours(b *testing.B) {
	for _, heavy := range []bool{false, true} {
		b.Run(fmt.Sprintf("heavy=%v", heavy), func(b *testing.B) {
			j := benchJournal(b, Options{})
			stop := make(chan bool)
			var beside sync.WaitGroup
			if heavy {
				beside.Go(func() {
					w := make(waiter, 256)
					for range 256 {
						j.Append(frame(100, 1, 64<<10, w))
					}
					for n := 256; n > 0; {
						<-w
						select {
						case <-stop:
							n--
						default:
							j.Append(frame(100, 1, 64<<10, w))
						}
					}
				})
			}
			var over sync.WaitGroup
			var mu sync.Mutex
			var all []time.Duration
			b.ResetTimer()
			for s := range uint64(8) {
				over.Go(func() {
					w := make(waiter, 1)
					f := frame(s, 1, 128, w)
					for range b.N/8 + 1 {
						t := time.Now()
						j.Append(f)
						<-w
						d := time.Since(t)
						mu.Lock()
						all = append(all, d)
						mu.Unlock()
					}
				})
			}
			over.Wait()
			b.StopTimer()
			close(stop)
			beside.Wait()
			percentiles(b, all)
		})
	}
}

// BenchmarkRecover reads a journal of 64 MiB.
func BenchmarkRecover(b *testing.B) {
	dir := filepath.Join(benchDir(b), "journal")
	fill := func() {
		j, err := Open(vfs.OS, dir, testKey, Options{Mode: Interval})
		if err == nil {
			_, err = j.Recover(func(uint64, *Frame) error { return nil })
		}
		if err != nil {
			b.Fatal(err)
		}
		for i := range 64 << 20 / (32 << 10) {
			j.Append(frame(uint64(i%10), 1, 32<<10, nil))
			if i%8 == 7 {
				j.Flush()
			}
		}
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
	}
	fill()
	b.SetBytes(64 << 20)
	for b.Loop() {
		j, err := Open(vfs.OS, dir, testKey, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := j.Recover(func(uint64, *Frame) error { return nil }); err != nil {
			b.Fatal(err)
		}
		for _, f := range slices.Concat(j.live, j.spare, j.retired) { // as after a kill
			f.f.Close()
		}
	}
}
