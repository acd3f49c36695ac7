package segment

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Log is a stream's log in files. It implements [stream.Log]. Beside what that asks for, Sync
// may be called beside the methods that change the log, between two commits.
type Log struct {
	fs   vfs.FS
	dir  string
	o    Options
	node *Node
	key  key

	scrubbing sync.RWMutex // while a piece is scrubbed; taken before all others
	ended     bool         // of scrubbing: the log is closed, or being closed

	syncing sync.Mutex // one Sync at a time; taken before writing
	writing sync.Mutex // one who changes; taken before mu
	mu      sync.RWMutex

	// Of writing. What readers see of it is changed under mu as well.
	commit, highest uint64 // of Begin; the highest there was
	changedAt       uint64 // the highest commit that changed something
	cur             *file  // takes the next run; nil: one will be made
	nextFile        uint64
	files           []*file
	away            []*file // in no run any more; removed once a state without them is on the disk
	deadFiles       map[uint64]int64
	begun           bool                  // there is a state on the disk
	broken          error                 // what ended the use of the log: it has to be opened anew
	retryAt         int                   // with full: how large the tail is when it is tried again
	full            atomic.Pointer[error] // what keeps the tail from becoming a run; nil: nothing. The next attempt may do it
	closed          bool
	below           uint64   // not 0: what lies from here up to first is to be taken out still
	leftovers       []string // files of an earlier life that no state names
	cleanAt         uint64   // changes+1 at the last Sync that succeeded; pending: at the one that runs
	pending         uint64

	// Of mu.
	runs        []*run // by sequence; the slice is replaced, never changed
	gen         uint64 // of runs
	changes     uint64
	tail        tail
	table       subjects.Table
	complete    bool // what is not in the table has no messages
	first, last uint64
	told        bool
	firstTime   int64 // of first; 0: not known yet
	lastTime    int64
	msgs, bytes uint64
	names       int
	unsure      bool           // names may be too many
	lost        []stream.Range // damaged: it stays so, and the state says it
	recents     recents
	withheld    []stream.Range // what the disk did not give since the log was opened

	durable  atomic.Uint64
	compress atomic.Bool // new pages are compressed
}

var _ stream.Log = (*Log)(nil)

// Size is what a message counts for, as nats-server counts it in its file store.
func (l *Log) Size(subject, header, payload int) uint64 { return size(subject, header, payload) }

func size(subject, header, payload int) uint64 {
	n := uint64(subject) + uint64(payload) + 30
	if header > 0 {
		n += uint64(header) + 4
	}
	return n
}

// Begin implements [stream.Log]. A number below those before begins a replay.
func (l *Log) Begin(n uint64) {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.commit = n
	l.highest = max(l.highest, n)
}

// Durable implements [stream.Log].
func (l *Log) Durable() uint64 { return l.durable.Load() }

// usable returns what keeps the log from being changed.
func (l *Log) usable() error {
	if l.closed {
		return fmt.Errorf("%s: log closed", l.dir)
	}
	return l.broken
}

// Append implements [stream.Log]. It keeps no slice of r.
func (l *Log) Append(r *stream.Record) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if r.Seq <= l.last {
		if l.commit > l.changedAt {
			return fmt.Errorf("%s: sequence %d behind %d", l.dir, r.Seq, l.last)
		}
		return nil // a replay
	}
	if n := len(r.Subject) + len(r.Header) + len(r.Payload); n > maxRecord || len(r.Subject) > subjects.MaxName {
		return errTooLarge
	}
	if l.Full() != nil && l.tail.room >= 4*l.o.Tail {
		if err := l.seal(); err != nil {
			return fmt.Errorf("%w: %w", stream.ErrFull, err)
		}
	}
	l.changedAt = max(l.changedAt, l.commit)
	return l.add(r, l.commit)
}

// add takes a record whose sequence is behind the last.
func (l *Log) add(r *stream.Record, commit uint64) error {
	before, err := l.totals(r.Subject)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.changes++
	l.tail.add(r, commit)
	v := before
	if v.Msgs == 0 {
		v.First = r.Seq
		l.names++
	}
	v.Last = r.Seq
	v.Msgs++
	ref, _ := l.table.Insert(r.Subject)
	l.table.Set(ref, v)
	if l.msgs == 0 {
		l.first, l.firstTime = r.Seq, r.Time
	}
	l.msgs++
	l.bytes += size(len(r.Subject), len(r.Header), len(r.Payload))
	l.last, l.lastTime, l.told = r.Seq, r.Time, true
	l.mu.Unlock()
	if l.tail.room >= l.o.Tail || len(l.tail.recs) >= maxTail {
		if l.tail.data < l.tail.room/2 && l.tail.live < len(l.tail.recs)/2 {
			l.squeeze()
		} else if l.Full() == nil || l.tail.room >= l.retryAt {
			_ = l.seal() // what cannot be written waits, see full
		}
	}
	l.changed()
	return nil
}

// maxTail bounds the records that wait for a file.
const maxTail = 1 << 16

// changed tells how much memory there is in use now.
func (l *Log) changed() {
	l.mu.RLock()
	defer l.mu.RUnlock()
	l.tellUse()
}

// tellUse is changed for one who holds mu.
func (l *Log) tellUse() { l.o.Changed(int64(l.tail.bytes()), int64(l.table.Bytes())) }

// totals returns what is known of a subject to the one who changes the log.
func (l *Log) totals(name []byte) (subjects.Totals, error) {
	l.mu.RLock()
	ref, ok := l.table.Find(name)
	var v subjects.Totals
	if ok {
		v = l.table.Totals(ref)
	}
	l.mu.RUnlock()
	if ok || l.complete {
		return v, nil
	}
	v, err := l.search(name)
	if err != nil {
		return v, fmt.Errorf("subject %q: %w", name, l.unreadable(err))
	}
	return v, nil
}

// Totals whose first or last message has gone hold the bound that is known, and this bit.
const bound = 1 << 63

// Remove implements [stream.Log].
func (l *Log) Remove(seq uint64) (bool, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return false, err
	}
	l.changedAt = max(l.changedAt, l.commit)
	there, err := l.remove(seq)
	if there {
		l.changed()
	}
	return there, err
}

// remove takes one message out, and moves the first sequence if it was the first.
func (l *Log) remove(seq uint64) (bool, error) {
	if seq < l.first || seq > l.last {
		return false, nil
	}
	after := l.first
	if seq == l.first {
		after, _ = l.Next(seq+1, nil)
	}
	if i := l.tail.at(seq); i < len(l.tail.recs) && l.tail.recs[i].seq == seq {
		return l.removeWaiting(i, after), nil
	}
	for {
		there, err := l.removeStored(seq, after)
		if !errors.Is(err, errStale) {
			return there, err
		}
	}
}

// removeWaiting takes a record out of the tail.
func (l *Log) removeWaiting(i int, after uint64) bool {
	r := &l.tail.recs[i]
	if r.dead {
		return false
	}
	name := l.tail.subject(i)
	before, err := l.totals(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.uncount(size(int(r.subject), int(r.header), int(r.payload)), after)
	if err == nil {
		l.forget(name, before, r.seq)
	} else {
		l.unsure = true
	}
	l.tail.kill(i)
	if l.tail.live == 0 {
		l.tail.release()
	}
	return true
}

func (l *Log) removeStored(seq, after uint64) (bool, error) {
	r := l.runAt(l.runs, seq)
	if r == nil {
		return false, nil
	}
	number, there, err := l.living(r, seq)
	switch {
	case errors.Is(err, errStale):
		return false, err
	case err != nil:
		return false, l.unreadable(err)
	case !there:
		return false, nil
	}
	var name []byte
	var before subjects.Totals
	weight := r.bytes / uint64(max(r.live, 1)) // of a record that cannot be read
	pg, i, err := l.pageOf(r, number)
	switch {
	case errors.Is(err, errStale):
		return false, err
	case err != nil && !gone(err):
		return false, l.unreadable(err)
	case err == nil:
		e := &pg.entries[i]
		weight = size(int(e.subject), int(e.header), int(e.payload))
		if b, err := pg.record(i); err == nil {
			name = b[:e.subject]
		} else {
			l.lose(r, seq, seq, err)
		}
	}
	var unknown error // what is not known of its subject; the table has nothing then
	if name == nil {
		name, unknown = l.nameByIndex(r, number)
	}
	if name != nil {
		before, unknown = l.totals(name)
	}
	if errors.Is(unknown, stream.ErrNotNow) {
		return false, unknown
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bury(r, number, weight)
	l.uncount(weight, after)
	switch {
	case name == nil:
		l.dropTable() // it counts the message with a subject that nobody knows
		l.unsure = true
	case unknown != nil:
		l.unsure = true
	default:
		l.forget(name, before, seq)
	}
	return true, nil
}

// nameByIndex finds the subject of a record that cannot be read, the long way; nil: nobody knows.
func (l *Log) nameByIndex(r *run, number uint32) ([]byte, error) {
	x, err := l.index(r)
	if err != nil {
		return nil, l.unreadable(err)
	}
	var numbers []uint32
	it := x.names.Iter(nil)
	for it.Next() {
		h := it.Hit()
		if h.First > number || h.Last < number {
			continue
		}
		if numbers, err = x.names.Numbers(h, r.n, numbers[:0]); err != nil {
			return nil, l.unreadable(err)
		}
		if i := searchNumbers(numbers, number); i < len(numbers) && numbers[i] == number {
			return slices.Clone(it.Name()), nil
		}
	}
	if it.Err() != nil {
		return nil, l.unreadable(it.Err())
	}
	return nil, nil
}

// uncount takes a message out of the figures; after is what is first then, under mu.
func (l *Log) uncount(weight, after uint64) {
	l.changes++
	l.msgs--
	l.bytes -= min(weight, l.bytes)
	if l.msgs == 0 {
		after = l.last + 1
	}
	if l.first != after {
		l.first, l.firstTime = after, 0
	}
}

// bury marks a record of a run as dead, under mu.
func (l *Log) bury(r *run, number uint32, weight uint64) {
	if r.dead == nil {
		r.dead = newBitset(r.n)
	}
	r.dead.set(number)
	r.changed = true
	r.live--
	r.bytes -= min(weight, r.bytes)
	if r.live == 0 {
		l.dropRuns(func(o *run) bool { return o == r })
	}
}

// dropRuns takes runs out, and files that have none left, under mu.
func (l *Log) dropRuns(drop func(*run) bool) {
	kept := make([]*run, 0, len(l.runs))
	for _, r := range l.runs {
		if !drop(r) {
			kept = append(kept, r)
		}
	}
	l.setRuns(kept)
	l.sweep()
}

// setRuns replaces the runs, under mu.
func (l *Log) setRuns(runs []*run) {
	l.runs = runs
	l.gen++
	l.recents.forget()
}

// sweep puts files aside that no run is in, but for the one that is written.
func (l *Log) sweep() {
	used := map[*file]bool{l.cur: true}
	for _, r := range l.runs {
		used[r.file] = true
	}
	l.files = slices.DeleteFunc(l.files, func(f *file) bool {
		if used[f] {
			return false
		}
		l.away = append(l.away, f)
		return true
	})
}

// forget takes one message out of a subject's totals, which were before, under mu.
func (l *Log) forget(name []byte, before subjects.Totals, seq uint64) {
	v := before
	if v.Msgs <= 1 {
		if v.Msgs == 1 {
			l.names--
		}
		l.table.Delete(name)
		return
	}
	v.Msgs--
	if v.First&^bound == seq {
		v.First = bound | (seq + 1)
	}
	if v.Last == seq {
		v.Last = bound | (seq - 1)
	}
	if v.Msgs == 1 {
		switch {
		case v.First&bound != 0 && v.Last&bound == 0:
			v.First = v.Last
		case v.Last&bound != 0 && v.First&bound == 0:
			v.Last = v.First
		}
	}
	ref, _ := l.table.Insert(name)
	l.table.Set(ref, v)
}

// Skip implements [stream.Log].
func (l *Log) Skip(last uint64) error { return l.Pass(last, 0) }

// Pass implements [stream.Log].
func (l *Log) Pass(last uint64, at int64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	l.changedAt = max(l.changedAt, l.commit)
	if last <= l.last {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes++
	l.last, l.told = last, true
	if at != 0 {
		l.lastTime = at
	}
	if l.msgs == 0 {
		l.first = last + 1
	}
	return nil
}
