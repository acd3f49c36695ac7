package monitor

import "slices"

// topK keeps the k smallest rows it is offered, by less, in a heap whose root is
// the largest kept. Offering n rows costs n·log k and keeps k of them, whatever
// n is.
type topK[T any] struct {
	k    int
	less func(a, b *T) bool
	rows []T
}

// expect makes room for the rows that n offers may leave.
func (t *topK[T]) expect(n int) { t.rows = make([]T, 0, min(t.k, n)) }

// offer considers one row; it is copied if kept.
func (t *topK[T]) offer(row *T) {
	switch {
	case t.k == 0:
	case len(t.rows) < t.k:
		t.rows = append(t.rows, *row)
		if len(t.rows) == t.k { // it may not come to that: a heap only now
			for i := t.k/2 - 1; i >= 0; i-- {
				t.down(i)
			}
		}
	case t.less(row, &t.rows[0]):
		t.rows[0] = *row
		t.down(0)
	}
}

func (t *topK[T]) down(i int) {
	for {
		largest := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(t.rows); c++ {
			if t.less(&t.rows[largest], &t.rows[c]) {
				largest = c
			}
		}
		if largest == i {
			return
		}
		t.rows[i], t.rows[largest] = t.rows[largest], t.rows[i]
		i = largest
	}
}

// page returns the kept rows from offset on, in order. They belong to the topK,
// which is spent. Sorting moves pointers: rows are large.
func (t *topK[T]) page(offset int) []*T {
	order := make([]*T, len(t.rows))
	for i := range t.rows {
		order[i] = &t.rows[i]
	}
	slices.SortFunc(order, func(a, b *T) int {
		switch {
		case t.less(a, b):
			return -1
		case t.less(b, a):
			return 1
		}
		return 0
	})
	return order[min(max(offset, 0), len(order)):]
}
