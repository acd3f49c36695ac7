package segment

import "testing"

// TestScrubInSmallSteps: a scrub comes to its end however little is read at once, also where an index is larger than that.
func TestScrubInSmallSteps(t *testing.T) {
	w := makeRotten(t)
	var reports []Report
	l, err := Open(w.disk, "/log", rotOptions(&reports))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	whole := int64(0)
	for from, more := uint64(0), true; more; {
		var n int64
		from, n, more = l.ScrubStep(from, 1<<30)
		whole += n
	}
	for _, step := range []int64{1, 100, 1000} {
		read, steps := int64(0), 0
		for from, more := uint64(0), true; more; steps++ {
			var n int64
			from, n, more = l.ScrubStep(from, step)
			if read += n; read > whole {
				t.Fatalf("steps of %d bytes: %d bytes are read in %d steps, and there are %d", step, read, steps, whole)
			}
		}
		if read != whole {
			t.Errorf("steps of %d bytes: %d bytes are read of %d", step, read, whole)
		}
	}
}
