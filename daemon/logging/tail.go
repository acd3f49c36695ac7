package logging

import (
	"strings"
	"sync"
	"time"
)

// Line is one written line as the log tail shows it.
type Line struct {
	Seq       uint64 // counts all lines from 1; a gap in a subscription shows lines that it missed
	Time      time.Time
	Level     Level
	Subsystem string
	Event     string // the catalogue's short name, if the line has an entry
	Message   string // cut to 4 KiB
	Fields    []Field
}

// tailMessage cuts messages in the tail: it is for looking at, and must not hold traced payloads.
const tailMessage = 4 << 10

// tail remembers the last lines in a ring and passes new ones to subscribers.
type tail struct {
	mu    sync.Mutex // guards everything
	ring  []Line
	seq   uint64
	watch map[chan Line]struct{}
	ended bool
}

func newTail(n int) *tail { return &tail{ring: make([]Line, 0, n), watch: map[chan Line]struct{}{}} }

func (t *tail) add(r *record) {
	line := Line{Time: r.time, Level: r.level, Subsystem: r.subsystem, Event: r.id.Name(), Message: trimNewlines(r.message), Fields: r.fields}
	if len(line.Message) > tailMessage {
		line.Message = strings.Clone(strings.ToValidUTF8(line.Message[:tailMessage], "")) + "…"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	line.Seq = t.seq + 1
	if len(t.ring) < cap(t.ring) {
		t.ring = append(t.ring, line)
	} else {
		t.ring[t.seq%uint64(cap(t.ring))] = line
	}
	t.seq++
	for c := range t.watch {
		select {
		case c <- line:
		default: // the subscriber is behind and sees the gap in Seq
		}
	}
}

// last returns up to n lines, oldest first. t.mu is not held.
func (t *tail) last(n int) []Line {
	t.mu.Lock()
	defer t.mu.Unlock()
	n = max(0, min(n, len(t.ring)))
	out := make([]Line, 0, n)
	for i := t.seq - uint64(n); i < t.seq; i++ {
		out = append(out, t.ring[i%uint64(cap(t.ring))])
	}
	return out
}

func (t *tail) subscribe(buffer int) (<-chan Line, func()) {
	c := make(chan Line, max(1, buffer))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		close(c)
		return c, func() {}
	}
	t.watch[c] = struct{}{}
	return c, func() { t.unsubscribe(c) }
}

func (t *tail) unsubscribe(c chan Line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.watch[c]; ok {
		delete(t.watch, c)
		close(c)
	}
}

// end closes every subscription.
func (t *tail) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	for c := range t.watch {
		delete(t.watch, c)
		close(c)
	}
}

// Tail returns the last n lines written, oldest first, as far as they are remembered. The fields are shared and must
// not be changed.
func (m *Manager) Tail(n int) []Line { return m.tail.last(n) }

// Subscribe returns a channel of the lines written from now on, and the function that ends it. A subscriber that is
// more than buffer lines behind misses lines, which shows in Seq. The channel is closed by cancel and by
// [Manager.Close].
func (m *Manager) Subscribe(buffer int) (lines <-chan Line, cancel func()) {
	return m.tail.subscribe(buffer)
}
