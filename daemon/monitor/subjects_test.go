package monitor

import (
	"testing"
	"time"
)

// countedSubs are subscriptions whose counts the test sets.
type countedSubs struct{ msgs map[string]int64 }

func (s countedSubs) IndexStats(string) IndexStats { return IndexStats{} }

func (s countedSubs) EachSubscription(_ string, f func(*Sub) bool) {
	for subject, n := range s.msgs {
		if !f(&Sub{Account: "$G", Subject: subject, Msgs: n}) {
			return
		}
	}
}

// A rate is the difference of two counts over the time between them; it is
// unknown at first, for new subjects, and after a long time without looking, and
// never below zero when a subscription leaves.
func TestSubjectRates(t *testing.T) {
	subs := countedSubs{map[string]int64{"busy": 1000, "idle": 5, "leaving": 70}}
	f := newFakeBroker(0)
	src := f.source()
	src.Subscriptions = subs
	r := NewReporter(src)
	now := time.Now()
	r.now = func() time.Time { return now }
	rates := func() map[string]float64 {
		m := map[string]float64{}
		for _, row := range r.subjectPage(subjectQuery{limit: 10, sort: "rate"}).Subjects {
			m[row.Subject] = row.Rate
		}
		return m
	}
	expect := func(when string, want map[string]float64) {
		t.Helper()
		got := rates()
		for subject, rate := range want {
			if got[subject] != rate {
				t.Errorf("%s: %s has the rate %v, want %v", when, subject, got[subject], rate)
			}
		}
	}
	expect("at first", map[string]float64{"busy": -1, "idle": -1})
	now = now.Add(4 * time.Second)
	subs.msgs["busy"], subs.msgs["leaving"], subs.msgs["new"] = 3000, 10, 8
	expect("after 4 s", map[string]float64{"busy": 500, "idle": 0, "leaving": 0, "new": -1})
	subs.msgs["busy"] = 9000
	now = now.Add(time.Second)
	expect("too soon for a count", map[string]float64{"busy": 500})
	now = now.Add(3 * time.Second)
	expect("after 8 s", map[string]float64{"busy": 1500, "new": 0})
	now = now.Add(2 * time.Minute)
	subs.msgs["busy"] = 90_000
	expect("after nobody looked", map[string]float64{"busy": -1})
	now = now.Add(2 * time.Minute)
	r.subjects.forget(now)
	if r.subjects.rows != nil || r.subjects.index != nil {
		t.Error("an old count is kept")
	}
	expect("after it was forgotten", map[string]float64{"busy": -1})
}
