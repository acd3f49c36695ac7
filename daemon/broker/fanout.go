package broker

import (
	"cmp"
	"slices"
	"strings"
)

// fanout is how a message reaches the plain receivers of one pattern: those that
// are sent the same bytes are together. It is derived from a list of the index once
// and shared by all senders.
type fanout struct {
	groups  []fanGroup      // receivers with nothing special about them
	headers bool            // all of those take headers
	apart   bool            // no client occurs twice
	special []*Subscription // clients with something special about the subscription
	others  []*Subscription // those that are not clients
}

// fanGroup is receivers that are sent the same bytes.
type fanGroup struct {
	sid  string // "<sid> "
	subs []*Subscription
}

// alike reports whether every receiver gets every message, in the order of the messages.
func (o *fanout) alike() bool { return o.apart && len(o.special)+len(o.others) == 0 }

// fanoutOf returns the fan-out of a list, deriving it if nobody has before.
func fanoutOf(l *list) *fanout {
	if f := l.Derived.Load(); f != nil {
		return f
	}
	f := &fanout{apart: true, headers: true}
	at := make(map[string]int)
	seen := make(map[*Client]bool, len(l.Plain))
	for _, s := range l.Plain {
		if s.kind != kindClient {
			f.others = append(f.others, s)
			continue
		}
		f.apart = f.apart && !seen[s.client]
		seen[s.client] = true
		if !s.simple() {
			f.special = append(f.special, s)
			continue
		}
		f.headers = f.headers && s.client.has(flagHeaders)
		i, ok := at[s.sidSpace()]
		if !ok {
			i = len(f.groups)
			at[s.sidSpace()] = i
			f.groups = append(f.groups, fanGroup{sid: s.sidSpace()})
		}
		f.groups[i].subs = append(f.groups[i].subs, s)
	}
	if !f.apart {
		l.Derived.Store(f) // what a client gets of one message comes in the order of its subscriptions
		return f
	}
	// Sids of one length follow each other: see [batch.Stage.Put].
	slices.SortFunc(f.groups, func(a, b fanGroup) int {
		return cmp.Or(cmp.Compare(len(a.sid), len(b.sid)), strings.Compare(a.sid, b.sid))
	})
	l.Derived.Store(f)
	return f
}
