package consumer

// spent is the messages that were delivered as often as allowed and are not acknowledged. There may be millions: nothing but a
// checkpoint walks over all of them.
type spent struct {
	times map[uint64]int // how often, by sequence
	heap  []uint64       // the sequences, and some that have gone; no entry is lower than the one at half its place
}

func (s *spent) has(seq uint64) bool {
	_, ok := s.times[seq]
	return ok
}

func (s *spent) add(seq uint64, times int) {
	if s.times == nil {
		s.times = map[uint64]int{}
	}
	if !s.has(seq) {
		s.push(seq)
	}
	s.times[seq] = times
}

// remove takes a sequence out and reports whether it was there.
func (s *spent) remove(seq uint64) bool {
	if !s.has(seq) {
		return false
	}
	delete(s.times, seq)
	if len(s.heap) > 2*len(s.times)+64 {
		s.heap = sorted(s.times) // what is in order is a heap
	}
	return true
}

// lowest returns the lowest sequence.
func (s *spent) lowest() (seq uint64, ok bool) {
	for len(s.heap) > 0 {
		if s.has(s.heap[0]) {
			return s.heap[0], true
		}
		s.pop()
	}
	return 0, false
}

// dropBelow forgets everything below a sequence.
func (s *spent) dropBelow(seq uint64) {
	for low, ok := s.lowest(); ok && low < seq; low, ok = s.lowest() {
		delete(s.times, low)
		s.pop()
	}
}

func (s *spent) push(seq uint64) {
	s.heap = append(s.heap, seq)
	i := len(s.heap) - 1
	for up := (i - 1) / 2; i > 0 && s.heap[up] > seq; i, up = up, (up-1)/2 {
		s.heap[i] = s.heap[up]
	}
	s.heap[i] = seq
}

func (s *spent) pop() {
	last := len(s.heap) - 1
	seq := s.heap[last]
	s.heap = s.heap[:last]
	if last == 0 {
		s.heap = nil
		return
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= last {
			break
		}
		if down+1 < last && s.heap[down+1] < s.heap[down] {
			down++
		}
		if s.heap[down] >= seq {
			break
		}
		s.heap[i] = s.heap[down]
		i = down
	}
	s.heap[i] = seq
}
