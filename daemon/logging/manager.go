package logging

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Manager owns the sinks and the levels. It is made first and closed last. All methods are safe for concurrent use.
//
// Locks, in the order in which they may be taken: prepareMu (one change at a time), sinksMu (read by every line,
// written by a change of sinks), a sink's own, reportsMu. levelsMu, and the locks of repeats and tail, are never held
// together with another.
type Manager struct {
	prepareMu sync.Mutex
	pending   *sinkSet // prepared, not committed

	sinksMu sync.RWMutex
	sinks   []sink
	stderr  *stderrSink // takes reports about other sinks, whatever is configured
	loud    bool        // standard error or the journal is among the sinks
	retired map[string]uint64
	closing sync.WaitGroup // sinks that flush after they were taken out of service

	levelsMu   sync.Mutex
	base       levelSet            // -D and -V
	configured map[string]levelSet // Options.Levels
	overrides  map[string]levelSet // SetLevel
	subs       map[string]*subsystem

	reportsMu sync.Mutex
	reports   []*record // lines of sinks about themselves, to be emitted
	reporting atomic.Bool

	limit   atomic.Bool // floods are held back
	repeats repeatLimiter
	tail    *tail

	traceVerbose atomic.Bool
	traceHeaders atomic.Bool
	maxTraced    atomic.Int64

	self *Logger // for lines about logging
}

// New opens the sinks and puts them into service. An unusable one is an error, but for a syslog receiver that does not
// answer: its lines wait in the queue.
func New(o Options) (*Manager, error) {
	o = o.withDefaults()
	m := &Manager{
		subs: map[string]*subsystem{}, overrides: map[string]levelSet{}, retired: map[string]uint64{},
		tail: newTail(o.TailLines),
	}
	m.repeats.emit = m.deliver
	m.self = m.Logger("logging")
	commit, err := m.Prepare(o)
	if err != nil {
		return nil, err
	}
	commit()
	return m, nil
}

// Logger returns the logger of a subsystem, making it on first use. Names are short and lower case: they are what
// `nats-broker log-level` takes.
func (m *Manager) Logger(name string) *Logger {
	m.levelsMu.Lock()
	defer m.levelsMu.Unlock()
	s := m.subs[name]
	if s == nil {
		s = &subsystem{name: name}
		m.subs[name] = s
		m.publish(s)
	}
	return &Logger{out: m, sub: s}
}

// publish stores the levels in force for s. levelsMu is held.
func (m *Manager) publish(s *subsystem) {
	set, ok := m.overrides[s.name]
	if !ok {
		set, ok = m.configured[s.name]
	}
	if !ok {
		set = m.base
	}
	s.levels.Store(uint32(set))
}

// SetLevel changes a subsystem's level at once, and every subsystem's when the name is empty or "*". It holds until
// [Manager.ResetLevel] or the end of the process, over reloads too.
func (m *Manager) SetLevel(name string, lv Level) error {
	return m.override(name, func(n string) { m.overrides[n] = setFrom(lv) })
}

// ResetLevel returns a subsystem, or all with "" or "*", to the configured level.
func (m *Manager) ResetLevel(name string) error {
	return m.override(name, func(n string) { delete(m.overrides, n) })
}

func (m *Manager) override(name string, change func(string)) error {
	m.levelsMu.Lock()
	defer m.levelsMu.Unlock()
	if name == "" || name == "*" {
		for n, s := range m.subs {
			change(n)
			m.publish(s)
		}
		return nil
	}
	s := m.subs[name]
	if s == nil {
		return fmt.Errorf("unknown subsystem %q (known: %s)", name, strings.Join(m.names(), ", "))
	}
	change(name)
	m.publish(s)
	return nil
}

// names returns the known subsystems sorted. levelsMu is held.
func (m *Manager) names() []string {
	names := make([]string, 0, len(m.subs))
	for n := range m.subs {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Levels returns the lightest level written by each subsystem.
func (m *Manager) Levels() map[string]Level {
	m.levelsMu.Lock()
	defer m.levelsMu.Unlock()
	levels := make(map[string]Level, len(m.subs))
	for n, s := range m.subs {
		levels[n] = levelSet(s.levels.Load()).lowest()
	}
	return levels
}

// TraceVerbose reports whether the system account is traced too (-VV).
func (m *Manager) TraceVerbose() bool { return m.traceVerbose.Load() }

// TraceHeaders reports whether only headers of messages are traced.
func (m *Manager) TraceHeaders() bool { return m.traceHeaders.Load() }

// MaxTracedLen returns after how many bytes a traced payload is cut; 0 is never.
func (m *Manager) MaxTracedLen() int { return int(m.maxTraced.Load()) }

// Drops returns how many lines each sink has lost since the start, by the sink's name: "stderr", "journal", the file's
// path, the receiver's URL.
func (m *Manager) Drops() map[string]uint64 {
	m.sinksMu.RLock()
	defer m.sinksMu.RUnlock()
	drops := make(map[string]uint64, len(m.sinks))
	for name, n := range m.retired {
		if n > 0 {
			drops[name] = n
		}
	}
	for _, s := range m.sinks {
		drops[s.name()] += s.lost()
	}
	return drops
}

// emit takes a line from a logger: it is held back as part of a flood, or delivered.
func (m *Manager) emit(r *record) {
	if m.limit.Load() && !m.repeats.pass(r) {
		return
	}
	m.deliver(r)
}

// deliver remembers a line for the tail and hands it to every sink, and then what sinks had to report meanwhile.
func (m *Manager) deliver(r *record) {
	m.tail.add(r)
	m.sinksMu.RLock()
	for _, s := range m.sinks {
		s.write(r)
	}
	m.sinksMu.RUnlock()
	m.speak()
}

// tell queues a line of a sink about itself. Any lock may be held.
func (m *Manager) tell(lv Level, id MessageID, msg string, fields ...Field) {
	r := &record{time: time.Now(), level: lv, id: id, subsystem: m.self.sub.name, message: msg, fields: slices.Clone(fields)}
	m.reportsMu.Lock()
	defer m.reportsMu.Unlock()
	m.reports = append(m.reports, r)
	m.reporting.Store(true)
}

// speak emits the queued reports. Trouble with a sink is written to standard error as well, whether or not lines go
// there: it may be the only place left. No lock may be held.
func (m *Manager) speak() {
	if !m.reporting.Load() {
		return
	}
	m.reportsMu.Lock()
	reports := m.reports
	m.reports = nil
	m.reporting.Store(false)
	m.reportsMu.Unlock()

	m.sinksMu.RLock()
	defer m.sinksMu.RUnlock()
	for _, r := range reports {
		m.tail.add(r)
		for _, s := range m.sinks {
			s.write(r)
		}
		if r.level >= Warn && !m.loud {
			m.stderr.write(r)
		}
	}
}
