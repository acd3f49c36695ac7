package consumer

import (
	"encoding/binary"
	"fmt"
	"slices"
)

const stateForm = 1

// State returns everything that must outlive the process, in the form of [Machine.Restore]:
// with it, changes of before need not be read again.
func (m *Machine) State() []byte {
	u, i := binary.AppendUvarint, binary.AppendVarint
	b := []byte{stateForm}
	for _, v := range []uint64{m.next, m.num, m.kept, m.delivered.Consumer, m.delivered.Stream, m.floor.Consumer, m.floor.Stream} {
		b = u(b, v)
	}
	b = i(b, m.cfg.PausedUntil)
	b = u(b, uint64(len(m.listed)))
	last := uint64(0)
	for _, s := range m.listed {
		b, last = u(b, s-last), s
	}
	b = u(b, uint64(len(m.spent.times)))
	for _, s := range sorted(m.spent.times) {
		b = u(u(b, s), uint64(m.spent.times[s]))
	}
	b = u(b, uint64(len(m.ahead)))
	for _, s := range sorted(m.ahead) {
		b = u(b, s)
	}
	b = u(b, uint64(m.pending.live))
	var seq, num uint64
	m.pending.each(func(d delivery) bool {
		times := uint64(d.times) << 1
		if d.inLine {
			times |= 1
		}
		b = i(u(u(u(b, d.seq-seq), d.num-num), times), d.at)
		seq, num = d.seq, d.num
		return true
	})
	return b
}

func sorted[V any](m map[uint64]V) []uint64 {
	s := make([]uint64, 0, len(m))
	for k := range m {
		s = append(s, k)
	}
	slices.Sort(s)
	return s
}

// Restore brings a machine made by [Reopen] to a state that [Machine.State] returned.
// Memory grows with the text, not with what it announces.
func (m *Machine) Restore(state []byte) error {
	if len(state) == 0 || state[0] != stateForm {
		return fmt.Errorf("%w: form not known", ErrChange)
	}
	r := &reader{b: state[1:]}
	for _, v := range []*uint64{&m.next, &m.num, &m.kept, &m.delivered.Consumer, &m.delivered.Stream, &m.floor.Consumer, &m.floor.Stream} {
		*v = r.uint()
	}
	m.next = max(m.next, 1)
	m.cfg.PausedUntil = r.int()
	var last uint64
	for n := r.uint(); n > 0 && !r.bad; n-- {
		d := r.uint()
		if r.bad || d == 0 || last+d < last {
			return fmt.Errorf("%w: list of messages", ErrChange)
		}
		last += d
		m.listed = append(m.listed, last)
	}
	m.spent, m.ahead = spent{}, map[uint64]struct{}{}
	for n := r.uint(); n > 0 && !r.bad; n-- {
		s := r.uint()
		m.spent.add(s, int(r.uint()&0xffff))
	}
	for n := r.uint(); n > 0 && !r.bad; n-- {
		m.ahead[r.uint()] = struct{}{}
	}
	if err := m.restorePending(r); err != nil {
		return err
	}
	m.matches.forget()
	m.changes = m.changes[:0]
	return nil
}

func (m *Machine) restorePending(r *reader) error {
	var seq, num uint64
	for n := r.uint(); n > 0 && !r.bad; n-- {
		ds, dn, times, at := r.uint(), r.uint(), r.uint(), r.int()
		lined := times&1 != 0
		times = times >> 1 & maxTimes
		if r.bad || ds == 0 || dn == 0 || times == 0 || seq+ds < seq || num+dn < num {
			return fmt.Errorf("%w: pending deliveries", ErrChange)
		}
		seq, num = seq+ds, num+dn
		d := delivery{seq: seq, num: num, at: at, times: int(times)}
		due := after(at, m.cfg.wait(d.times))
		m.pending.add(d, due)
		m.due = min(m.due, due)
		if lined {
			m.again(d)
		}
	}
	if r.bad || len(r.b) > 0 {
		return fmt.Errorf("%w: %d bytes too many or too few", ErrChange, len(r.b))
	}
	// What is pending was delivered, whatever else the text says.
	m.num = max(m.num, num)
	if seq > 0 {
		m.skipped(seq)
		m.delivered.Stream, m.delivered.Consumer = max(m.delivered.Stream, seq), max(m.delivered.Consumer, num)
	}
	return nil
}

// Resumed says that everything that was written has been read. clean: the process before
// wrote all of it, so that numbers go on where they ended; otherwise they go on behind those
// that it may have given, and what it knew of messages that the stream has lost is forgotten: their
// sequences are given to others. See [Machine.Trouble].
func (m *Machine) Resumed(clean bool) {
	if m.relist > 0 {
		var all []uint64
		all, m.trouble = m.world.LastPerSubject(m.filter)
		for _, seq := range all {
			if seq > m.delivered.Stream && seq < m.relist {
				m.listed = append(m.listed, seq)
			}
		}
		m.relist = 0
	}
	if !clean {
		m.num = max(m.num, m.kept)
		if _, last := m.world.Bounds(); m.knowsBehind(last) {
			m.dropBehind(last)
			m.record(change{op: opEnd, seq: last})
		}
	}
	m.reserve()
}

// knowsBehind reports whether something is known of messages behind a sequence.
func (m *Machine) knowsBehind(last uint64) bool {
	if m.next > m.behind(last) || m.delivered.Stream > last && m.delivered.Consumer > 0 || m.floor.Stream > m.behind(last)-1 {
		return true
	}
	if n := len(m.listed); n > 0 && m.listed[n-1] > last {
		return true
	}
	if d, ok := m.pending.last(); ok && d.seq > last {
		return true
	}
	for seq := range m.spent.times {
		if seq > last {
			return true
		}
	}
	for seq := range m.ahead {
		if seq > last {
			return true
		}
	}
	return false
}

// behind is where a consumer goes on that has seen everything through a sequence: there, or where it was told to begin.
func (m *Machine) behind(last uint64) uint64 {
	if m.cfg.Start == StartSequence {
		return max(last+1, m.cfg.StartSeq)
	}
	return last + 1
}

// dropBehind forgets everything that was known of messages behind a sequence: they are lost, and others will be there.
func (m *Machine) dropBehind(last uint64) {
	m.pending.removeFrom(last + 1)
	for seq := range m.spent.times {
		if seq > last {
			m.spent.remove(seq)
		}
	}
	for seq := range m.ahead {
		if seq > last {
			delete(m.ahead, seq)
		}
	}
	for n := len(m.listed); n > 0 && m.listed[n-1] > last; n-- {
		m.listed = m.listed[:n-1]
	}
	at := m.behind(last)
	m.next = min(m.next, at)
	m.delivered.Stream = min(m.delivered.Stream, at-1)
	m.floor.Stream = min(m.floor.Stream, at-1)
	if m.pending.live == 0 {
		m.floor.Consumer, m.floor.Stream = m.delivered.Consumer, m.delivered.Stream
	}
	m.matches.forget()
}
