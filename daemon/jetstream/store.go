package jetstream

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/stream/memlog"
)

var errNoFiles = errors.New("there is no storage for files")

// makeStream makes a new stream and begins to take messages.
func (a *account) makeStream(c *api.StreamConfig, created time.Time) (*Stream, error) {
	if c.Storage == api.File {
		f := a.srv.files
		if f == nil {
			return nil, errNoFiles
		}
		k, err := f.create(a.name(), c, created.UnixNano())
		if err != nil {
			return nil, err
		}
		return a.use(c, k)
	}
	log := memlog.New()
	if c.FirstSeq > 0 {
		if err := log.Truncate(c.FirstSeq); err != nil {
			return nil, err
		}
	}
	s, err := a.newStream(c, log, created)
	if err != nil {
		return nil, err
	}
	s.retain(c)
	return s, s.openAll()
}

// use takes messages into a stream that is kept in files.
func (a *account) use(c *api.StreamConfig, k *kept) (*Stream, error) {
	s, err := a.takeUp(c, k, func(*Stream) {})
	if err != nil {
		return nil, err
	}
	return s, s.openAll()
}

// takeUp makes a stream of what is kept in files, and of what was left of it. It takes nothing yet.
func (a *account) takeUp(c *api.StreamConfig, k *kept, inherit func(*Stream)) (*Stream, error) {
	s, err := a.newStream(c, k.log, time.Unix(0, k.entry.Created).UTC())
	if err != nil {
		return nil, err
	}
	s.id, s.kept, s.ledger, s.memory = k.id, k, a.srv.files, k.memory
	s.originIdentity = k.entry.Origin
	return s, a.srv.files.hand(k, s, inherit)
}

// openAll begins to take messages, and to deliver them. If that fails the stream is closed.
func (s *Stream) openAll() error {
	err := s.open()
	for _, c := range s.consumers.all() {
		if err == nil {
			err = c.open()
		}
	}
	if err != nil {
		s.consumers.close("")
		s.close()
		s.discard()
	} else if s.acc.srv.resumed.Load() {
		s.readmit()
	}
	return err
}

// load opens the streams that are kept for the account.
func (a *account) load() error {
	f := a.srv.files
	if f == nil {
		return nil
	}
	for _, e := range f.catalogue.List(store.Stream, entryKey(a.name(), "")) {
		_, name := splitKey(e.Key)
		k, err := f.find(e.Value)
		if err != nil {
			return fmt.Errorf("stream %q: %w", name, err)
		}
		c, err := k.entry.config()
		if err != nil {
			return fmt.Errorf("stream %q: %w", name, err)
		}
		s, err := a.takeUp(c, k, (*Stream).inheritConsumers)
		if err == nil {
			err = s.openAll()
		}
		if err != nil {
			return fmt.Errorf("stream %q: %w", name, err)
		}
		a.adopt(s)
	}
	return nil
}

// adopt puts a stream among the account's.
func (a *account) adopt(s *Stream) {
	c := s.config.Load()
	a.mu.Lock()
	a.streams[c.Name] = s
	a.mu.Unlock()
	a.srv.reserved[c.Storage].Add(max(c.MaxBytes, 0))
}

// keep has a changed configuration remembered, before it is in effect. Nothing of the stream is pending.
func (a *account) keep(s *Stream, c *api.StreamConfig) error {
	if s.kept == nil {
		return nil
	}
	return a.srv.files.reconfigure(a.name(), s.kept, c)
}

// destroy takes away what a closed stream has stored.
func (a *account) destroy(s *Stream) error {
	if s.kept == nil {
		return s.log.Destroy()
	}
	return a.srv.files.remove(a.name(), s.Name(), s.kept)
}
