package jetstream

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/consumer"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

func sortSequences(s []uint64) { slices.Sort(s) }

// consumerSet is the consumers of a stream.
type consumerSet struct {
	mu   sync.RWMutex
	list map[string]*Consumer

	// hungry are those that wait for new messages: on one subject, and others.
	hungryMu sync.Mutex // a leaf
	literal  map[string][]*Consumer
	wild     []*Consumer
	waiting  atomic.Int32

	resting atomic.Int32 // of them: how many wait for a message that cannot be read for now
}

func (x *consumerSet) get(name string) *Consumer {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.list[name]
}

// all returns the consumers by name.
func (x *consumerSet) all() []*Consumer {
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := make([]*Consumer, 0, len(x.list))
	for _, n := range slices.Sorted(maps.Keys(x.list)) {
		all = append(all, x.list[n])
	}
	return all
}

// shown returns those that are told of, by name: those that mirrors and sources have are not.
func (x *consumerSet) shown() []*Consumer {
	return slices.DeleteFunc(x.all(), func(c *Consumer) bool { return c.config.Load().Direct })
}

func (x *consumerSet) count() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.list)
}

func (x *consumerSet) add(c *Consumer) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.list == nil {
		x.list = map[string]*Consumer{}
	}
	x.list[c.name] = c
}

// within returns an error that names the consumers that have more than new limits allow, if the limits have changed.
func (x *consumerSet) within(old, new *api.ConsumerLimits) error {
	if *old == *new {
		return nil
	}
	var names []string
	for _, c := range x.all() {
		cfg := c.config.Load()
		if new.InactiveThreshold > 0 && cfg.InactiveThreshold > new.InactiveThreshold || new.MaxAckPending > 0 && cfg.MaxAckPending > new.MaxAckPending {
			names = append(names, c.name)
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("change to limits violates consumers: %s", strings.Join(names, ", "))
	}
	return nil
}

// close ends all consumers; those who wait are told line. They stay here, so that their state can be kept.
func (x *consumerSet) close(line string) {
	for _, c := range x.all() {
		c.close(line)
	}
}

// farewell tells those who wait that the server stops.
func (x *consumerSet) farewell() {
	for _, c := range x.all() {
		c.farewell()
	}
}

// remove takes a consumer out, and reports whether it was there.
func (x *consumerSet) remove(c *Consumer) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.list[c.name] != c {
		return false
	}
	delete(x.list, c.name)
	return true
}

// starve has the next message that a consumer asks for wake it. The consumer's mu is held.
func (x *consumerSet) starve(c *Consumer) {
	if c.hungry {
		return
	}
	c.hungry = true
	x.hungryMu.Lock()
	defer x.hungryMu.Unlock()
	x.waiting.Add(1)
	f := c.filter.Load()
	if !f.Literal() {
		x.wild = append(x.wild, c)
		return
	}
	if x.literal == nil {
		x.literal = map[string][]*Consumer{}
	}
	for _, p := range f.Patterns() {
		x.literal[p] = append(x.literal[p], c)
	}
}

// sated takes a consumer out of those that wait. The consumer's mu is held.
func (x *consumerSet) sated(c *Consumer) {
	if !c.hungry {
		return
	}
	c.hungry = false
	x.hungryMu.Lock()
	defer x.hungryMu.Unlock()
	x.waiting.Add(-1)
	is := func(o *Consumer) bool { return o == c }
	x.wild = slices.DeleteFunc(x.wild, is)
	for _, p := range c.filter.Load().Patterns() {
		if l := slices.DeleteFunc(x.literal[p], is); len(l) > 0 {
			x.literal[p] = l
		} else {
			delete(x.literal, p)
		}
	}
}

// stored wakes the consumers that wait for a message on a subject. They stay among those that wait: waking one that is awake
// is one addition.
func (x *consumerSet) stored(subj []byte) {
	if x.waiting.Load() == 0 {
		return
	}
	x.hungryMu.Lock()
	defer x.hungryMu.Unlock()
	for _, c := range x.literal[string(subj)] {
		c.wake()
	}
	for _, c := range x.wild {
		if c.filter.Load().Match(subj) {
			c.wake()
		}
	}
}

// watchedLog tells consumers of messages that are taken out from between others.
type watchedLog struct {
	stream.Log
	removed []removal     // since it was asked last; used by whoever changes the log
	count   atomic.Uint64 // of removals
	watched func() bool
}

// removal is a message that was taken out, as the n-th.
type removal struct{ seq, n uint64 }

func (l *watchedLog) Remove(seq uint64) (bool, error) {
	was, err := l.Log.Remove(seq)
	if !was {
		return was, err
	}
	if n := l.count.Add(1); l.watched() {
		l.removed = append(l.removed, removal{seq, n})
	}
	return was, err
}

// tell lets consumers know which messages were taken out, as far as it concerns them.
func (x *consumerSet) tell(l *watchedLog) {
	gone := l.removed
	if len(gone) == 0 {
		return
	}
	l.removed = l.removed[:0]
	for _, c := range x.all() {
		for _, r := range gone {
			if r.seq >= c.lowest.Load() {
				c.post(letter{kind: removedLetter, told: consumer.Told{Stream: r.seq, Consumer: r.n}})
			}
		}
	}
}

// purged lets consumers know of a purge.
func (x *consumerSet) purged(filter string, below uint64) {
	for _, c := range x.all() {
		l := letter{kind: purgeLetter, told: told(below), all: filter == "" || filter == ">"}
		if !l.all {
			covered, meets := covers(filter, c.config.Load().Filters())
			if !meets {
				continue
			}
			l.all = covered
		}
		c.post(l)
	}
}

// covers reports whether a purge takes everything that a consumer asks for, and whether it takes any of it.
func covers(filter string, asked []string) (all, any bool) {
	all = len(asked) > 0
	any = len(asked) == 0
	for _, f := range asked {
		all = all && subject.IsSubset(f, filter)
		any = any || subject.Collide(f, filter)
	}
	return all, any
}
