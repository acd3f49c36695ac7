package msgtrace

import "sync/atomic"

// Sampler picks so many of each hundred messages, and which of them is not to be foreseen from their order: what comes in
// turns is picked as what does not. Its methods may be called from any goroutine.
type Sampler struct{ count atomic.Uint64 }

// Take reports whether the next message is one of percent in a hundred.
func (s *Sampler) Take(percent int) bool {
	n := s.count.Add(1) - 1
	block, at := n/100, n%100
	r := scramble(block)
	// Each hundred is gone through in an order of its own: a step that has no divisor with 100, from some place on.
	return (at*steps[r%uint64(len(steps))]+r>>32)%100 < uint64(percent)
}

var steps = [...]uint64{3, 7, 9, 11, 13, 17, 19, 21, 23, 27, 29, 31, 33, 37, 39, 41, 43, 47, 49, 51, 53, 57, 59, 61, 63, 67, 69, 71, 73, 77, 79, 81, 83, 87, 89, 91, 93, 97}

// scramble makes a number of another that says nothing of it (splitmix64).
func scramble(n uint64) uint64 {
	n += 0x9E3779B97F4A7C15
	n = (n ^ n>>30) * 0xBF58476D1CE4E5B9
	n = (n ^ n>>27) * 0x94D049BB133111EB
	return n ^ n>>31
}
