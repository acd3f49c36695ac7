package proto

import (
	"testing"

	"pgregory.net/rapid"
)

// A field ends at the first byte up to a blank, wherever that lies among eight, and
// bytes from 0x80 on belong to it.
func TestFieldEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		buf := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "buf")
		start := rapid.IntRange(0, len(buf)).Draw(t, "start")
		want := start
		for want < len(buf) && buf[want] > ' ' {
			want++
		}
		if got := fieldEnd(buf, start); got != want {
			t.Fatalf("fieldEnd(%q, %d) = %d, want %d", buf, start, got, want)
		}
	})
}
