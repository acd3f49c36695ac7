// Command drive uses a store until something ends it, and says afterwards whether the store kept its
// promises. It is for tests that cut the power of a disk from outside.
//
//	drive run [-store NAME] [-for DURATION] [-seed N] FOLDER
//
// opens a store in the folder and gives it messages, from several goroutines. Before a message is
// handed over, and when it is acknowledged, a line says so on standard output:
//
//	sent STREAM ID SIZE   acked STREAM SEQUENCE ID   removing STREAM SEQUENCE   removed STREAM SEQUENCE
//
// It ends when nothing is acknowledged any more, or after the duration.
//
//	drive check [-store NAME] FOLDER [FILE]
//
// opens the store again and compares what it holds with such lines, from the file or standard input.
// Lines that were cut off are passed over.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/crashtest"
	"github.com/nats-broker/nats-broker/daemon/internal/crashtest/mini"
	"github.com/nats-broker/nats-broker/daemon/internal/crashtest/whole"
	"github.com/nats-broker/nats-broker/daemon/segment"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// stores are those that can be driven.
var stores = map[string]func(dir string, start bool) (crashtest.Store, error){
	"journal": func(dir string, start bool) (crashtest.Store, error) {
		return mini.Open(vfs.OS, dir, mini.Options{Start: start, Sound: true, Reused: true, Trace: trace})
	},
	"streams": func(dir string, start bool) (crashtest.Store, error) {
		return whole.Open(vfs.OS, dir, whole.Options{Start: start, Sound: true, Trace: trace, Segment: segment.Options{Tail: 64 << 10, Segment: 4 << 20, Compress: os.Getpid()%2 == 0}})
	},
}

func trace(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("run or check"))
	}
	set := flag.NewFlagSet("drive", flag.ExitOnError)
	name := set.String("store", "journal", "which store")
	long := set.Duration("for", time.Hour, "how long")
	seed := set.Uint64("seed", 1, "what to send")
	_ = set.Parse(os.Args[2:]) // it exits
	open := stores[*name]
	if open == nil || set.NArg() == 0 {
		fail(fmt.Errorf("no store %q, or no folder", *name))
	}
	var err error
	switch os.Args[1] {
	case "run":
		err = run(func() (crashtest.Store, error) { return open(set.Arg(0), true) }, *long, *seed)
	case "check":
		in := io.Reader(os.Stdin)
		if set.NArg() > 1 {
			f, e := os.Open(set.Arg(1))
			if e != nil {
				fail(e)
			}
			defer f.Close()
			in = f
		}
		err = check(func() (crashtest.Store, error) { return open(set.Arg(0), false) }, in)
	default:
		err = fmt.Errorf("%q is neither run nor check", os.Args[1])
	}
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "drive:", err)
	os.Exit(1)
}

// teller writes whole lines.
type teller struct {
	mu  sync.Mutex
	out *bufio.Writer
}

func (t *teller) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, format+"\n", args...)
	_ = t.out.Flush() // nobody to tell
}

const streams = 6

// run uses a store.
func run(open func() (crashtest.Store, error), long time.Duration, seed uint64) error {
	s, err := open()
	if err != nil {
		return err
	}
	t := &teller{out: bufio.NewWriterSize(os.Stdout, 1<<16)}
	t.say("open")
	var ids, acked atomic.Uint64
	ids.Store(seed << 32)
	end := time.Now().Add(long)
	var over sync.WaitGroup
	var ended atomic.Bool
	for n := range uint64(streams) {
		over.Go(func() {
			rng := rand.New(rand.NewPCG(seed, n))
			window := make(chan bool, 1+n*8) // one in flight, or many
			var last uint64
			for !ended.Load() && time.Now().Before(end) {
				body := crashtest.Body(ids.Add(1), make([]byte, size(rng)))
				id, _ := crashtest.ID(body)
				window <- true
				t.say("sent %d %d %d", n, id, len(body))
				s.Put(n, [][]byte{body}, func(seq uint64, _ bool, err error) {
					if err != nil {
						ended.Store(true)
					} else {
						t.say("acked %d %d %d", n, seq, id)
						acked.Add(1)
						atomic.StoreUint64(&last, seq)
					}
					<-window
				})
				if seq := atomic.LoadUint64(&last); seq > 0 && rng.IntN(10) == 0 {
					remove(t, s, n, seq)
				}
			}
		})
	}
	go func() { // as an owner does, so that there are checkpoints besides those that are asked for
		for range time.Tick(200 * time.Millisecond) {
			_ = s.Checkpoint()
		}
	}()
	over.Wait()
	if ended.Load() {
		return nil // the disk has gone
	}
	return s.Close()
}

// remove takes out a message that was acknowledged; its number is not asked for twice.
func remove(t *teller, s crashtest.Store, stream, seq uint64) {
	t.say("removing %d %d", stream, seq)
	s.Remove(stream, seq, func(err error) {
		if err == nil {
			t.say("removed %d %d", stream, seq)
		}
	})
}

func size(rng *rand.Rand) int {
	switch rng.IntN(40) {
	case 0:
		return rng.IntN(300 << 10)
	case 1, 2, 3:
		return rng.IntN(8 << 10)
	}
	return rng.IntN(300)
}

// check compares.
func check(open func() (crashtest.Store, error), in io.Reader) error {
	h := crashtest.NewHistory()
	acks, err := replay(h, in)
	if err != nil {
		return err
	}
	s, err := open()
	if err != nil {
		return err
	}
	c, err := s.Contents()
	if err != nil {
		return err
	}
	if err := h.Check(c, true, s.Lost, nil); err != nil {
		return err
	}
	fmt.Printf("%d acknowledged, all there\n", acks)
	return s.Close()
}

// replay reads what run has said.
func replay(h *crashtest.History, in io.Reader) (acks int, err error) {
	r := bufio.NewReader(in)
	for {
		line, err := r.ReadString('\n')
		if err != nil { // the last one may be cut off
			return acks, nil
		}
		var a, b, c uint64
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, _ := fmt.Sscan(rest, &a, &b, &c)
		switch {
		case word == "sent" && n == 3:
			h.Sent(a, b, int(c))
		case word == "acked" && n == 3:
			acks++
			if err := h.Acked(a, b, c, false); err != nil {
				return acks, err
			}
		case word == "removing" && n == 2:
			h.Removing(a, b)
		case word == "removed" && n == 2:
			h.Removed(a, b)
		case word == "open":
		default:
			return acks, fmt.Errorf("what is %q?", line)
		}
	}
}
