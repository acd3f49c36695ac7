package consumer

import "slices"

// Report has the machine remember what is not waited for any more, for [Machine.Acked], or not.
func (m *Machine) Report(on bool) { m.reports, m.acked = on, nil }

// Acked returns the sequences that were acknowledged, or delivered by a consumer without acks, since it was asked last,
// ascending. The slice is valid until the machine is used again.
func (m *Machine) Acked() []uint64 {
	acked := m.acked
	m.acked = m.acked[:0]
	slices.Sort(acked)
	return slices.Compact(acked)
}

func (m *Machine) report(seq uint64) {
	if m.reports {
		m.acked = append(m.acked, seq)
	}
}

// Undelivered is the first sequence that is still to be delivered for the first time.
func (m *Machine) Undelivered() uint64 { return m.start() }
