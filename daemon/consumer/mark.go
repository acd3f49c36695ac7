package consumer

// Mark is what a machine was to look at next, at some time.
type Mark struct {
	next   uint64
	listed []uint64
}

// Mark returns what is looked at next.
func (m *Machine) Mark() Mark { return Mark{m.next, m.listed} }

// Rewind goes back to a mark, for a machine of which a step has ended in its middle: what was passed since is looked at again,
// but for what is pending. Of the machine only [Machine.State] is to be used then.
func (m *Machine) Rewind(k Mark) {
	m.next, m.listed = min(m.next, k.next), k.listed
	m.matches.forget()
}
