package consumer

import "slices"

// Picture is what a consumer is carried away as, in the words of nats-server: what it tells of a machine without how it is made.
type Picture struct {
	Delivered, Floor Position
	Pending          []Waiting         // ascending
	Redelivered      map[uint64]uint64 // how often again, by sequence; those that are not pending were delivered as often as allowed
}

// Waiting is a delivery that is not acknowledged.
type Waiting struct {
	Stream, Consumer uint64
	Time             int64 // of the last delivery, nanoseconds since 1970
}

// Picture returns the machine as it is, as far as it concerns messages through last.
func (m *Machine) Picture(last uint64) Picture {
	p := Picture{Delivered: m.delivered, Floor: m.floor, Redelivered: map[uint64]uint64{}}
	p.Delivered.Stream, p.Floor.Stream = min(p.Delivered.Stream, last), min(p.Floor.Stream, last)
	m.pending.each(func(d delivery) bool {
		if d.seq > last {
			return false
		}
		p.Pending = append(p.Pending, Waiting{d.seq, d.num, d.at})
		if d.times > 1 {
			p.Redelivered[d.seq] = uint64(d.times - 1)
		}
		return true
	})
	for seq, times := range m.spent.times {
		if seq <= last {
			p.Redelivered[seq] = uint64(times)
		}
	}
	return p
}

// StateOf returns the state of a machine that is as a picture says, in the form of [Machine.State].
func StateOf(cfg Config, p *Picture, now int64) []byte {
	m := empty(cfg, nil, now)
	m.delivered, m.floor = p.Delivered, p.Floor
	m.next, m.num = p.Delivered.Stream+1, p.Delivered.Consumer
	list := slices.Clone(p.Pending)
	slices.SortFunc(list, func(a, b Waiting) int {
		if a.Stream < b.Stream {
			return -1
		}
		return 1
	})
	var seq, num uint64
	for _, w := range list {
		if w.Stream <= seq {
			continue
		}
		seq, num = w.Stream, max(w.Consumer, num+1)
		m.pending.add(delivery{seq: seq, num: num, at: w.Time, times: int(min(p.Redelivered[seq], maxTimes-1)) + 1}, now)
	}
	m.next, m.num = max(m.next, seq+1), max(m.num, num)
	m.delivered.Stream, m.delivered.Consumer = max(m.delivered.Stream, seq), m.num
	for seq, times := range p.Redelivered {
		if _, waits := m.pending.find(seq); !waits {
			m.spent.add(seq, int(min(times, maxTimes)))
		}
	}
	return m.State()
}
