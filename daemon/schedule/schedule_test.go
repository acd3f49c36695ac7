package schedule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPatterns(t *testing.T) {
	for _, pattern := range []string{
		"@at 2030-01-02T03:04:05Z", "@at 2030-01-02T03:04:05.5+02:00", "@every 1s", "@every 1h30m", "@every 1.5s", "@yearly", "@annually", "@monthly", "@weekly", "@daily",
		"@midnight", "@hourly", "* * * * * *", "0 0 12 ? * MON-FRI", "*/5 0-10/2 1,2,3 1/7 jan,Dec 0", "0 0 0 29 2 *", "  0 0 0\t1 1 *", "+5 * * * * *", "*-5 * * * * *", ",5, * * * * *",
		"*/99 * * * * *",
	} {
		if s, err := Parse(pattern, Zone{}); err != nil || s == nil {
			t.Errorf("%q: %v", pattern, err)
		}
	}
	for _, pattern := range []string{
		"@at", "@at ", "@at now", "@at 2030-01-02", "@every", "@every x", "@every 999ms", "@every -1h", "@Daily", "@daily ", "@never", "* * * * *", "* * * * * * *", "60 * * * * *", "* * 24 * * *",
		"* * * 0 * *", "* * * 32 * *", "* * * * 13 *", "* * * * * 7", "5-3 * * * * *", "*/0 * * * * *", "1/2/3 * * * * *", "1-2-3 * * * * *", "-1 * * * * *", "x * * * * *", "* * * * monday *", ", * * * * *",
	} {
		if _, err := Parse(pattern, Zone{}); err != ErrPattern {
			t.Errorf("%q: %v", pattern, err)
		}
	}
	for _, c := range []struct {
		pattern string
		zone    string
		want    error
	}{
		{"0 0 0 * * *", "Europe/Berlin", nil}, {"@daily", "America/New_York", nil}, {"@daily", "", ErrZone}, {"@daily", "Nowhere/None", ErrZone}, {"@daily", "../../etc/passwd", ErrZone},
		{"@every 1s", "UTC", ErrPattern}, {"@at 2030-01-02T03:04:05Z", "UTC", ErrPattern}, {"", "Nowhere", ErrZone}, {"", "UTC", nil}, {"junk", "Nowhere", ErrZone},
	} {
		if _, err := Parse(c.pattern, Zone{true, c.zone}); err != c.want {
			t.Errorf("%q in %q: %v; want %v", c.pattern, c.zone, err, c.want)
		}
	}
}

func TestNext(t *testing.T) {
	for _, c := range []struct{ pattern, zone, from, now, want string }{
		{"@at 2030-01-02T03:04:05Z", "", "2031-01-01T00:00:00Z", "2031-01-01T00:00:00Z", "2030-01-02T03:04:05Z"},
		{"@every 90s", "", "2030-01-01T00:00:00.4Z", "2030-01-01T00:00:01Z", "2030-01-01T00:01:30Z"},
		{"@every 90s", "", "2030-01-01T00:00:00.6Z", "2030-01-01T00:00:01Z", "2030-01-01T00:01:31Z"},
		{"@every 90s", "", "2030-01-01T00:00:00Z", "2030-01-01T05:00:00.7Z", "2030-01-01T05:01:31Z"},
		{"@hourly", "", "2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z", "2030-01-01T01:00:00Z"},
		{"@hourly", "", "2030-01-01T00:59:59.9Z", "2030-01-01T00:59:59.9Z", "2030-01-01T01:00:00Z"},
		{"@hourly", "", "2030-01-01T00:00:00Z", "2030-01-01T05:30:00Z", "2030-01-01T06:00:00Z"},
		{"@weekly", "", "2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z", "2030-01-06T00:00:00Z"},
		{"@yearly", "", "2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z"},
		{"0 0 0 29 2 *", "", "2029-01-01T00:00:00Z", "2029-01-01T00:00:00Z", "2032-02-29T00:00:00Z"},
		{"0 0 0 13 * fri", "", "2030-09-10T00:00:00Z", "2030-09-10T00:00:00Z", "2030-09-13T00:00:00Z"},
		{"0 0 0 12 * fri", "", "2030-09-10T00:00:00Z", "2030-09-10T00:00:00Z", "2030-09-12T00:00:00Z"}, // either
		{"0 30 2 * * *", "Europe/Berlin", "2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z", "2030-01-01T02:30:00+01:00"},
		{"0 30 2 * * *", "Europe/Berlin", "2030-03-30T12:00:00Z", "2030-03-30T12:00:00Z", "2030-04-01T02:30:00+02:00"}, // a night without half past two
		{"0 0 3 * * *", "Europe/Berlin", "2030-03-30T12:00:00Z", "2030-03-30T12:00:00Z", "2030-03-31T03:00:00+02:00"},
		{"0 30 2 * * *", "Europe/Berlin", "2030-10-26T12:00:00Z", "2030-10-26T12:00:00Z", "2030-10-27T02:30:00+02:00"},
		{"0 30 2 * * *", "Europe/Berlin", "2030-10-27T00:30:00Z", "2030-10-27T00:30:00Z", "2030-10-27T02:30:00+01:00"},    // twice in one night
		{"0 0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-03T12:00:00Z", "2018-11-05T00:00:00-02:00"}, // a day without midnight
		{"0 5 1 26 4 *", "Africa/Cairo", "2030-04-25T21:30:10Z", "2030-04-25T21:30:10Z", "2030-04-26T01:05:00+03:00"},     // from just before that
		{"0 30 23 * * *", "Africa/Cairo", "2030-10-31T20:30:00Z", "2030-10-31T20:30:00Z", "2030-10-31T23:30:00+02:00"},    // twice before midnight
		{"0 0 0 * * *", "Africa/Cairo", "2030-10-31T20:30:00Z", "2030-10-31T20:30:00Z", "2030-11-01T00:00:00+02:00"},
	} {
		s, err := Parse(c.pattern, Zone{c.zone != "", c.zone})
		if err != nil {
			t.Fatal(c.pattern, err)
		}
		at, ok := s.Next(nanos(c.from), nanos(c.now))
		if got := at.Format(time.RFC3339Nano); !ok || got != c.want {
			t.Errorf("%q behind %s at %s: %s, %v; want %s", c.pattern, c.from, c.now, got, ok, c.want)
		}
	}
	if s, _ := Parse("0 0 0 30 2 *", Zone{}); s == nil {
		t.Error("a day that never comes is a pattern")
	} else if at, ok := s.Next(0, 0); ok {
		t.Error(at)
	}
}

func nanos(text string) int64 {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t.UnixNano()
}

// TestCronAgainstEverySecond looks for the next second one by one.
func TestCronAgainstEverySecond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var parts []string
		for i, f := range fields {
			value := rapid.IntRange(f.least, f.most)
			a, b := value.Draw(t, "a"), value.Draw(t, "b")
			forms := []string{"*", "*", fmt.Sprint(a), fmt.Sprintf("%d-%d", min(a, b), max(a, b)), fmt.Sprintf("%d,%d", a, b), fmt.Sprintf("*/%d", 1+b%7), fmt.Sprintf("%d/%d", a, 1+b)}
			if i > 2 { // so that one comes soon
				forms = forms[:2]
			}
			parts = append(parts, rapid.SampledFrom(forms).Draw(t, "field"))
		}
		pattern := strings.Join(parts, " ")
		zone := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"}).Draw(t, "zone")
		s, err := Parse(pattern, Zone{true, zone})
		if err != nil {
			t.Fatal(pattern, err)
		}
		from := time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 2*365*24*3600).Draw(t, "from")) * time.Second)
		in, _ := time.LoadLocation(zone)
		want := from.In(in).Add(time.Second)
		for c := s.cron; !has(c.second, want.Second()) || !has(c.minute, want.Minute()) || !has(c.hour, want.Hour()); {
			want = want.Add(time.Second)
		}
		if at, ok := s.Next(from.UnixNano(), from.UnixNano()); !ok || !at.Equal(want) {
			t.Fatalf("%q in %s behind %v: %v; want %v", pattern, zone, from, at, want)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, p := range []string{"@at 2030-01-02T03:04:05Z", "@every 1s", "0 0 12 ? * MON-FRI", "*/5 0-10/2 1,2,3 1/7 jan,Dec 0", "@daily"} {
		f.Add(p, "Europe/Berlin", int64(1e18))
	}
	f.Fuzz(func(t *testing.T, pattern, zone string, from int64) {
		s, err := Parse(pattern, Zone{zone != "", zone})
		if err != nil || s == nil {
			return
		}
		from = max(from, 0)
		if at, ok := s.Next(from, from); ok && s.Repeats() && Nanos(at) <= from && Nanos(at) > 1 && at.Year() < 2262 && s.every < 100*365*24*time.Hour {
			t.Fatalf("%q behind %d: %v", pattern, from, at)
		}
	})
}
