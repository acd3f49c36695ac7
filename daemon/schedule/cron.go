package schedule

import (
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// cron is a calendar: which seconds, minutes, hours, days, months and days of the week, each as bits.
type cron struct {
	second, minute, hour, day, month, weekday uint64

	// Where days and days of the week are both restricted either is enough; a star restricts nothing.
	anyDay, anyWeekday bool
	in                 *time.Location
}

// field is one of six.
type field struct {
	least, most int
	names       []string // of the values, from the least on
}

var fields = [6]field{
	{0, 59, nil}, {0, 59, nil}, {0, 23, nil}, {1, 31, nil},
	{1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{0, 6, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
}

// parseCron reads six fields. One that has no day within years is none.
func parseCron(pattern string, in *time.Location) (*cron, error) {
	parts := strings.Fields(pattern)
	if len(parts) != len(fields) {
		return nil, ErrPattern
	}
	c := &cron{in: in}
	star := [6]bool{}
	for i, to := range []*uint64{&c.second, &c.minute, &c.hour, &c.day, &c.month, &c.weekday} {
		for list := range strings.SplitSeq(parts[i], ",") {
			if list == "" {
				continue
			}
			set, any, ok := fields[i].parse(list)
			if !ok {
				return nil, ErrPattern
			}
			*to |= set
			star[i] = star[i] || any
		}
		if *to == 0 {
			return nil, ErrPattern
		}
	}
	c.anyDay, c.anyWeekday = star[3], star[5]
	return c, nil
}

// parse reads a value, a range, or a star, each with a step or without; star says that it restricts nothing.
func (f *field) parse(text string) (set uint64, star, ok bool) {
	values, every, stepped := strings.Cut(text, "/")
	step := 1
	if stepped {
		if step, ok = whole(every); !ok || step == 0 {
			return 0, false, false
		}
	}
	from, to, ranged := strings.Cut(values, "-")
	first, last := f.least, f.most
	switch {
	case from == "*" || from == "?":
		star = step == 1
	default:
		if first, ok = f.value(from); !ok {
			return 0, false, false
		}
		switch {
		case ranged:
			if last, ok = f.value(to); !ok {
				return 0, false, false
			}
		case !stepped:
			last = first
		}
	}
	if first < f.least || last > f.most || first > last {
		return 0, false, false
	}
	for v := first; v <= last; v += step {
		set |= 1 << v
	}
	return set, star, true
}

func (f *field) value(text string) (int, bool) {
	for i, n := range f.names {
		if strings.EqualFold(n, text) {
			return f.least + i, true
		}
	}
	return whole(text)
}

// whole reads a number that is not negative, and no larger than any that has a meaning.
func whole(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return min(n, 1000), err == nil && n >= 0
}

func has(set uint64, value int) bool { return bits.OnesCount64(set&(1<<value)) > 0 }

func (c *cron) hasDay(t time.Time) bool {
	day, weekday := has(c.day, t.Day()), has(c.weekday, int(t.Weekday()))
	if c.anyDay || c.anyWeekday {
		return day && weekday
	}
	return day || weekday
}

// years is how far a calendar looks ahead.
const years = 5

// next returns the first second behind t that the calendar has.
func (c *cron) next(t time.Time) (time.Time, bool) {
	t = t.In(c.in).Truncate(time.Second).Add(time.Second)
	for last := t.Year() + years; t.Year() <= last; {
		y, m, d := t.Date()
		var to time.Time
		switch {
		case !has(c.month, int(m)):
			to = time.Date(y, m+1, 1, 0, 0, 0, 0, c.in)
		case !c.hasDay(t):
			to = time.Date(y, m, d+1, 0, 0, 0, 0, c.in)
		case !has(c.hour, t.Hour()):
			to = t.Add(time.Hour - time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second)
		case !has(c.minute, t.Minute()):
			to = t.Add(time.Minute - time.Duration(t.Second())*time.Second)
		case !has(c.second, t.Second()):
			to = t.Add(time.Second)
		default:
			return t, true
		}
		if !to.After(t) { // a midnight that there is not
			to = t.Add(time.Hour)
		}
		t = to
	}
	return t, false
}
