package broker

import "hash/maphash"

var sidSeed = maphash.MakeSeed()

// sidSet is a client's subscriptions by sid: an open-addressing table of pointers,
// a third of the size of a map keyed by string. The client's lock protects it.
type sidSet struct {
	slots []*Subscription
	n     int
}

func (t *sidSet) at(sid string) int {
	return int(maphash.String(sidSeed, sid) & uint64(len(t.slots)-1))
}

// get returns the subscription with the sid, nil if there is none.
func (t *sidSet) get(sid string) *Subscription {
	if t.n == 0 {
		return nil
	}
	for i := t.at(sid); t.slots[i] != nil; i = (i + 1) & (len(t.slots) - 1) {
		if t.slots[i].SID() == sid {
			return t.slots[i]
		}
	}
	return nil
}

// add puts s in; its sid must not be there.
func (t *sidSet) add(s *Subscription) {
	if (t.n+1)*4 > len(t.slots)*3 {
		t.resize(max(4, len(t.slots)*2))
	}
	t.place(s)
	t.n++
}

func (t *sidSet) place(s *Subscription) {
	i := t.at(s.SID())
	for t.slots[i] != nil {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = s
}

func (t *sidSet) resize(n int) {
	old := t.slots
	t.slots = make([]*Subscription, n)
	for _, s := range old {
		if s != nil {
			t.place(s)
		}
	}
}

// remove takes s out, and reports whether it was there.
func (t *sidSet) remove(s *Subscription) bool {
	if t.n == 0 {
		return false
	}
	mask := len(t.slots) - 1
	i := t.at(s.SID())
	for t.slots[i] != s {
		if t.slots[i] == nil {
			return false
		}
		i = (i + 1) & mask
	}
	t.slots[i] = nil
	t.n--
	// Move up what the hole would cut off from its place.
	for j := (i + 1) & mask; t.slots[j] != nil; j = (j + 1) & mask {
		home := t.at(t.slots[j].SID())
		if (j-home)&mask >= (j-i)&mask {
			t.slots[i], t.slots[j] = t.slots[j], nil
			i = j
		}
	}
	if len(t.slots) > 16 && t.n*8 < len(t.slots) {
		t.resize(len(t.slots) / 4)
	}
	return true
}

// all calls f for each subscription until it returns false.
func (t *sidSet) all(f func(*Subscription) bool) {
	for _, s := range t.slots {
		if s != nil && !f(s) {
			return
		}
	}
}
