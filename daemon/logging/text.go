package logging

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// labels are nats-server's, with the colours it uses on a terminal.
var (
	plainLabels   = [numLevels]string{"[TRC] ", "[DBG] ", "[INF] ", "[WRN] ", "[ERR] ", "[FTL] "}
	coloredLabels = [numLevels]string{
		"[\x1b[33mTRC\x1b[0m] ", "[\x1b[36mDBG\x1b[0m] ", "[\x1b[32mINF\x1b[0m] ",
		"[\x1b[0;93mWRN\x1b[0m] ", "[\x1b[31mERR\x1b[0m] ", "[\x1b[31mFTL\x1b[0m] ",
	}
)

// lineTime is the layout of the time stamp in nats-server's lines.
const lineTime = "2006/01/02 15:04:05.000000 "

// textFormat renders nats-server's line: "[PID] TIME [LVL] message".
type textFormat struct {
	pid      int
	time     bool // -T
	utc      bool // logtime_utc
	colored  bool
	location *time.Location // nil: the machine's
}

// appendLine renders r with its final newline.
func (t textFormat) appendLine(b []byte, r *record) []byte {
	b = append(b, '[')
	b = strconv.AppendInt(b, int64(t.pid), 10)
	b = append(b, "] "...)
	if t.time {
		b = t.stamp(r.time).AppendFormat(b, lineTime)
	}
	if t.colored {
		b = append(b, coloredLabels[r.level]...)
	} else {
		b = append(b, plainLabels[r.level]...)
	}
	b = appendMessage(b, r.message)
	return append(b, '\n')
}

// stamp moves a time into the zone the lines are written in.
func (t textFormat) stamp(at time.Time) time.Time {
	switch {
	case t.utc:
		return at.UTC()
	case t.location != nil:
		return at.In(t.location)
	default:
		return at
	}
}

// appendMessage copies a message so that what peers put into it (a client's name, a subject) can neither forge a line
// nor command the terminal: further lines are indented by a tab, other control characters are written as \xNN.
// Trailing newlines go. Text without control characters is copied as it is.
func appendMessage(b []byte, msg string) []byte {
	for len(msg) > 0 && msg[len(msg)-1] == '\n' {
		msg = msg[:len(msg)-1]
	}
	from := 0
	for i := 0; i < len(msg); {
		c := msg[i]
		if (c >= ' ' && c < 0x7f) || c == '\t' {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRuneInString(msg[i:])
			// U+0080 to U+009F are control characters too: some terminals obey them.
			if r >= 0xa0 && r != utf8.RuneError || r == utf8.RuneError && size > 1 {
				i += size
				continue
			}
		}
		b = append(b, msg[from:i]...)
		if c == '\n' {
			b = append(b, "\n\t"...)
		} else {
			b = appendEscaped(b, msg[i:i+size])
		}
		i += size
		from = i
	}
	return append(b, msg[from:]...)
}

// appendEscaped writes bytes as \xNN.
func appendEscaped(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	for i := range len(s) {
		b = append(b, '\\', 'x', digits[s[i]>>4], digits[s[i]&15])
	}
	return b
}
