package broker

import (
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// reply is one request to a service that may still be answered.
type reply struct {
	id      string
	to      *Account // of who asked
	subject string   // the reply subject there
	export  *serviceExport
	done    atomic.Bool // the last answer has come
	lively  atomic.Bool // answered since its generation was looked at, where there may be more

	sample *sample // nil: not measured
}

// take reports whether an answer may pass: the first, and of a streamed service
// those behind it too, up to one that is empty, which ends the stream.
func (r *reply) take(empty bool) bool {
	if !r.export.Streamed || empty {
		return !r.done.Swap(true)
	}
	if !r.lively.Load() {
		r.lively.Store(true)
	}
	return !r.done.Load()
}

// replyTable is the requests to the services of one account that are open. The
// reply subjects of all of them match one pattern, which the account subscribes to.
//
// A request is forgotten when it is answered, or else by generations: those of a
// class (the requests with one threshold) begin a new one four times in the
// threshold, and the oldest of five is dropped. So no clock is read for a request
// and no table searched for old ones. What was answered meanwhile and may be
// answered again is kept for another round.
type replyTable struct {
	mu      sync.Mutex // a leaf
	prefix  string     // "_R_.<account>."; empty before the first import
	pattern *Subscription
	classes []*replyClass
	watch   func(Change) // told of the pattern; nil for none
}

// replyClass is the requests with one threshold.
type replyClass struct {
	threshold time.Duration
	gens      [replyGens]map[string]*reply
	now       int
	timer     *time.Timer // nil while there are none
}

const replyGens = 5

const (
	replyPrefix = "_R_."
	digits62    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// open makes the account ready to be asked.
func (t *replyTable) open(a *Account) {
	if w := t.opened(a); w != nil {
		w(Change{Subject: t.prefix + ">", Count: 1, Added: true})
	}
}

// opened opens the table, and returns who is to be told of the pattern.
func (t *replyTable) opened(a *Account) (tell func(Change)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.prefix != "" {
		return nil
	}
	t.prefix = replyPrefix + string(random62(nil, 6)) + "."
	sub := newSubscription(nil, asBytes(t.prefix+">"), nil, nil)
	sub.kind = kindInternal
	sub.more.Store(&subExtra{replies: true})
	_, _ = a.index.Insert(sub) // the pattern is valid
	t.pattern = sub
	return t.watch
}

// watched has f told of the pattern: answers may come from other servers too.
func (t *replyTable) watched(f func(Change)) {
	t.mu.Lock()
	t.watch = f
	prefix := t.prefix
	t.mu.Unlock()
	if f != nil && prefix != "" {
		f(Change{Subject: prefix + ">", Count: 1, Added: true})
	}
}

func random62(b []byte, n int) []byte {
	for r := rand.Uint64(); n > 0; n-- {
		b = append(b, digits62[r%62])
		r /= 62
	}
	return b
}

// add notes a request and returns it with its reply subject.
func (t *replyTable) add(st *serviceStep, from *Account, subject string, m *sample) (*reply, []byte) {
	r := &reply{to: from, subject: subject, export: st.export, sample: m}
	t.mu.Lock()
	defer t.mu.Unlock()
	at, c := t.class(st.export.Threshold)
	name := make([]byte, 0, len(t.prefix)+12)
	name = append(name, t.prefix...)
	name = append(name, digits62[at%62], digits62[c.now])
	name = random62(name, 10)
	if m != nil && !st.export.Streamed {
		name = st.im.to.broker.trackedName(name)
	}
	r.id = string(name[len(t.prefix):])
	if c.gens[c.now] == nil {
		c.gens[c.now] = make(map[string]*reply)
	}
	c.gens[c.now][r.id] = r
	if c.timer == nil {
		c.timer = time.AfterFunc(c.threshold/(replyGens-1), func() { t.turn(c) })
	}
	return r, name
}

// class returns the class of a threshold. The lock is held.
func (t *replyTable) class(d time.Duration) (int, *replyClass) {
	for i, c := range t.classes {
		if c.threshold == d {
			return i, c
		}
	}
	c := &replyClass{threshold: d}
	t.classes = append(t.classes, c)
	return len(t.classes) - 1, c
}

// turn begins a new generation and drops the oldest. The timer stops when there is
// nothing left to drop.
func (t *replyTable) turn(c *replyClass) {
	for _, m := range t.turned(c) {
		m.failed(serviceTimeout)
	}
}

// turned is turn, and returns what was measured and has had no answer.
func (t *replyTable) turned(c *replyClass) (late []*sample) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.now = (c.now + 1) % replyGens
	maps.DeleteFunc(c.gens[c.now], func(_ string, r *reply) bool {
		if r.lively.Swap(false) {
			return false
		}
		if r.sample != nil && !r.done.Swap(true) {
			late = append(late, r.sample)
		}
		return true
	})
	if len(c.gens[c.now]) == 0 {
		c.gens[c.now] = nil // gives back what a burst of requests took
	}
	for _, g := range c.gens {
		if len(g) > 0 {
			c.timer.Reset(c.threshold / (replyGens - 1))
			return late
		}
	}
	c.timer = nil
	return late
}

// find returns the request that a subject answers, nil if there is none.
func (t *replyTable) find(subject string) *reply {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(subject) <= len(t.prefix)+2 || t.prefix == "" || subject[:len(t.prefix)] != t.prefix {
		return nil
	}
	return t.at(subject[len(t.prefix):])[subject[len(t.prefix):]]
}

// at returns the table in which an id would be. The lock is held.
func (t *replyTable) at(id string) map[string]*reply {
	gen := int(id[1] - '0')
	if gen < 0 || gen >= replyGens {
		return nil
	}
	for i, c := range t.classes {
		if digits62[i%62] == id[0] && c.gens[gen] != nil {
			if _, ok := c.gens[gen][id]; ok {
				return c.gens[gen]
			}
		}
	}
	return nil
}

// remove forgets a request.
func (t *replyTable) remove(r *reply) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.at(r.id), r.id)
}
