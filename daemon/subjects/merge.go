package subjects

// Cursor goes through sorted subjects: an [Iter], or whatever else is sorted.
type Cursor interface {
	Next() bool
	Name() []byte
	Err() error
}

// Merge goes through several cursors at once. For each subject it calls fn with the numbers of
// the cursors that stand at it, in order; name and at are valid during the call. It ends when fn returns false, and
// returns the first error of a cursor; the others are read to their ends all the same.
func Merge[C Cursor](cursors []C, fn func(name []byte, at []int) bool) error {
	var err error
	heap := make([]int, 0, len(cursors))
	less := func(a, b int) bool {
		x, y := string(cursors[a].Name()), string(cursors[b].Name())
		return x < y || x == y && a < b
	}
	down := func(i int) {
		for {
			c := 2*i + 1
			if c >= len(heap) {
				return
			}
			if c+1 < len(heap) && less(heap[c+1], heap[c]) {
				c++
			}
			if !less(heap[c], heap[i]) {
				return
			}
			heap[i], heap[c] = heap[c], heap[i]
			i = c
		}
	}
	next := func(c int) bool {
		if cursors[c].Next() {
			return true
		}
		if e := cursors[c].Err(); e != nil && err == nil {
			err = e
		}
		return false
	}
	for i := range cursors {
		if next(i) {
			heap = append(heap, i)
		}
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		down(i)
	}
	var name []byte
	at := make([]int, 0, len(cursors))
	for len(heap) > 0 {
		name = append(name[:0], cursors[heap[0]].Name()...)
		if alone(cursors, heap, name) { // it moves on where it stands, mostly to stay there
			if !fn(name, append(at[:0], heap[0])) {
				return err
			}
			if !next(heap[0]) {
				last := len(heap) - 1
				heap[0] = heap[last]
				heap = heap[:last]
			}
			down(0)
			continue
		}
		at = at[:0]
		// The cursors stay where they are until fn has seen them: they leave the heap first.
		for len(heap) > 0 && string(cursors[heap[0]].Name()) == string(name) {
			at = append(at, heap[0])
			last := len(heap) - 1
			heap[0] = heap[last]
			heap = heap[:last]
			down(0)
		}
		if !fn(name, at) {
			return err
		}
		for _, c := range at {
			if next(c) {
				heap = append(heap, c)
				for i := len(heap) - 1; i > 0; {
					p := (i - 1) / 2
					if !less(heap[i], heap[p]) {
						break
					}
					heap[i], heap[p] = heap[p], heap[i]
					i = p
				}
			}
		}
	}
	return err
}

// alone reports whether only the cursor on top of a heap stands at a name: whatever else does is right below it.
func alone[C Cursor](cursors []C, heap []int, name []byte) bool {
	for i := 1; i < min(len(heap), 3); i++ {
		if string(cursors[heap[i]].Name()) == string(name) {
			return false
		}
	}
	return true
}
