package consumer

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// history is what whoever uses a consumer may count on, kept beside it.
type history struct {
	*talk
	t       *rapid.T
	out     map[uint64]*given // not acknowledged, by sequence
	acked   map[uint64]bool
	again   map[uint64]bool // asked for again
	waiting map[string]int
}

type given struct {
	num   uint64
	times int
	at    int64
}

// deliver runs the machine and holds every delivery against the history.
func (h *history) deliver() {
	for w, ok := h.Next(h.now); ok; w, ok = h.Next(h.now) {
		h.answered()
		i := h.w.at(w.Seq)
		if i < 0 {
			h.Missing(w)
			continue
		}
		d, what := h.Deliver(w, 100, h.w.msgs[i].at, h.now)
		if what != Sent {
			break
		}
		h.check(w, d, h.w.msgs[i])
		h.answered()
	}
	h.answered()
	h.log = append(h.log, h.Changes()...)
	if h.Why(h.now).Reason == NotIdle {
		h.t.Fatalf("there is something to deliver and somebody to take it: %+v", h.Info(h.now))
	}
}

func (h *history) answered() {
	for _, s := range h.Statuses() {
		if h.waiting[s.To] == 0 {
			h.t.Fatalf("status to %s, which does not wait: %s", s.To, s.Line)
		}
		if s.Line != "100 Idle Heartbeat" && s.Line != "409 Batch Completed" {
			delete(h.waiting, s.To)
		}
	}
	h.Notices()
}

func (h *history) check(w Want, d Delivery, m msg) {
	if !h.filter.Match([]byte(m.subject)) {
		h.t.Fatalf("%d is on %s", w.Seq, m.subject)
	}
	if h.acked[w.Seq] {
		h.t.Fatalf("%d is delivered after its ack", w.Seq)
	}
	if h.waiting[d.To]--; h.waiting[d.To] < 0 {
		h.t.Fatalf("%s is given more than it asked for", d.To)
	}
	g := h.out[w.Seq]
	switch {
	case g == nil && w.Times != 1:
		h.t.Fatalf("%d for the first time is counted %d", w.Seq, w.Times)
	case g != nil && w.Times != g.times+1:
		h.t.Fatalf("%d after %d times is counted %d", w.Seq, g.times, w.Times)
	case g != nil && !h.again[w.Seq] && h.now-g.at < h.cfg.wait(g.times):
		h.t.Fatalf("%d again after %d ms", w.Seq, (h.now-g.at)/ms)
	case h.cfg.MaxDeliver > 0 && w.Times > h.cfg.MaxDeliver:
		h.t.Fatalf("%d for the %d. time", w.Seq, w.Times)
	}
	if g == nil {
		g = &given{num: d.Num}
		h.out[w.Seq] = g
		if h.cfg.MaxAckPending > 0 && h.pending.live > h.cfg.MaxAckPending {
			h.t.Fatalf("%d pending", h.pending.live)
		}
	}
	g.times, g.at = w.Times, h.now
	delete(h.again, w.Seq)
	if want := h.unseen(); d.Pending != want {
		h.t.Fatalf("%d says that %d come after it, it is %d", w.Seq, d.Pending, want)
	}
}

// unseen counts the messages that match and were never given.
func (h *history) unseen() (n uint64) {
	for _, m := range h.w.msgs {
		if h.filter.Match([]byte(m.subject)) && h.out[m.seq] == nil && !h.acked[m.seq] {
			n++
		}
	}
	return n
}

func (h *history) pick() (uint64, *given) {
	if len(h.out) == 0 {
		return 0, nil
	}
	var seqs []uint64
	for s := range h.out {
		seqs = append(seqs, s)
	}
	slices.Sort(seqs)
	s := rapid.SampledFrom(seqs).Draw(h.t, "seq")
	return s, h.out[s]
}

func (h *history) restart() {
	var state []byte
	if rapid.Bool().Draw(h.t, "checkpoint") {
		state, h.log = h.State(), nil
		h.log = h.log[:0]
	} else {
		state = h.base
	}
	m, err := h.talk.again(state, h.log)
	if err != nil {
		h.t.Fatal(err)
	}
	h.base = state
	old := h.Info(h.now)
	h.Waiting(h.now, func(to string, r Request) { m.Restored(to, r, h.now) })
	h.Machine = m
	h.Changes()
	now := h.Info(h.now)
	h.answered()
	old.Delivered.Time, old.Floor.Time, old.Idle, now.Idle = 0, 0, Idle{}, Idle{}
	if old.Redelivered != now.Redelivered || old.AckPending != now.AckPending || old.Pending != now.Pending ||
		old.Delivered != now.Delivered || old.Floor != now.Floor || old.Waiting != now.Waiting {
		h.t.Fatalf("read again\n%+v, was\n%+v", now, old)
	}
	for s := range h.out {
		h.again[s] = true // what was in line is not any more, and may be due already
	}
}

func TestRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := stream()
		cfg := Config{
			Ack: AckExplicit, AckWait: 1000 * ms,
			MaxDeliver:    rapid.SampledFrom([]int{0, 1, 3}).Draw(t, "max_deliver"),
			MaxAckPending: rapid.SampledFrom([]int{0, 1, 4}).Draw(t, "max_ack_pending"),
			Start:         rapid.SampledFrom([]Start{StartAll, StartLastPerSubject}).Draw(t, "start"),
		}
		if rapid.Bool().Draw(t, "backoff") {
			cfg.Backoff = []int64{10 * ms, 500 * ms}
		}
		if rapid.Bool().Draw(t, "filter") {
			cfg.Filters = []string{"a", "b.*"}
		}
		h := &history{talk: newTalk(cfg, w), t: t, out: map[uint64]*given{}, acked: map[uint64]bool{}, again: map[uint64]bool{}, waiting: map[string]int{}}
		n := 0
		h.deliver()
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				w.put(rapid.SampledFrom([]string{"a", "b.x", "c"}).Draw(t, "subject"), h.now)
				h.deliver()
			},
			"pull": func(t *rapid.T) {
				n++
				to := fmt.Sprint("r", n)
				r := Request{Batch: rapid.IntRange(1, 4).Draw(t, "batch"), NoWait: rapid.Bool().Draw(t, "no_wait")}
				if rapid.Bool().Draw(t, "expires") {
					r.Expires = 300 * ms
				}
				h.waiting[to] = r.Batch
				h.Request(to, r, h.now)
				h.deliver()
			},
			"ack": func(t *rapid.T) {
				s, g := h.pick()
				if g == nil {
					return
				}
				if !h.Ack(Told{s, g.num, g.times}, h.now) {
					t.Fatalf("ack of %d is not answered", s)
				}
				delete(h.out, s)
				delete(h.again, s)
				h.acked[s] = true
				h.deliver()
			},
			"nak": func(t *rapid.T) {
				s, g := h.pick()
				if g == nil {
					return
				}
				delay := rapid.SampledFrom([]int64{-1, 5 * ms, 2000 * ms}).Draw(t, "delay")
				h.again[s] = true
				h.Nak(Told{s, g.num, g.times}, max(delay, 0), delay >= 0, h.now)
				h.deliver()
			},
			"time": func(t *rapid.T) {
				end := h.now + rapid.SampledFrom([]int64{1, 11, 400, 3000}).Draw(t, "ms")*ms
				for next := h.Deadline(); next <= end; next = h.Deadline() {
					h.now = max(next, h.now+1)
					h.Tick(h.now)
					h.deliver()
				}
				h.now = end
				h.Tick(h.now)
				h.deliver()
			},
			"delete": func(t *rapid.T) {
				if len(w.msgs) == 0 {
					return
				}
				s := rapid.SampledFrom(w.msgs).Draw(t, "message").seq
				subject, _ := w.remove(s)
				h.Removed(s, w.gone, []byte(subject))
				delete(h.out, s)
				h.deliver()
			},
			"restart": func(*rapid.T) { h.restart(); h.deliver() },
			"": func(t *rapid.T) {
				i := h.Info(h.now)
				h.answered()
				h.log = append(h.log, h.Changes()...)
				if want := h.unseen(); i.Pending != want && cfg.Start == StartAll {
					t.Fatalf("%d messages are pending, it is %d", i.Pending, want)
				}
				if i.Floor.Stream > i.Delivered.Stream && len(w.msgs) > 0 && w.msgs[0].seq <= i.Delivered.Stream {
					t.Fatalf("floor behind what was delivered: %+v", i)
				}
			},
		})
	})
}
