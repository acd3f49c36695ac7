package segment

import (
	"slices"

	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// indexWriter collects what an index holds while pages are made.
type indexWriter struct {
	pages []pagePlace
	n     uint32
	names subjects.Table      // subjects; totals are the place in lists
	lists map[uint64][]uint32 // numbers of records
	order []subjects.Ref
}

// add notes that the record with the next number has a subject.
func (w *indexWriter) add(name []byte) {
	ref, made := w.names.Insert(name)
	if made {
		if w.lists == nil {
			w.lists = map[uint64][]uint32{}
		}
		w.names.Set(ref, subjects.Totals{Last: uint64(len(w.order))})
		w.order = append(w.order, ref)
	}
	i := w.names.Totals(ref).Last
	w.lists[i] = append(w.lists[i], w.n)
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
		return slices.Compare(w.names.Name(a), w.names.Name(b))
	})
	var run subjects.RunWriter
	for _, ref := range w.order {
		run.Add(w.names.Name(ref), w.lists[w.names.Totals(ref).Last])
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
