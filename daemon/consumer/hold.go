package consumer

// hold keeps a message back until its time has come: for a consumer with a rate, and for one
// that replays at the pace of storing.
type hold struct {
	seq   uint64 // the message that was kept back, or is free to go
	until int64

	room   float64 // bytes that may be sent now
	filled int64   // when room was made up

	last int64  // when the message before was stored
	upTo uint64 // the last message that is replayed
}

// delay reports whether a message must wait, and notes until when.
func (h *hold) delay(m *Machine, w Want, size int, stored, now int64) bool {
	if m.cfg.RateLimit == 0 && !m.cfg.Original || h.seq == w.Seq && h.until <= now {
		h.last = stored
		h.seq = 0
		return false
	}
	var wait int64
	if m.cfg.RateLimit > 0 {
		wait = h.spend(float64(m.cfg.RateLimit)/8, float64(m.cfg.Burst), float64(size), now)
	}
	if m.cfg.Original && w.Times == 1 && w.Seq <= h.upTo && h.last > 0 {
		if d := stored - h.last; d > 1e6 {
			wait = max(wait, d)
		}
	}
	h.last = stored
	if wait <= 0 {
		h.seq = 0
		return false
	}
	h.seq, h.until = w.Seq, after(now, wait)
	return true
}

// spend takes size bytes from what a rate of bytes a second allows, and returns how long to
// wait for them.
func (h *hold) spend(rate, burst, size float64, now int64) int64 {
	if h.filled == 0 {
		h.room = burst
	} else {
		h.room = min(h.room+rate*float64(now-h.filled)/1e9, burst)
	}
	h.filled = now
	h.room -= size
	if h.room >= 0 {
		return 0
	}
	return int64(min(-h.room/rate*1e9, float64(never/2)))
}
