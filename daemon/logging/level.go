package logging

import (
	"fmt"
	"strings"
)

// Level is the weight of a line. The order is ascending: a line of a level is written when the subsystem's threshold is
// at or below it. Trace and Debug are two separate switches in the NATS dialect (-V and -D): see [Options].
type Level int8

// The levels, lightest first. Fatal labels the last line before the process ends; logging it does not end anything.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	Error
	Fatal

	numLevels = int(Fatal) + 1
)

var levelNames = [numLevels]string{"trace", "debug", "info", "warn", "error", "fatal"}

// String returns the level's name as the configuration and the control socket spell it: "trace", "debug", "info",
// "warn", "error" or "fatal".
func (lv Level) String() string {
	if lv < Trace || lv > Fatal {
		return fmt.Sprintf("Level(%d)", int8(lv))
	}
	return levelNames[lv]
}

// ParseLevel is the inverse of [Level.String]. Case does not matter and "warning" and "notice" are understood too.
func ParseLevel(s string) (Level, error) {
	name := strings.ToLower(strings.TrimSpace(s))
	switch name {
	case "warning":
		return Warn, nil
	case "notice":
		return Info, nil
	}
	for i, n := range levelNames {
		if n == name {
			return Level(i), nil
		}
	}
	return 0, fmt.Errorf("unknown log level %q (expected one of %s)", s, strings.Join(levelNames[:], ", "))
}

// levelSet has one bit per level that is written. It is what a subsystem publishes atomically: a set and not a
// threshold, because -V without -D traces without debugging.
type levelSet uint32

// setFrom returns the set of lv and everything heavier.
func setFrom(lv Level) levelSet {
	lv = max(Trace, min(lv, Fatal))
	all := levelSet(1)<<numLevels - 1
	return all &^ (levelSet(1)<<lv - 1)
}

func (s levelSet) has(lv Level) bool { return s&(1<<uint8(lv)) != 0 }

// lowest returns the lightest level of the set, which is how the set is shown to people.
func (s levelSet) lowest() Level {
	for lv := Trace; lv < Fatal; lv++ {
		if s.has(lv) {
			return lv
		}
	}
	return Fatal
}
