package monitor

import (
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/fields"
)

// ledger keeps what counters have shown. What they are made of goes away: an account is
// removed, a route closes, a reload drops a log sink, the next process begins at zero. A
// counter adds up by how much its source has grown since it was read before, so no series
// falls or vanishes. It is not safe for concurrent use.
type ledger struct {
	series map[string]*tally // by name and labels; see seriesKey
	order  []*tally          // as they came
}

// tally is one series of type counter.
type tally struct {
	metric string
	labels []string
	total  uint64 // as shown
	last   uint64 // what the source said when it was read before
}

// seriesKey tells series apart; labels may hold anything but invalid UTF-8.
func seriesKey(metric string, labels []string) string {
	return metric + "\xff" + strings.Join(labels, "\xff")
}

// count notes what the source of a series says now.
func (l *ledger) count(metric string, labels []string, now uint64) {
	t := l.find(metric, labels)
	t.total += grown(t.last, now)
	t.last = now
}

func (l *ledger) find(metric string, labels []string) *tally {
	key := seriesKey(metric, labels)
	t := l.series[key]
	if t == nil {
		if l.series == nil {
			l.series = make(map[string]*tally)
		}
		t = &tally{metric: metric, labels: slices.Clone(labels)}
		l.series[key] = t
		l.order = append(l.order, t)
	}
	return t
}

// grown is by how much a source has grown; one that has begun anew has not.
func grown(last, now uint64) uint64 {
	if now < last {
		return 0
	}
	return now - last
}

// shown calls f for each series of a metric.
func (l *ledger) shown(metric string, f func(total uint64, labels []string)) {
	for _, t := range l.order {
		if t.metric == metric {
			f(t.total, t.labels)
		}
	}
}

// left is a ledger as one process leaves it to the next: package fields says how it is read
// by other versions.
type left struct{ series []leftSeries }

type leftSeries struct {
	metric string
	labels []string
	total  uint64
}

// Fields implements [fields.Record].
func (l *left) Fields(f *fields.Codec) { fields.List(f, 1, &l.series) }

// Fields implements [fields.Record].
func (s *leftSeries) Fields(f *fields.Codec) {
	f.Text(1, &s.metric)
	f.Texts(2, &s.labels)
	fields.Number(f, 3, &s.total)
}

// leave writes the ledger.
func (l *ledger) leave() []byte {
	var all left
	for _, t := range l.order {
		all.series = append(all.series, leftSeries{t.metric, t.labels, t.total})
	}
	return fields.Append(nil, &all)
}

// take goes on from what the process before left. Metrics that this version does not have,
// or has with other labels, are passed over.
func (l *ledger) take(state []byte) error {
	var all left
	if err := fields.Read(state, &all); err != nil {
		return err
	}
	width := make(map[string]int)
	for i := range metrics() {
		if m := &metrics()[i]; m.kind == counter {
			width[m.name] = len(m.labels)
		}
	}
	for _, s := range all.series {
		if n, known := width[s.metric]; known && n == len(s.labels) {
			l.find(s.metric, s.labels).total = s.total
		}
	}
	return nil
}

// rebase makes what the sources say now the point from which they count: it is contained
// in what the process before has left. now holds the same series.
func (l *ledger) rebase(now *ledger) {
	for _, t := range now.order {
		own := l.find(t.metric, t.labels)
		own.last = t.last
	}
}
