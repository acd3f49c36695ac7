package broker

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// replyTable is the requests to the services of one account that are open. The
// reply subjects of all of them match one pattern, which the account subscribes to.
//
// A reply subject is "_R_.<account>.<request>"; that of a request says in which slot
// of the table it waits, see [replyName], so that its answer is found without a
// search. It also holds sixty random bits: who was not told a reply subject cannot
// answer, and none comes twice though slots do.
//
// A request is forgotten when it is answered, or else by generations: those of a
// class (the requests with one threshold) begin a new one four times in the
// threshold, and the oldest of five is dropped. So no clock is read for a request
// and no table searched for old ones. What was answered meanwhile and may be
// answered again is kept for another round.
//
// The table is in shards, so that those who ask at the same time do not wait for each
// other: see [sender.shard].
type replyTable struct {
	prefix atomic.Pointer[string] // "_R_.<account>."; nil before the first import
	shards []replyShard           // made before prefix is set
	moved  atomic.Bool            // requests of another process were adopted

	mu      sync.Mutex    // before an index
	pattern *Subscription // nil while nothing is imported from the account
	users   int           // imports of services from it
	classes []*replyClass
}

const replyPrefix = "_R_."

// open makes the account ready to be asked by one import more.
func (t *replyTable) open(a *Account) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.users++; t.pattern != nil {
		return
	}
	if t.prefix.Load() == nil {
		t.shards = make([]replyShard, replyShards)
		prefix := replyPrefix + string(random62(nil, 6)) + "."
		t.prefix.Store(&prefix)
	}
	t.pattern, _ = t.subscribe(a, *t.prefix.Load()) // the pattern is valid
}

// close is called when an import is gone. With the last one goes what the account subscribes
// to for answers: nobody is left who could wait for one.
func (t *replyTable) close(a *Account) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.users--; t.users == 0 && t.pattern != nil {
		a.index.Remove(t.pattern)
		t.pattern = nil
	}
}

// subscribe has the answers below a prefix come to the table, from other servers too.
func (t *replyTable) subscribe(a *Account, prefix string) (*Subscription, error) {
	sub := newSubscription(nil, asBytes(prefix+">"), nil, nil)
	sub.kind = kindReplies
	_, err := a.index.Insert(sub)
	return sub, err
}

const digits62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func random62(b []byte, n int) []byte {
	for r := rand.Uint64(); n > 0; n-- {
		b = append(b, digits62[r%62])
		r /= 62
	}
	return b
}

// request is what a table is told of a request.
type request struct {
	from   *Account // of who asks
	reply  []byte   // the reply subject there
	export *serviceExport
	class  *replyClass // of the export
	sample *sample     // nil: not measured
	shard  int
}

// add notes a request, appends its reply subject to name, and returns that with what
// the request can be removed by.
func (t *replyTable) add(name []byte, q *request) ([]byte, openRequest) {
	prefix := *t.prefix.Load()
	sh := &t.shards[q.shard]
	sh.mu.Lock()
	s, late := sh.take(q.class, q.shard)
	s.to, s.export, s.sample = q.from, q.export, q.sample
	s.subject = append(s.subject[:0], q.reply...)
	sh.join(s, q.class, q.shard)
	s.id = replyName(s.room[:0], q.class, int(q.class.now.Load()), s.place*replyShards+q.shard)
	if q.sample != nil && !q.export.Streamed {
		s.id = q.sample.of.broker.trackedName(s.id)
	}
	name = append(append(name, prefix...), s.id...)
	r := openRequest{sh, s, s.turn}
	sh.mu.Unlock()
	if !q.class.running.Load() {
		q.class.start(t)
	}
	if late != nil {
		late.failed(serviceTimeout)
	}
	return name, r
}

// openRequest is a request in its table.
type openRequest struct {
	shard *replyShard
	slot  *replySlot
	turn  uint64
}

// remove forgets a request, if that has not happened already.
func (r openRequest) remove() {
	r.shard.mu.Lock()
	defer r.shard.mu.Unlock()
	if r.slot.turn == r.turn {
		r.shard.release(r.slot)
	}
}

// wayBack is where an answer goes.
type wayBack struct {
	to      *Account
	subject []byte // of the answer's taker, who keeps the memory
	sample  *sample

	// The request, if it was the last answer and the request is measured: then the
	// taker removes it.
	last openRequest
}

// take reports whether an answer to a reply subject may pass, and where to: the
// first, and of a streamed service those behind it too, up to one that is empty,
// which ends the stream.
func (t *replyTable) take(reply []byte, empty bool, to *wayBack) bool {
	sh, s := t.hold(asString(reply))
	if s == nil {
		return false
	}
	if s.done {
		sh.mu.Unlock()
		return false
	}
	to.to, to.sample, to.last = s.to, s.sample, openRequest{}
	to.subject = append(to.subject[:0], s.subject...)
	switch {
	case s.export.Streamed && !empty:
		s.lively = true
	case s.sample != nil:
		s.done = true
		to.last = openRequest{sh, s, s.turn}
	default:
		sh.release(s)
	}
	sh.mu.Unlock()
	return true
}

// peek returns where an answer to a reply subject would go; nothing changes.
func (t *replyTable) peek(reply []byte) (to *Account, as []byte, ok bool) {
	sh, s := t.hold(asString(reply))
	if s == nil {
		return nil, nil, false
	}
	defer sh.mu.Unlock()
	return s.to, bytes.Clone(s.subject), !s.done
}

// hold finds the request that has a reply subject; nil if there is none. If there is,
// the lock of its shard is held.
func (t *replyTable) hold(reply string) (*replyShard, *replySlot) {
	prefix := t.prefix.Load()
	if prefix == nil || len(reply) <= len(*prefix) || reply[:len(*prefix)] != *prefix {
		return nil, nil
	}
	id := reply[len(*prefix):]
	if place, ok := replyPlace(id); ok {
		sh := &t.shards[place%replyShards]
		sh.mu.Lock()
		if s := sh.at(place / replyShards); s != nil && string(s.id) == id {
			return sh, s
		}
		sh.mu.Unlock()
	}
	if t.moved.Load() {
		sh := &t.shards[0]
		sh.mu.Lock()
		if s := sh.adopted[id]; s != nil {
			return sh, s
		}
		sh.mu.Unlock()
	}
	return nil, nil
}

// sampleOf returns the measurement of the open request that has a reply subject, nil
// if there is none.
func (t *replyTable) sampleOf(reply string) *sample {
	sh, s := t.hold(reply)
	if s == nil {
		return nil
	}
	defer sh.mu.Unlock()
	return s.sample
}

// replyClass is the requests with one threshold.
type replyClass struct {
	at        int // its place in the table
	threshold time.Duration
	now       atomic.Int32
	running   atomic.Bool // the timer; false while there are no requests
	parts     [replyShards][replyGens]replyList

	mu    sync.Mutex // a leaf
	timer *time.Timer
}

const replyGens = 5

// class returns the class of a threshold.
func (t *replyTable) class(d time.Duration) *replyClass {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.classes {
		if c.threshold == d {
			return c
		}
	}
	c := &replyClass{at: len(t.classes), threshold: d}
	t.classes = append(t.classes, c)
	return c
}

// start has generations begin.
func (c *replyClass) start(t *replyTable) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.running.Swap(true):
	case c.timer == nil:
		c.timer = time.AfterFunc(c.period(), func() { t.turn(c) })
	default:
		c.timer.Reset(c.period())
	}
}

func (c *replyClass) period() time.Duration { return c.threshold / (replyGens - 1) }

// turn drops the oldest generation and begins a new one in its place. The timer is not
// started again when there is nothing left to drop.
func (t *replyTable) turn(c *replyClass) {
	now := int(c.now.Load())
	oldest := (now + 1) % replyGens
	for i := range t.shards {
		for more := true; more; {
			var late []*sample
			late, more = t.shards[i].drop(&c.parts[i], oldest, now)
			for _, m := range late {
				m.failed(serviceTimeout)
			}
		}
		t.shards[i].trim()
	}
	c.now.Store(int32(oldest))
	c.running.Store(false)
	if t.anyOpen(c) { // those that come from here on see that the timer does not run
		c.start(t)
	}
}

// anyOpen reports whether there are requests of a class.
func (t *replyTable) anyOpen(c *replyClass) bool {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		for _, g := range c.parts[i] {
			if g.first != nil {
				sh.mu.Unlock()
				return true
			}
		}
		sh.mu.Unlock()
	}
	return false
}
