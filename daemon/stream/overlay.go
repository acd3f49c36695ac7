package stream

import (
	"sort"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// overlay is what is accepted and not applied: the changes in their order, and what follows from them for those that are
// accepted next.
type overlay struct {
	changes []Change // a queue; the first ones before head are done
	head    int
	high    int // the most that waited since nothing did

	msgs, bytes uint64 // that will be appended
	removers    int    // changes that take out something
	others      int    // those of them that are no appends
	wipes       int    // those that take out everything else

	// subjects has what will be appended by subject; nil until somebody asks.
	subjects map[string]tail
}

// tail is the pending part of a subject.
type tail struct {
	last uint64
	msgs uint64
}

func (o *overlay) empty() bool { return o.head == len(o.changes) }

func (o *overlay) pending() []Change { return o.changes[o.head:] }

func (o *overlay) push(c Change, size uint64) {
	if len(o.changes) == cap(o.changes) && o.head > len(o.changes)/2 {
		n := copy(o.changes, o.changes[o.head:])
		clear(o.changes[n:])
		o.changes, o.head = o.changes[:n], 0
	}
	o.changes = append(o.changes, c)
	o.high = max(o.high, len(o.changes)-o.head)
	o.count(&c, 1)
	if c.Kind != Append {
		return
	}
	o.msgs++
	o.bytes += size
	if o.subjects != nil {
		o.note(&c.Record)
	}
}

func (o *overlay) count(c *Change, by int) {
	if c.removes() {
		o.removers += by
	}
	if !c.arrives() || c.Kind == Skip && c.rollup != noRollup || c.next == over {
		o.others += by
	}
	if c.rollup == rollupAll {
		o.wipes += by
	}
}

func (o *overlay) note(r *Record) {
	t := o.subjects[string(r.Subject)]
	o.subjects[string(r.Subject)] = tail{r.Seq, t.msgs + 1}
}

// pop takes out the oldest change, which is applied now.
func (o *overlay) pop(size uint64) {
	c := &o.changes[o.head]
	o.count(c, -1)
	if c.Kind == Append {
		o.msgs--
		o.bytes -= size
		if t, ok := o.subjects[string(c.Record.Subject)]; ok && t.msgs > 1 {
			o.subjects[string(c.Record.Subject)] = tail{t.last, t.msgs - 1}
		} else if ok {
			delete(o.subjects, string(c.Record.Subject))
		}
	}
	*c = Change{}
	o.head++
	if o.empty() {
		o.reset()
	}
}

func (o *overlay) reset() {
	keep := o.changes[:0]
	if cap(keep) > 1024 && o.high < cap(keep)/4 { // it has not needed so much for a while
		keep = make([]Change, 0, cap(keep)/2)
	}
	clear(o.changes)
	*o = overlay{changes: keep}
}

// of returns the pending part of a subject.
func (o *overlay) of(subj []byte) (tail, bool) {
	if o.msgs == 0 {
		return tail{}, false
	}
	if o.subjects == nil {
		o.subjects = make(map[string]tail)
		for i := range o.pending() {
			if c := &o.pending()[i]; c.Kind == Append {
				o.note(&c.Record)
			}
		}
	}
	t, ok := o.subjects[string(subj)]
	return t, ok
}

// record returns the pending message with a sequence. All that is pending has come, see [Change.arrives].
func (o *overlay) record(seq uint64) (*Record, bool) {
	p := o.pending()
	i := sort.Search(len(p), func(i int) bool { return max(p[i].Record.Seq, p[i].Seq) >= seq })
	if i == len(p) || p[i].Kind != Append || p[i].Record.Seq != seq {
		return nil, false
	}
	return &p[i].Record, true
}

// lastMatch returns the last pending message on a pattern.
func (o *overlay) lastMatch(pattern []byte) (uint64, bool) {
	p := o.pending()
	for i := len(p) - 1; i >= 0; i-- {
		if c := &p[i]; c.Kind == Append && subject.Matches(pattern, c.Record.Subject) {
			return c.Record.Seq, true
		}
	}
	return 0, false
}
