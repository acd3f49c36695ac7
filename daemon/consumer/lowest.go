package consumer

import "github.com/nats-broker/nats-broker/daemon/subjects"

// Filter returns what the consumer asks for; nil: everything.
func (m *Machine) Filter() *subjects.Filter { return m.filter }

// Lowest is the first sequence whose going would change something: what is before it was delivered and is not waited for.
func (m *Machine) Lowest() uint64 {
	low := m.start()
	if d, ok := m.pending.first(); ok {
		low = min(low, d.seq)
	}
	if seq, ok := m.spent.lowest(); ok {
		low = min(low, seq)
	}
	return low
}

// Refuse tells somebody that what was asked for cannot be.
func (m *Machine) Refuse(to, line string) { m.say(Status{To: to, Line: line}) }
