package monitor

import (
	"strconv"
	"time"
)

// span writes a duration as /varz and /connz do: whole seconds, in years, days,
// hours, minutes and seconds, starting at the largest unit that is not zero.
func span(d time.Duration) string {
	secs := int64(d / time.Second)
	units := [...]struct {
		size   int64
		letter byte
	}{{365 * 24 * 3600, 'y'}, {24 * 3600, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}}
	var b []byte
	for _, u := range units {
		if len(b) == 0 && secs < u.size && u.letter != 's' {
			continue
		}
		b = strconv.AppendInt(b, secs/u.size, 10)
		b = append(b, u.letter)
		secs %= u.size
	}
	return string(b)
}

// rttText writes a round trip time; between a microsecond and a millisecond it
// is cut to whole microseconds.
func rttText(d time.Duration) string {
	if d > time.Microsecond && d < time.Millisecond {
		d = d.Truncate(time.Microsecond)
	}
	return d.String()
}
