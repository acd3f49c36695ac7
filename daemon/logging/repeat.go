package logging

import (
	"fmt"
	"sync"
	"time"
)

const (
	// repeatWindow is the period over which repetitions are counted.
	repeatWindow = 10 * time.Second
	// repeatBurst is how often the same line is written within a window.
	repeatBurst = 20
	// repeatLines bounds the memory of the limiter. When so many different lines are under way at once, further ones
	// pass unlimited.
	repeatLines = 1024
)

// repeatLimiter holds back floods: the same line more than repeatBurst times within repeatWindow, or more lines of one
// catalogue id than the catalogue allows. When the window is over, one line says how many were held back. Debug and
// Trace pass always: who switches them on wants them all.
//
// Its only goroutine is the timer's, which runs while something is held back.
type repeatLimiter struct {
	emit func(*record)

	mu    sync.Mutex // guards what follows
	lines map[repeatKey]*repetition
	timer *time.Timer
	off   bool
}

// repeatKey is a line, or all lines of a catalogue id.
type repeatKey struct {
	id        MessageID
	level     Level
	subsystem string
	message   string
}

// repetition is the count of one key in its window.
type repetition struct {
	began time.Time
	count int
	held  uint64
	last  *record // last one held back
}

// pass reports whether r is to be written.
func (l *repeatLimiter) pass(r *record) bool {
	if r.level < Info || r.level == Fatal {
		return true
	}
	key := repeatKey{level: r.level, subsystem: r.subsystem, message: r.message}
	burst := repeatBurst
	if r.id != NoID {
		if burst = catalogue[r.id].burst; burst == 0 {
			return true
		}
		key = repeatKey{id: r.id}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.off {
		return true
	}
	e := l.lines[key]
	switch {
	case e == nil:
		l.makeRoom(r.time)
		if len(l.lines) < repeatLines {
			if l.lines == nil {
				l.lines = map[repeatKey]*repetition{}
			}
			l.lines[key] = &repetition{began: r.time, count: 1}
		}
		return true
	case r.time.Sub(e.began) >= repeatWindow && e.held == 0:
		*e = repetition{began: r.time, count: 1}
		return true
	}
	if e.count++; e.count <= burst {
		return true
	}
	e.held++
	e.last = r
	if l.timer == nil {
		l.timer = time.AfterFunc(repeatWindow-r.time.Sub(e.began), l.sweep)
	}
	return false
}

// makeRoom forgets lines whose window is over. mu is held.
func (l *repeatLimiter) makeRoom(now time.Time) {
	if len(l.lines) < repeatLines {
		return
	}
	for k, e := range l.lines {
		if e.held == 0 && now.Sub(e.began) >= repeatWindow {
			delete(l.lines, k)
		}
	}
}

// sweep reports what was held back in windows that are over, and comes again while others are open.
func (l *repeatLimiter) sweep() {
	now := time.Now()
	l.mu.Lock()
	due, next := l.collect(func(e *repetition) bool { return now.Sub(e.began) >= repeatWindow })
	l.timer = nil
	if !next.IsZero() && !l.off {
		l.timer = time.AfterFunc(next.Add(repeatWindow).Sub(now), l.sweep)
	}
	l.mu.Unlock()
	for _, r := range due {
		l.emit(r)
	}
}

// collect takes the summaries of the entries that are due and returns when the earliest other window with held lines
// began. mu is held.
func (l *repeatLimiter) collect(due func(*repetition) bool) (summaries []*record, next time.Time) {
	for k, e := range l.lines {
		switch {
		case e.held == 0:
		case due(e):
			summaries = append(summaries, e.summary(k))
			delete(l.lines, k)
		case next.IsZero() || e.began.Before(next):
			next = e.began
		}
	}
	return summaries, next
}

// flush reports everything held back and stops limiting. It is called once, before the sinks close.
func (l *repeatLimiter) flush() {
	l.mu.Lock()
	l.off = true
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	due, _ := l.collect(func(*repetition) bool { return true })
	l.mu.Unlock()
	for _, r := range due {
		l.emit(r)
	}
}

// summary is the line that stands for those held back: the last of them and their number.
func (e *repetition) summary(k repeatKey) *record {
	r := *e.last
	if k.id == NoID {
		r.message = fmt.Sprintf("%s (repeated %d more times within %v)", r.message, e.held, repeatWindow)
	} else {
		r.message = fmt.Sprintf("%s (and %d more like this within %v)", r.message, e.held-1, repeatWindow)
	}
	r.time = time.Now()
	r.fields = append(r.fields[:len(r.fields):len(r.fields)], Uint(FieldCount, e.held))
	return &r
}
