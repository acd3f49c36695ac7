package logging

// Prepare opens the sinks that o names and that are not already in service, and returns the function that puts them
// into service and closes those no longer named. Until then nothing has changed; an error leaves everything as it was.
func (m *Manager) Prepare(o Options) (commit func(), err error) {
	o = o.withDefaults()
	sinks, err := open(o)
	if err != nil {
		return nil, err
	}
	return func() { m.commit(o, sinks) }, nil
}

func open(o Options) ([]sink, error) {
	return []sink{newStderrSink(o)}, nil
}

func (m *Manager) commit(o Options, sinks []sink) {
	m.sinksMu.Lock()
	old := m.sinks
	m.sinks, m.opts = sinks, o
	m.sinksMu.Unlock()
	for _, s := range old {
		s.close()
	}
	m.traceVerbose.Store(o.TraceVerbose)
	m.traceHeaders.Store(o.TraceHeaders)
	m.maxTraced.Store(int64(o.MaxTracedLen))

	m.levelsMu.Lock()
	defer m.levelsMu.Unlock()
	m.base = o.levels()
	for _, s := range m.subs {
		m.publish(s)
	}
}

// Close flushes the sinks for a bounded time and closes them. Lines written later are lost.
func (m *Manager) Close() error {
	m.sinksMu.Lock()
	old := m.sinks
	m.sinks, m.closed = nil, true
	m.sinksMu.Unlock()
	var first error
	for _, s := range old {
		if err := s.close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
