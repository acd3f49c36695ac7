package jetstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/stream"
)

// A scrub reads everything that streams have in files, at a bounded rate, so that what has rotted is found before a reader needs
// it: it is reported and counted as lost as if somebody had asked for it, and damaged indexes are made anew.

// scrubStep is how much of a log is read at once. A checkpoint and a close wait for no more than that.
const scrubStep = 1 << 20

// DefaultScrubRate is how many bytes a second a scrub reads when nobody has said.
const DefaultScrubRate = 32 << 20

var (
	errScrubbing = errors.New("a scrub is running already")
	errEnding    = errors.New("the storage is being closed")
)

// scrubber admits one scrub at a time, and knows what they did.
type scrubber struct {
	one   sync.Mutex // held by the scrub that runs, and for good by a close
	bytes atomic.Uint64
	ended atomic.Int64 // when one came to its end, nanoseconds since 1970; 0: none has since the start
}

// Scrubbed says what a scrub did.
type Scrubbed struct {
	Streams int
	Bytes   uint64
	Lost    uint64 // messages that were found to be lost, and had not been before
	Took    time.Duration
}

// Scrub reads all that streams have in files, at most rate bytes a second, and verifies it. It ends early with its context and with
// the storage. One runs at a time.
func (s *Server) Scrub(ctx context.Context, rate int64) (r Scrubbed, err error) {
	f := s.files
	if f == nil {
		return r, nil // there is nothing to read
	}
	if !f.scrubber.one.TryLock() {
		return r, errScrubbing
	}
	defer f.scrubber.one.Unlock()
	if rate <= 0 {
		rate = DefaultScrubRate
	}
	began := time.Now()
	pace := pacer{rate: rate, began: began}
	for _, k := range f.all() {
		before := k.log.Lost()
		for from, more := uint64(0), true; more; {
			var n int64
			from, n, more = k.log.ScrubStep(from, scrubStep)
			r.Bytes += uint64(n)
			f.scrubber.bytes.Add(uint64(n))
			if err := pace.wait(ctx, f.ended, n); err != nil {
				return r, err
			}
		}
		r.Streams++
		r.Lost += found(before, k.log.Lost())
	}
	now := time.Now()
	r.Took = now.Sub(began)
	f.scrubber.ended.Store(now.UnixNano())
	text := fmt.Sprintf("JetStream: %d bytes of %d streams were read and verified in %v", r.Bytes, r.Streams, r.Took.Round(time.Second))
	if r.Lost > 0 {
		f.log.Error(fmt.Sprintf("%s: %d messages are lost", text, r.Lost))
	} else {
		f.log.Info(text)
	}
	return r, nil
}

// all lists the streams in files, by their number.
func (f *files) all() []*kept {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]*kept, 0, len(f.logs))
	for _, k := range f.logs {
		list = append(list, k)
	}
	slices.SortFunc(list, func(a, b *kept) int { return cmp.Compare(a.id, b.id) })
	return list
}

// found counts the messages that are lost and were not before. What was lost then may be gone by now, with the beginning of its stream.
func found(before, now []stream.Range) (n uint64) {
	for _, g := range now {
		n += g.To - g.From + 1
		for _, b := range before {
			if from, to := max(b.From, g.From), min(b.To, g.To); from <= to {
				n -= to - from + 1
			}
		}
	}
	return n
}

// pacer keeps what is read within a rate.
type pacer struct {
	rate  int64
	began time.Time
	read  int64
}

// wait waits until n more bytes may have been read.
func (p *pacer) wait(ctx context.Context, ended <-chan struct{}, n int64) error {
	p.read += n
	due := p.began.Add(time.Duration(float64(p.read) / float64(p.rate) * float64(time.Second)))
	t := time.NewTimer(time.Until(due)) // in the past: it fires at once
	defer t.Stop()
	select {
	case <-ended:
		return errEnding
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
	}
	select { // a rate that is never reached must not keep it from ending
	case <-ended:
		return errEnding
	case <-ctx.Done():
		return ctx.Err()
	default:
		return nil
	}
}
