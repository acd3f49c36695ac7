package logging

import (
	"errors"
	"slices"
	"strings"
)

// sinkSet is what a change of configuration puts into service.
type sinkSet struct {
	all   []sink
	loud  bool   // standard error or the journal is among them
	fresh []sink // those of all that were opened for it
}

func (set *sinkSet) add(s sink) {
	set.all = append(set.all, s)
	set.fresh = append(set.fresh, s)
}

// discard undoes the opening of sinks that never went into service.
func (set *sinkSet) discard() {
	for _, s := range set.fresh {
		if d, ok := s.(discarder); ok {
			d.discard()
		} else {
			s.close()
		}
	}
}

// Prepare opens the sinks that o names and returns the function that puts them into service and closes those no longer
// named. Until then nothing has changed; an error leaves everything as it was. What a Prepare without commit has opened
// is given up by the next one, and by Close.
func (m *Manager) Prepare(o Options) (commit func(), err error) {
	o = o.withDefaults()
	m.prepareMu.Lock()
	defer m.prepareMu.Unlock()
	m.abandon()
	set, err := m.open(o)
	if err != nil {
		return nil, err
	}
	m.pending = set
	return func() { m.commit(o, set) }, nil
}

// abandon gives up what was prepared and not committed. prepareMu is held.
func (m *Manager) abandon() {
	if m.pending != nil {
		m.pending.discard()
		m.pending = nil
	}
}

// open makes the sinks for o. A syslog sink that is already in service with the same settings is taken over with its
// queue; the others have no state worth keeping.
func (m *Manager) open(o Options) (*sinkSet, error) {
	set := &sinkSet{}
	fail := func(err error) (*sinkSet, error) {
		set.discard()
		return nil, err
	}
	if o.File != "" {
		s, err := openFile(o, m.tell)
		if err != nil {
			return fail(err)
		}
		set.add(s)
	}
	if o.Remote != "" {
		local := strings.HasPrefix(o.Remote, "unix:")
		old := o.RemoteRFC3164 || local && !o.RemoteRFC5424
		t, err := parseTarget(o.Remote, old, o.RemoteTLS)
		if err != nil {
			return fail(err)
		}
		var f syslogFormat = newRFC5424(o)
		if old {
			f = newRFC3164(o, local)
		}
		m.addSyslog(set, t, f, o)
	}
	if o.Syslog {
		t := target{url: o.seams.devLog, network: "unix", address: o.seams.devLog, stream: frameLine}
		m.addSyslog(set, t, newRFC3164(o, true), o)
	}
	if len(set.all) == 0 || o.Stderr {
		set.add(m.openStderr(o))
		set.loud = true
	}
	return set, nil
}

// openStderr chooses the journal's native protocol when standard error is its stream.
func (m *Manager) openStderr(o Options) sink {
	if o.Journal {
		if s, err := openJournal(o, m.tell); err == nil {
			return s
		}
		// No native socket (a private root directory): the stream takes lines with their weight.
		s := newStderrSink(o, m.tell)
		if o.Format == FormatText {
			s.format = streamFormat{o.text(false)}
		}
		return s
	}
	return newStderrSink(o, m.tell)
}

func (m *Manager) addSyslog(set *sinkSet, t target, f syslogFormat, o Options) {
	m.sinksMu.RLock()
	defer m.sinksMu.RUnlock()
	for _, s := range m.sinks {
		old, ok := s.(*syslogSink)
		if ok && old.target == t && t.tls == nil && old.format == f && old.limit == o.RemoteQueue {
			set.all = append(set.all, old)
			return
		}
	}
	set.add(newSyslog(t, f, o.RemoteQueue, m.tell, m.speak))
}

func (m *Manager) commit(o Options, set *sinkSet) {
	m.prepareMu.Lock()
	defer m.prepareMu.Unlock()
	if m.pending != set {
		return // abandoned, or committed before
	}
	m.pending = nil
	for _, s := range set.fresh {
		s.start()
	}
	m.sinksMu.Lock()
	old := m.sinks
	m.sinks = set.all
	m.stderr = newStderrSink(o, m.tell)
	m.loud = set.loud
	m.limit.Store(!o.NoRepeatLimit)
	for _, s := range old {
		if !slices.Contains(set.all, s) {
			m.closing.Go(func() { m.retire(s) })
		}
	}
	m.sinksMu.Unlock()
	m.setSwitches(o)
}

// retire closes a sink that is out of service. Flushing may take its time, and the change is in force already; Close
// waits for it.
func (m *Manager) retire(s sink) {
	s.close()
	m.sinksMu.Lock()
	defer m.sinksMu.Unlock()
	m.retired[s.name()] += s.lost()
}

// setSwitches publishes what is not a sink.
func (m *Manager) setSwitches(o Options) {
	m.traceVerbose.Store(o.TraceVerbose)
	m.traceHeaders.Store(o.TraceHeaders)
	m.maxTraced.Store(int64(o.MaxTracedLen))
	m.levelsMu.Lock()
	defer m.levelsMu.Unlock()
	m.base = o.levels()
	m.configured = map[string]levelSet{}
	for name, lv := range o.Levels {
		m.configured[name] = setFrom(lv)
	}
	for _, s := range m.subs {
		m.publish(s)
	}
}

// Reopen closes the log file and opens its path anew (SIGUSR1), for whoever has renamed it. If that fails, the open
// file stays in use and the error is returned and logged.
func (m *Manager) Reopen() error {
	files := false
	var errs []error
	m.sinksMu.RLock()
	for _, s := range m.sinks {
		if f, ok := s.(reopener); ok {
			files = true
			errs = append(errs, f.reopen())
		}
	}
	m.sinksMu.RUnlock()
	err := errors.Join(errs...)
	switch {
	case err != nil:
		m.self.Error("File log could not be re-opened: "+err.Error(), Err(err))
	case files:
		m.self.Info("File log re-opened")
	default:
		m.self.Info("File log re-open ignored, not a file logger")
	}
	return err
}

// Close reports what was held back, flushes the sinks for a bounded time and closes them. Lines written later are
// lost. It returns what could not be flushed.
func (m *Manager) Close() error {
	m.repeats.flush()
	m.prepareMu.Lock()
	m.abandon()
	m.prepareMu.Unlock()
	m.sinksMu.Lock()
	old := m.sinks
	m.sinks = nil
	m.sinksMu.Unlock()
	var errs []error
	for _, s := range old {
		errs = append(errs, s.close())
	}
	m.closing.Wait()
	m.tail.end()
	return errors.Join(errs...)
}
