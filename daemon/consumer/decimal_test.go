package consumer

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestDecimal(t *testing.T) {
	var d decimal
	check := func(n uint64) {
		t.Helper()
		before := d.n
		if got := string(d.text(n)); got != strconv.FormatUint(n, 10) {
			t.Fatalf("%d after %d is %q", n, before, got)
		}
	}
	edges := []uint64{0, 1, 8, 9, 10, 11, 98, 99, 100, 101, 999_999, 1_000_000, 1<<63 - 1, 9_999_999_999_999_999_999, 10_000_000_000_000_000_000, math.MaxUint64 - 1, math.MaxUint64}
	for _, a := range edges {
		for _, by := range []uint64{0, 1, 2, math.MaxUint64, math.MaxUint64 - 1} { // up and down
			d = decimal{}
			n := a
			for range 25 {
				check(n)
				n += by
			}
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		check(edges[rng.IntN(len(edges))] + rng.Uint64N(3) - 1)
	}
}
