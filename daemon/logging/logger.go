package logging

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Logger writes the lines of one subsystem. Obtain it from [Manager.Logger], or [Discard] in tests. It is safe for
// concurrent use, and its level may change under way.
//
// A line whose level is off costs one atomic load and no allocation. Formatting the message costs before the call:
// guard it with [Logger.Enabled] wherever the level is Debug or Trace.
type Logger struct {
	out    emitter
	sub    *subsystem
	fields []Field
}

// emitter takes finished records. The manager is one; the discarding logger has none.
type emitter interface{ emit(*record) }

// subsystem is the part of a logger that all its copies share.
type subsystem struct {
	name   string
	levels atomic.Uint32 // levelSet
}

// Discard returns a logger with every level off.
func Discard() *Logger { return &Logger{sub: &subsystem{name: "discard"}} }

// Enabled reports whether a line of this level would be written: one atomic load.
func (l *Logger) Enabled(lv Level) bool { return levelSet(l.sub.levels.Load()).has(lv) }

// Subsystem returns the name the logger was made for.
func (l *Logger) Subsystem() string { return l.sub.name }

// Trace writes a line about protocol traffic. Text from a peer's CONNECT goes through [RedactConnect] first.
func (l *Logger) Trace(msg string, fields ...Field) {
	if l.Enabled(Trace) {
		l.write(Trace, NoID, msg, fields, false)
	}
}

// Debug writes a line for someone looking for a fault.
func (l *Logger) Debug(msg string, fields ...Field) {
	if l.Enabled(Debug) {
		l.write(Debug, NoID, msg, fields, false)
	}
}

// Info writes a line about normal operation.
func (l *Logger) Info(msg string, fields ...Field) {
	if l.Enabled(Info) {
		l.write(Info, NoID, msg, fields, false)
	}
}

// Warn writes a line about something that works but wants attention.
func (l *Logger) Warn(msg string, fields ...Field) {
	if l.Enabled(Warn) {
		l.write(Warn, NoID, msg, fields, false)
	}
}

// Error writes a line about something that did not work.
func (l *Logger) Error(msg string, fields ...Field) {
	if l.Enabled(Error) {
		l.write(Error, NoID, msg, fields, false)
	}
}

// Mistake writes a line about something that a peer did wrong. It is an error, as nats-server has it, but in the
// machine's log it is only a warning: nothing is wrong with the machine.
func (l *Logger) Mistake(msg string, fields ...Field) {
	if l.Enabled(Error) {
		l.write(Error, NoID, msg, fields, true)
	}
}

// Event writes a line that the message catalogue explains: id is one of the catalogue's constants. `journalctl -x`
// shows the explanation under the line. The fields are those of the catalogue's row, and others.
func (l *Logger) Event(lv Level, id MessageID, msg string, fields ...Field) {
	if l.Enabled(lv) {
		l.write(lv, id, msg, fields, false)
	}
}

// With returns a logger that adds fields to each of its lines. The level stays shared with the receiver.
func (l *Logger) With(fields ...Field) *Logger {
	all := make([]Field, 0, len(l.fields)+len(fields))
	all = append(append(all, l.fields...), fields...)
	return &Logger{out: l.out, sub: l.sub, fields: all}
}

// write builds the record. The callers' fields are copied, so that their slice stays on the caller's stack.
func (l *Logger) write(lv Level, id MessageID, msg string, fields []Field, mistake bool) {
	if l.out == nil {
		return
	}
	r := &record{time: time.Now(), level: lv, id: id, subsystem: l.sub.name, message: msg, mistake: mistake}
	r.fields = make([]Field, 0, len(l.fields)+len(fields))
	r.fields = append(append(r.fields, l.fields...), fields...)
	var pc [1]uintptr
	if runtime.Callers(3, pc[:]) == 1 {
		r.pc = pc[0]
	}
	l.out.emit(r)
}

// record is one line on its way to the sinks. It is immutable once emitted.
type record struct {
	time      time.Time
	message   string
	subsystem string
	fields    []Field
	pc        uintptr // return address of the logging call; 0 when unknown
	id        MessageID
	level     Level
	mistake   bool // a peer's, see [Logger.Mistake]
}

// weight is the priority of the line in the machine's log: the journal and syslog.
func (r *record) weight() Level {
	switch {
	case r.mistake:
		return Warn
	case r.id.valid() && catalogue[r.id].weighs != 0:
		return catalogue[r.id].weighs
	}
	return r.level
}

// caller resolves the place of the logging call.
func (r *record) caller() (runtime.Frame, bool) {
	if r.pc == 0 {
		return runtime.Frame{}, false
	}
	f, _ := runtime.CallersFrames([]uintptr{r.pc}).Next()
	return f, f.File != ""
}
