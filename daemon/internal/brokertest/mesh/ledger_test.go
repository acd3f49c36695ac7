package mesh

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// ledger knows what was sent and what came, and what may be missing.
type ledger struct {
	mu     sync.Mutex
	sent   [][]time.Time // by sender and number
	plain  [][]arrivals  // by sender and receiver
	shared [][]uint8     // by sender and number: how often a member of the group got it
	lax    pairs         // between which messages may come late; never doubled
	late   int           // messages that did
	bad    []string
	excuse []excuse
}

// arrivals is what one receiver got from one sender, which must come in order.
type arrivals struct {
	next int
	gaps [][2]int // first and behind the last of those that did not come
}

// fill takes a message that came late out of the gaps; it reports whether it was one.
func (a *arrivals) fill(number int) bool {
	for i, g := range a.gaps {
		if number < g[0] || number >= g[1] {
			continue
		}
		a.gaps[i] = [2]int{g[0], number}
		a.gaps = append(a.gaps, [2]int{number + 1, g[1]})
		return true
	}
	return false
}

// excuse is a time in which messages between some nodes may be lost.
type excuse struct {
	why      string
	pairs    pairs
	from, to time.Time
}

// pairs says which messages a failure may lose, by sender and receiver.
type pairs func(from, to int) bool

func none(int, int) bool { return false }

// between is what two nodes send each other.
func between(a, b int) pairs {
	return func(from, to int) bool { return from == a && to == b || from == b && to == a }
}

// all is everything a node sends and receives.
func (c *cluster) all(n int) pairs { return func(from, to int) bool { return from == n || to == n } }

func newLedger(n int, lax pairs) *ledger {
	l := &ledger{lax: lax, sent: make([][]time.Time, n), shared: make([][]uint8, n), plain: make([][]arrivals, n)}
	for i := range l.plain {
		l.plain[i] = make([]arrivals, n)
	}
	return l
}

// send notes that a message goes out, and numbers it.
func (l *ledger) send(from int) (number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[from] = append(l.sent[from], time.Now())
	l.shared[from] = append(l.shared[from], 0)
	return len(l.sent[from]) - 1
}

// unsend takes back the last number: it did not go out.
func (l *ledger) unsend(from int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.sent[from]) - 1
	l.sent[from], l.shared[from] = l.sent[from][:n], l.shared[from][:n]
}

// unshare notes that the group was not sent a message.
func (l *ledger) unshare(from, number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shared[from][number]++
}

// came notes a message that is for every receiver.
func (l *ledger) came(from, to, number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &l.plain[from][to]
	switch {
	case number < a.next && !a.fill(number):
		l.complain("message %d from %d came to %d twice", number, from, to)
		return
	case number < a.next:
		if l.late++; !l.lax(from, to) {
			l.complain("message %d from %d came to %d when %d was next", number, from, to, a.next)
		}
		return
	case number > a.next:
		a.gaps = append(a.gaps, [2]int{a.next, number})
	}
	a.next = number + 1
}

// served notes a message of which one receiver of all gets one.
func (l *ledger) served(from, to, number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shared[from][number]++; l.shared[from][number] > 1 {
		l.complain("message %d from %d was served twice, by %d at last", number, from, to)
	}
}

func (l *ledger) complain(format string, args ...any) {
	if len(l.bad) < 20 {
		l.bad = append(l.bad, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}

// heads are the numbers sent so far, by sender.
func (l *ledger) heads() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	heads := make([]int, len(l.sent))
	for i := range heads {
		heads[i] = len(l.sent[i])
	}
	return heads
}

// missing lists who has not yet got everything up to heads, or something behind it.
func (l *ledger) missing(heads []int) (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for from := range l.plain {
		for to := range l.plain[from] {
			if l.plain[from][to].next < heads[from] {
				list = append(list, fmt.Sprintf("%d to %d (%d of %d)", from, to, l.plain[from][to].next, heads[from]))
			}
		}
	}
	return list
}

// slack is how long before a failure a message may have been sent that it stopped on
// its way: in a buffer, or in a packet that was not acknowledged.
const slack = 500 * time.Millisecond

// forgive notes that messages may be lost for a time. What was sent before seen has come: what was sent after it may have
// been on its way, and that for longer than slack where all wait for a processor.
func (l *ledger) forgive(why string, p pairs, seen, from, to time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from = from.Add(-slack); seen.Before(from) {
		from = seen
	}
	l.excuse = append(l.excuse, excuse{why, p, from, to})
}

// excused reports whether a message that was sent then may be missing at a receiver;
// to is -1 for one that any receiver might have got.
func (l *ledger) excused(from, to int, at time.Time) bool {
	return slices.ContainsFunc(l.excuse, func(e excuse) bool {
		if at.Before(e.from) || at.After(e.to) {
			return false
		}
		if to >= 0 {
			return e.pairs(from, to)
		}
		for to := range l.plain {
			if e.pairs(from, to) {
				return true
			}
		}
		return false
	})
}

// verdict lists what is wrong, and counts: messages sent, deliveries that failed and
// may have. Everything must have settled.
func (l *ledger) verdict() (bad []string, sent, lost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	bad = slices.Clone(l.bad)
	wrong := func(from, to, number int) {
		lost++
		if at := l.sent[from][number]; !l.excused(from, to, at) && len(bad) < 40 {
			bad = append(bad, fmt.Sprintf("message %d from %d, sent at %s, did not come to %d", number, from, at.Format("15:04:05.000"), to))
		}
	}
	for from := range l.plain {
		sent += len(l.sent[from])
		for to, a := range l.plain[from] {
			for _, g := range append(a.gaps, [2]int{a.next, len(l.sent[from])}) {
				for n := g[0]; n < g[1]; n++ {
					wrong(from, to, n)
				}
			}
		}
		for n, times := range l.shared[from] {
			if times == 0 {
				wrong(from, -1, n)
			}
		}
	}
	return bad, sent, lost
}
