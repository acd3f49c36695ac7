package logtest

import (
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// model is a log as a sorted list.
type model struct {
	size  func(subject, header, payload int) uint64
	list  []stream.Record
	first uint64 // without messages
	last  uint64
	time  int64 // of the last
}

func (m *model) append(r stream.Record) {
	r.Subject, r.Header, r.Payload = slices.Clone(r.Subject), slices.Clone(r.Header), slices.Clone(r.Payload)
	m.list = append(m.list, r)
	m.last, m.time = r.Seq, r.Time
}

func (m *model) remove(seq uint64) bool {
	i := slices.IndexFunc(m.list, func(r stream.Record) bool { return r.Seq == seq })
	if i < 0 {
		return false
	}
	m.list = slices.Delete(m.list, i, i+1)
	m.emptied()
	return true
}

func (m *model) emptied() {
	if len(m.list) == 0 {
		m.first = m.last + 1
	}
}

func (m *model) truncate(first uint64) {
	if first > m.last {
		m.list, m.first, m.last = nil, first, first-1
		return
	}
	had := len(m.list)
	m.list = slices.DeleteFunc(m.list, func(r stream.Record) bool { return r.Seq < first })
	if had > 0 {
		m.emptied()
	}
}

func (m *model) skip(last uint64) {
	if last > m.last {
		m.last = last
		m.emptied()
	}
}

func (m *model) state() stream.State {
	st := stream.State{Msgs: uint64(len(m.list)), First: m.first, Last: m.last, LastTime: m.time}
	subj := map[string]bool{}
	for _, r := range m.list {
		st.Bytes += m.size(len(r.Subject), len(r.Header), len(r.Payload))
		subj[string(r.Subject)] = true
	}
	if len(m.list) > 0 {
		st.First, st.FirstTime = m.list[0].Seq, m.list[0].Time
	}
	st.Subjects = len(subj)
	return st
}

func (m *model) load(seq uint64) *stream.Record {
	for i := range m.list {
		if m.list[i].Seq == seq {
			return &m.list[i]
		}
	}
	return nil
}

func (m *model) next(from uint64, f *subjects.Filter) (uint64, bool) {
	for _, r := range m.list {
		if r.Seq >= from && f.Match(r.Subject) {
			return r.Seq, true
		}
	}
	return 0, false
}

func (m *model) prev(from uint64, f *subjects.Filter) (uint64, bool) {
	for _, r := range slices.Backward(m.list) {
		if r.Seq <= from && f.Match(r.Subject) {
			return r.Seq, true
		}
	}
	return 0, false
}

func (m *model) atTime(t int64) (uint64, bool) {
	for _, r := range m.list {
		if r.Time >= t {
			return r.Seq, true
		}
	}
	return 0, false
}

func (m *model) totals(f *subjects.Filter) (names []string, by map[string]stream.Totals) {
	by = map[string]stream.Totals{}
	for _, r := range m.list {
		if !f.Match(r.Subject) {
			continue
		}
		t, ok := by[string(r.Subject)]
		if !ok {
			t.First = r.Seq
			names = append(names, string(r.Subject))
		}
		t.Last, t.Msgs = r.Seq, t.Msgs+1
		by[string(r.Subject)] = t
	}
	slices.SortFunc(names, strings.Compare)
	return names, by
}

func (m *model) count(f *subjects.Filter, from, upTo uint64) (n uint64) {
	for _, r := range m.list {
		if r.Seq >= from && r.Seq <= upTo && f.Match(r.Subject) {
			n++
		}
	}
	return n
}

func (m *model) holes() (list []stream.Range) {
	if len(m.list) == 0 {
		return nil
	}
	at := m.list[0].Seq
	for _, r := range m.list {
		if r.Seq > at {
			list = append(list, stream.Range{From: at, To: r.Seq - 1})
		}
		at = r.Seq + 1
	}
	if at <= m.last {
		list = append(list, stream.Range{From: at, To: m.last})
	}
	return list
}
