package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// writeSize is how much a flooding publisher hands to the kernel at once.
const writeSize = 64 << 10

// inFlight bounds what is on its way to all subscribers together, and inFlightEach
// what is on its way to each of many: enough to keep everybody busy, and no more than
// the kernel's buffers hold. What a server that is faster than the subscribers has to
// keep beyond that says how fast the generator reads, not what the server needs; the
// scenario "slow" is about subscribers that lag behind. Of large messages a few are
// always on their way.
const (
	inFlight     = 2 << 20
	inFlightEach = 64 << 10
	inFlightMsgs = 8
)

// inFlightFor is how much may be on its way to fan subscribers, of frames of a size.
func inFlightFor(fan, frame int) int {
	return max(inFlight, fan*inFlightEach, inFlightMsgs*frame)
}

// flowSpec describes a traffic pattern: who publishes what and who gets it.
type flowSpec struct {
	payload  int // bytes, at least stampSize
	headers  bool
	fresh    bool     // every message on a subject of its own: subjects[0] is the prefix
	subjects []string // all subjects
	order    []int    // in which order a publisher uses them; nil: publisher i uses subjects[i]
	pubs     int
	subs     []subSpec
	fan      int       // deliveries a published message causes
	far      []*server // where subscribers are, in turn; nil: where publishers are
	logins   []login   // of publisher i, repeated; nil: as the server asks
	even     bool      // at a fixed rate, publishers take turns instead of sending all at once
}

// subSpec is one subscribing connection.
type subSpec struct {
	subscribe []byte   // SUB lines to send
	sids      []string // sid per subject; nil: "1"
	from      int      // only publisher, -1: any
	login     *login   // nil: as the server asks
	ordered   bool     // gets every message of its publishers; otherwise one group shares them
}

// flow is a traffic pattern set up on a server.
type flow struct {
	flowSpec
	pubs  []*publisher
	subs  []*receiver
	total counter     // deliveries so far
	sent  counter     // deliveries to come of what was published so far
	slow  atomic.Bool // messages are sent at a fixed rate: publishers do not wait for deliveries
	fail  chan error
}

// publisher is one publishing connection; ear reads what the server says to it.
type publisher struct {
	flow *flow
	ear  *receiver
	ring *frameRing
	seq  uint64 // number of the next message
	at   int    // next frame of the ring
	wake chan struct{}
}

// newFlow connects everybody and returns when all subscriptions stand.
func newFlow(s *server, spec flowSpec) (*flow, error) {
	f := &flow{flowSpec: spec}
	f.fail = make(chan error, spec.pubs+len(spec.subs))
	for i, sub := range spec.subs {
		at := s
		if len(spec.far) > 0 {
			at = spec.far[i%len(spec.far)]
		}
		r, err := f.listen(at, sub)
		if err != nil {
			if r != nil {
				r.conn.Close()
			}
			f.close()
			return nil, err
		}
		f.subs = append(f.subs, r)
	}
	chunk := writeSize
	if spec.fan > 0 {
		chunk = min(chunk, inFlightFor(spec.fan, spec.payload)/2/spec.fan)
	}
	for i := range spec.pubs {
		as := subSpec{from: everything}
		if len(spec.logins) > 0 {
			as.login = &spec.logins[i%len(spec.logins)]
		}
		ear, err := f.listen(s, as)
		if err != nil {
			f.close()
			return nil, err
		}
		order := spec.order
		if order == nil {
			order = []int{i}
		}
		ring := newRing(spec.subjects, order, spec.payload, i, chunk, spec.headers, spec.fresh)
		f.pubs = append(f.pubs, &publisher{flow: f, ear: ear, ring: ring, wake: make(chan struct{}, 1)})
	}
	return f, nil
}

// listen connects, subscribes, and starts the reader; it returns when the
// server has answered a PING sent behind the last SUB.
func (f *flow) listen(s *server, sub subSpec) (*receiver, error) {
	as := s.as
	if sub.login != nil {
		as = *sub.login
	}
	conn, err := f.dial(s, as)
	if err != nil {
		return nil, err
	}
	size := 256 << 10
	if len(f.flowSpec.subs) > 16 {
		size = 64 << 10
	}
	r := &receiver{
		conn: conn, flow: f, sids: sub.sids, ordered: sub.ordered, from: sub.from, headers: f.headers,
		buf:  make([]byte, size+f.payload),
		next: make([]uint64, f.flowSpec.pubs),
		pong: make(chan struct{}, 1), fail: f.fail,
	}
	go r.run() // ends when close closes conn; close waits for it
	if _, err := conn.Write(append(slices.Clone(sub.subscribe), "PING\r\n"...)); err != nil {
		return r, err
	}
	return r, f.await(r.pong)
}

// directReaders is how many readers may have a thread each, see [direct].
const directReaders = 3

// dial connects a reader.
func (f *flow) dial(s *server, as login) (io.ReadWriteCloser, error) {
	conn, err := s.dial(as)
	if err != nil || len(f.flowSpec.subs)+f.flowSpec.pubs > directReaders {
		return conn, err
	}
	return directly(conn)
}

// await waits for c, a failure of a reader, or the end of patience.
func (f *flow) await(c <-chan struct{}) error {
	select {
	case <-c:
		return nil
	case err := <-f.fail:
		f.fail <- nil // close counts one end for each reader
		if err == nil {
			err = errors.New("connection ended")
		}
		return err
	case <-time.After(patience):
		return fmt.Errorf("nothing for %s; delivered %d of %d", patience, f.total.n.Load(), f.sent.n.Load())
	}
}

// arrived counts n deliveries and wakes the publishers, or whoever waits for the last
// delivery of a paced run: with the first one.
func (f *flow) arrived(n uint64) {
	f.total.n.Add(n)
	waiting := f.pubs
	if f.slow.Load() {
		waiting = f.pubs[:1]
	}
	for _, p := range waiting {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// flood publishes as fast as the receivers take it, for d, and returns when
// everything has arrived.
func (f *flow) flood(d time.Duration) error {
	until := time.Now().Add(d)
	ends := make(chan error, len(f.pubs))
	for _, p := range f.pubs {
		go func() { ends <- p.flood(until) }() // ends at until; waited for below
	}
	var failed error
	for range f.pubs {
		if err := <-ends; err != nil && failed == nil {
			failed = err
		}
	}
	if failed != nil {
		return failed
	}
	return f.drain()
}

func (p *publisher) flood(until time.Time) error {
	r := p.ring
	frame := len(r.data) / len(r.ends)
	limit := writeSize
	if p.flow.fan > 0 {
		limit = min(limit, inFlightFor(p.flow.fan, frame)/2/p.flow.fan)
	}
	window := uint64(inFlightFor(p.flow.fan, frame) / frame)
	for time.Now().Before(until) {
		from, first := p.at, r.start(p.at)
		to := from
		for to < len(r.ends) && (to == from || r.ends[to]-first <= limit) {
			r.fill(to, p.seq)
			p.seq++
			to++
		}
		for p.flow.fan > 0 && p.flow.sent.n.Load()-p.flow.total.n.Load() > window {
			if err := p.flow.await(p.wake); err != nil {
				return err
			}
		}
		p.flow.sent.n.Add(uint64((to - from) * p.flow.fan))
		if _, err := p.ear.conn.Write(r.data[first:r.ends[to-1]]); err != nil {
			return err
		}
		if p.at = to; to == len(r.ends) {
			p.at = 0
		}
	}
	return nil
}

// paced publishes rate messages a second and publisher, each in a write of
// its own at its own moment, for d; it returns the latencies of all
// deliveries, sorted, in nanoseconds.
func (f *flow) paced(rate float64, d time.Duration) ([]int64, error) {
	pace := &pacing{gap: time.Duration(float64(time.Second) / rate)}
	if f.even {
		pace.turn = pace.gap / time.Duration(len(f.pubs))
	}
	for _, p := range f.pubs {
		pace.first = append(pace.first, p.seq)
	}
	count := max(1, int(math.Round(rate*d.Seconds())))
	for _, r := range f.subs {
		r.samples = make([]int64, 0, count*len(f.pubs)*f.fan/len(f.subs)+16)
	}
	pace.began = time.Now().Add(5 * time.Millisecond)
	for _, r := range f.subs {
		r.pace.Store(pace)
	}
	f.slow.Store(true)
	defer f.slow.Store(false)
	if err := f.sendPaced(pace, count); err != nil {
		return nil, err
	}
	if err := f.drain(); err != nil {
		return nil, err
	}
	var all []int64
	for _, r := range f.subs {
		r.pace.Store(nil)
		all = append(all, r.samples...)
		r.samples = nil
	}
	slices.Sort(all)
	return all, nil
}

// sendPaced sleeps in the kernel between messages, with the finest timer the
// thread can have: spinning would take the processor away from the server.
func (f *flow) sendPaced(pace *pacing, count int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return err
	}
	for n := range count {
		for i, p := range f.pubs {
			if wait := pace.gap*time.Duration(n) + pace.turn*time.Duration(i) - time.Since(pace.began); wait > 0 {
				ts := unix.NsecToTimespec(wait.Nanoseconds())
				_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil) // early by a signal: sent early
			}
			r := p.ring
			r.fill(p.at, p.seq)
			p.seq++
			f.sent.n.Add(uint64(f.fan))
			if _, err := p.ear.conn.Write(r.data[r.start(p.at):r.ends[p.at]]); err != nil {
				return err
			}
			p.at = (p.at + 1) % len(r.ends)
		}
	}
	return nil
}

// drain returns when the server has read everything and every delivery has
// arrived.
func (f *flow) drain() error {
	for _, p := range f.pubs {
		if err := f.ping(p.ear); err != nil {
			return fmt.Errorf("publisher: %w", err)
		}
	}
	if len(f.pubs) == 0 {
		return nil
	}
	for f.total.n.Load() < f.sent.n.Load() {
		if err := f.await(f.pubs[0].wake); err != nil {
			return err
		}
	}
	return nil
}

func (f *flow) ping(r *receiver) error {
	if _, err := r.conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	return f.await(r.pong)
}

// finish checks that nothing came twice and that a group got everything, and
// closes all connections.
func (f *flow) finish() error {
	defer f.close()
	var got, want, sum, wantSum uint64
	grouped := false
	for _, r := range f.subs {
		if err := f.ping(r); err != nil {
			return fmt.Errorf("after the last message: %w", err)
		}
		got += r.got
		sum += r.checksum
		grouped = grouped || !r.ordered
	}
	want = f.sent.n.Load()
	if got != want {
		return fmt.Errorf("%d messages delivered, %d expected", got, want)
	}
	if grouped {
		for _, p := range f.pubs {
			for n := range p.seq {
				wantSum += mix(n)
			}
		}
		if sum != wantSum {
			return errors.New("the group got some message twice and missed another")
		}
	}
	return nil
}

// close closes all connections and waits for their readers.
func (f *flow) close() {
	var all []*receiver
	all = append(all, f.subs...)
	for _, p := range f.pubs {
		all = append(all, p.ear)
	}
	for _, r := range all {
		r.conn.Close()
	}
	for range all {
		<-f.fail
	}
}
