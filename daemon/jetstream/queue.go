package jetstream

// queue is first in, first out. Its memory is used again; of a queue that has become short, most is given back.
type queue[T any] struct {
	list []T // those before head are out
	head int
	high int // the longest since it was empty last
}

func (q *queue[T]) len() int { return len(q.list) - q.head }

func (q *queue[T]) push(v T) {
	if len(q.list) == cap(q.list) && q.head > len(q.list)/2 {
		n := copy(q.list, q.list[q.head:])
		clear(q.list[n:])
		q.list, q.head = q.list[:n], 0
	}
	q.list = append(q.list, v)
	q.high = max(q.high, q.len())
}

// front returns the first; there must be one.
func (q *queue[T]) front() *T { return &q.list[q.head] }

// pop takes out the first.
func (q *queue[T]) pop() {
	var none T
	q.list[q.head] = none
	q.head++
	if q.head == len(q.list) {
		q.list, q.head = q.list[:0], 0
		if cap(q.list) > 1024 && q.high < cap(q.list)/4 {
			q.list = make([]T, 0, cap(q.list)/2)
		}
		q.high = 0
	}
}

// all returns what is in it, in order, until something is done with it.
func (q *queue[T]) all() []T { return q.list[q.head:] }
