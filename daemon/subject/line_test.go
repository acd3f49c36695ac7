package subject

import (
	"strings"
	"testing"
)

// One byte that may not stand in a line is found wherever it stands, and no other byte is taken for one.
func TestFitsLine(t *testing.T) {
	for n := range 40 {
		for at := range n {
			for c := range 256 {
				b := []byte(strings.Repeat("x", n))
				if at > 0 {
					b[at-1] = 0x01 // a byte below a space that may stand there
				}
				b[at] = byte(c)
				want := !strings.ContainsRune(" \t\r\n", rune(c))
				if FitsLine(b) != want || FitsLine(string(b)) != want {
					t.Fatalf("FitsLine(%q) is not %v", b, want)
				}
			}
		}
	}
	if !FitsLine("") {
		t.Error("nothing does not fit")
	}
}
