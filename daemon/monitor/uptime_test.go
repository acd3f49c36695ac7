package monitor

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		0:                              "0s",
		999 * time.Millisecond:         "0s",
		time.Minute:                    "1m0s",
		time.Hour + 5*time.Second:      "1h0m5s",
		2*day + 3*time.Hour:            "2d3h0m0s",
		365*day + 30*day + time.Minute: "1y30d0h1m0s",
		-time.Second:                   "-1s",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestRTTText(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 812: "812ns", 123456: "123µs", 1234567: "1.234567ms"} {
		if got := rttText(d); got != want {
			t.Errorf("rttText(%d) = %q, want %q", d, got, want)
		}
	}
}
