package broker

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/subject"
	"github.com/nats-broker/nats-broker/daemon/sublist"
)

// waiting is the measured requests of an account to services of others that may still be
// answered. When nobody in the account takes the answer any more, since who asked went
// away or gave the subscription up, the measurement ends at once, as with nats-server
// 2.15.3. The zero value is ready.
type waiting struct {
	n  atomic.Int32 // of requests
	mu sync.Mutex   // a leaf
	by map[string][]*sample
}

// maxWaiting bounds what a subscription that ends costs. Measurements beyond it end when
// their answer is late.
const maxWaiting = 1 << 14

// awaits says of a measured request, before it is one, that its answer is to go to a subject
// of an account.
func (m *sample) awaits(a *Account, reply []byte) {
	if strings.HasPrefix(asString(reply), replyPrefix) {
		return // the account waits on behalf of another
	}
	m.from, m.reply = a, string(reply)
}

// begins notes that the answer is waited for.
func (m *sample) begins(r openRequest) {
	if m.from == nil {
		return
	}
	w := &m.from.shares.waiting
	w.mu.Lock()
	if w.n.Load() < maxWaiting {
		if w.by == nil {
			w.by = make(map[string][]*sample)
		}
		m.request = r
		w.by[m.reply] = append(w.by[m.reply], m)
		w.n.Add(1)
	}
	w.mu.Unlock()
	if !r.open() {
		m.ends() // it was too late already
	}
}

// ends notes that a measured request has its answer, or will have none.
func (m *sample) ends() {
	if m.from == nil {
		return
	}
	w := &m.from.shares.waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.by[m.reply]
	for i, o := range list {
		if o == m {
			w.put(m.reply, append(list[:i:i], list[i+1:]...))
			w.n.Add(-1)
			return
		}
	}
}

// put replaces the requests that wait on a subject. The lock is held.
func (w *waiting) put(reply string, list []*sample) {
	if len(list) > 0 {
		w.by[reply] = list
		return
	}
	delete(w.by, reply)
	if len(w.by) == 0 {
		w.by = nil // gives back what a burst took
	}
}

// lost is called when a subscription to a pattern has ended: measurements end whose answers
// were to go there, unless somebody else takes them.
func (a *Account) lost(pattern string) {
	w := &a.shares.waiting
	if w.n.Load() == 0 {
		return
	}
	var over []*sample
	w.mu.Lock()
	take := func(reply string) {
		if list := w.by[reply]; len(list) > 0 && !a.takes(reply) {
			over = append(over, list...)
			w.n.Add(-int32(len(list)))
			w.put(reply, nil)
		}
	}
	if subject.IsLiteral(pattern) {
		take(pattern)
	} else {
		for reply := range w.by {
			if subject.Matches(pattern, reply) {
				take(reply)
			}
		}
	}
	w.mu.Unlock()
	for _, m := range over {
		if m.request.giveUp() {
			m.failed(nobodyWaits)
		}
	}
}

// takes reports whether an answer on a subject would reach anybody.
func (a *Account) takes(reply string) bool {
	var room [8]*node
	to, may := asBytes(reply), receives[FromClient][AsAnswer]
	for _, n := range a.index.Match(to, sublist.Hash(to), room[:0]) {
		one, l := n.Members()
		if one != nil && may.has(one.kind) {
			return true
		}
		if l == nil {
			continue
		}
		for _, s := range l.Plain {
			if may.has(s.kind) {
				return true
			}
		}
		for i := range l.Queues {
			for _, s := range l.Queues[i].Subs {
				if may.has(s.kind) {
					return true
				}
			}
		}
	}
	return false
}

// open reports whether a request can still be answered.
func (r openRequest) open() bool {
	r.shard.mu.Lock()
	defer r.shard.mu.Unlock()
	return r.slot.turn == r.turn && !r.slot.done
}

// giveUp forgets a request and reports whether it could still be answered.
func (r openRequest) giveUp() bool {
	r.shard.mu.Lock()
	defer r.shard.mu.Unlock()
	if r.slot.turn != r.turn || r.slot.done {
		return false
	}
	r.shard.release(r.slot)
	return true
}
