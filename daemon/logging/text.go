package logging

import (
	"strconv"
	"time"
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
	location *time.Location // nil: time.Local
}

// appendLine renders r with its final newline. A message of several lines stays as it is.
func (t textFormat) appendLine(b []byte, r *record) []byte {
	b = append(b, '[')
	b = strconv.AppendInt(b, int64(t.pid), 10)
	b = append(b, ']', ' ')
	if t.time {
		b = t.stamp(r.time).AppendFormat(b, lineTime)
	}
	if t.colored {
		b = append(b, coloredLabels[r.level]...)
	} else {
		b = append(b, plainLabels[r.level]...)
	}
	b = append(b, r.message...)
	if n := len(b); b[n-1] != '\n' {
		b = append(b, '\n')
	}
	return b
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
