package segment

import (
	"bytes"
	"slices"

	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// indexWriter collects what an index holds while pages are made.
type indexWriter struct {
	pages []pagePlace
	n     uint32         // records
	names subjects.Table // subjects; totals are numbers of records: first and last
	next  []uint32       // of each record, the next one with the same subject; 0: none
	order []subjects.Ref
}

// add notes that the record with the next number has a subject.
func (w *indexWriter) add(name []byte) {
	for uint32(len(w.next)) <= w.n {
		w.next = append(w.next, 0)
	}
	at := uint64(w.n)
	ref, made := w.names.Insert(name)
	if made {
		w.names.Set(ref, subjects.Totals{First: at, Last: at})
		w.order = append(w.order, ref)
	} else {
		v := w.names.Totals(ref)
		w.next[v.Last] = w.n
		w.names.Set(ref, subjects.Totals{First: v.First, Last: at})
	}
	w.n++
}

// addPage notes a page that was read with its records.
func (w *indexWriter) addPage(p pagePlace, pg *page) {
	w.n = p.number
	for i := range pg.entries {
		e := &pg.entries[i]
		w.add(pg.data[e.off : e.off+uint32(e.subject)])
	}
	w.pages = append(w.pages, p)
}

// finish returns body and head of the run of subjects.
func (w *indexWriter) finish() (body, names []byte) {
	slices.SortFunc(w.order, func(a, b subjects.Ref) int {
		return bytes.Compare(w.names.Name(a), w.names.Name(b))
	})
	var run subjects.RunWriter
	var numbers []uint32
	for _, ref := range w.order {
		v := w.names.Totals(ref)
		numbers = append(numbers[:0], uint32(v.First))
		for i := w.next[v.First]; i != 0; i = w.next[i] {
			numbers = append(numbers, i)
		}
		run.Add(w.names.Name(ref), numbers)
	}
	w.names.Release()
	return run.Finish()
}

// inMemory returns the index without writing it.
func (w *indexWriter) inMemory() *index {
	body, names := w.finish()
	x := &index{pages: w.pages}
	for i := range x.pages {
		x.n += int(x.pages[i].n)
	}
	x.names, _ = subjects.OpenRun(names, subjects.Bytes(body)) // what was just made is right
	x.bytes = len(body) + len(names) + 96*len(x.pages) + 4*x.n
	return x
}
