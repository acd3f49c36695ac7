package jetstream

import "testing"

func TestQueue(t *testing.T) {
	var q queue[*int]
	next, want := 0, 0
	for round := range 50 {
		for range round * 100 {
			v := next
			q.push(&v)
			next++
		}
		for range round * 90 {
			if got := **q.front(); got != want {
				t.Fatalf("%d instead of %d", got, want)
			}
			want++
			q.pop()
		}
		if q.len() != next-want || len(q.all()) != q.len() {
			t.Fatal(q.len(), next-want)
		}
	}
	for q.len() > 0 {
		q.pop()
	}
	for range 20 { // a little at a time: it becomes small again
		v := 1
		q.push(&v)
		q.pop()
	}
	if cap(q.list) > 2048 {
		t.Errorf("%d are kept for nothing", cap(q.list))
	}
}
