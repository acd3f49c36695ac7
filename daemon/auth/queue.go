package auth

import (
	"context"
	"net/netip"
	"slices"
	"sync"
)

// queue lets a bounded number work at a time and says whose turn is next, so that nobody who sends many wrong passwords
// keeps others from being heard:
//
//   - who is decided on comes before what only takes time;
//   - an address from which logins have failed too often has one turn at a time, and none of others is kept waiting by
//     what one address has under way;
//   - addresses take turns, and behind one address the users named do;
//   - of those that name one user from one address the last to come is first: in a storm, the others have been waiting
//     for so long that they will not be there to hear the answer.
type queue struct {
	mu      sync.Mutex // guards all below
	free    int        // turns that nobody has
	waiting []*ticket  // in the order in which they came
	lines   map[netip.Prefix]*line
	turns   uint64 // so far
}

// caller is who asks, as far as the order of turns goes.
type caller struct {
	from   netip.Prefix
	slowed bool // has failed too often
}

// ticket waits for a turn.
type ticket struct {
	caller
	name  string // of the user
	decoy bool   // nothing depends on it
	turn  chan struct{}
	no    uint64 // of the turn, counted from 1; 0: it waits
}

// line is what an address has in the queue, waiting or at work.
type line struct {
	here  int // tickets
	busy  int // of which it is the turn
	last  uint64
	names map[string]uint64 // when each user had a turn last
}

func newQueue(turns int) *queue {
	return &queue{free: turns, lines: map[netip.Prefix]*line{}}
}

// enter waits for the turn of t and returns what ends it, which must be called. The error is the context's.
func (q *queue) enter(ctx context.Context, t *ticket) (done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t.turn = make(chan struct{})
	q.mu.Lock()
	l := q.lines[t.from]
	if l == nil {
		l = &line{names: map[string]uint64{}}
		q.lines[t.from] = l
	}
	l.here++
	q.waiting = append(q.waiting, t)
	q.next()
	q.mu.Unlock()
	select {
	case <-t.turn:
		return func() { q.leave(t) }, nil
	case <-ctx.Done():
		q.leave(t)
		return nil, ctx.Err()
	}
}

// leave takes t out, whether or not it had its turn.
func (q *queue) leave(t *ticket) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[t.from]
	if t.no > 0 {
		l.busy--
		q.free++
	} else if i := slices.Index(q.waiting, t); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	if l.here--; l.here == 0 {
		delete(q.lines, t.from)
	}
	q.next()
}

// next begins turns while there are any to be had. q.mu is held.
func (q *queue) next() {
	for q.free > 0 {
		best := -1
		for i, t := range q.waiting {
			if l := q.lines[t.from]; t.slowed && l.busy > 0 {
				continue
			}
			if best < 0 || q.before(t, q.waiting[best]) {
				best = i
			}
		}
		if best < 0 {
			return
		}
		t := q.waiting[best]
		q.waiting = slices.Delete(q.waiting, best, best+1)
		l := q.lines[t.from]
		q.free--
		q.turns++
		l.busy++
		l.last, l.names[t.name] = q.turns, q.turns
		t.no = q.turns
		close(t.turn)
	}
}

// before reports whether the turn of t, the later of both, comes before that of u.
func (q *queue) before(t, u *ticket) bool {
	if t.decoy != u.decoy {
		return u.decoy
	}
	a, b := q.lines[t.from], q.lines[u.from]
	if a != b {
		if a.busy != b.busy {
			return a.busy < b.busy
		}
		return a.last < b.last
	}
	return a.names[t.name] <= a.names[u.name]
}
