package logging

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Manager owns the sinks and the levels. It is made first and stopped last. All methods are safe for concurrent use.
//
// Locks, in the order they may be taken: sinksMu (read by every line, written by a change of sinks), then a sink's own.
// levelsMu stands alone.
type Manager struct {
	sinksMu sync.RWMutex
	sinks   []sink
	opts    Options
	closed  bool

	levelsMu  sync.Mutex
	base      levelSet
	subs      map[string]*subsystem
	overrides map[string]levelSet

	traceVerbose atomic.Bool
	traceHeaders atomic.Bool
	maxTraced    atomic.Int64

	self *Logger // for the manager's own lines
}

// New opens the sinks and puts them into service. An unusable one is an error, but for a remote receiver that does not
// answer: its lines wait in the queue.
func New(o Options) (*Manager, error) {
	o = o.withDefaults()
	m := &Manager{subs: map[string]*subsystem{}, overrides: map[string]levelSet{}}
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

// emit hands a record to every sink.
func (m *Manager) emit(r *record) {
	m.sinksMu.RLock()
	defer m.sinksMu.RUnlock()
	for _, s := range m.sinks {
		s.write(r)
	}
}
