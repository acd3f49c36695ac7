package jetstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/consumer"
	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// inheritance is what a process before has left, of accounts that have not come yet.
type inheritance struct {
	file      io.ReaderAt
	size      int64
	streams   []*carriedStream
	consumers []*carriedConsumer
}

// Inherit takes what [Server.Leave] of a process before has returned, and the file with messages, which is read as accounts come. It
// is called before [Server.Start]. state is not kept.
func (s *Server) Inherit(state []byte, file io.ReaderAt, size int64) error {
	var c carried
	if err := fields.Read(bytes.Clone(state), &c); err != nil {
		return err
	}
	if c.form != carriedForm {
		return fmt.Errorf("messages in form %d are not known", c.form)
	}
	x := &inheritance{file: file, size: size}
	for i := range c.streams {
		if st := &c.streams[i]; st.from < 0 || st.to < st.from || st.to > size {
			return errCarried
		}
		x.streams = append(x.streams, &c.streams[i])
	}
	for i := range c.consumers {
		x.consumers = append(x.consumers, &c.consumers[i])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inherited = x
	return nil
}

// Inherited returns how many streams in memory wait for their account: as long as there are some, the file must stay open.
func (s *Server) Inherited() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inherited == nil {
		return 0
	}
	return len(s.inherited.streams)
}

// Resume has requests wait that were left, when clients are there again. Those of accounts that come later wait at once.
func (s *Server) Resume() {
	s.resumed.Store(true)
	s.each(func(a *account) {
		for _, st := range a.list() {
			st.readmit()
		}
	})
}

func (s *Stream) readmit() {
	for _, c := range s.consumers.all() {
		c.readmit()
	}
}

// readmit has the requests wait that were left for the consumer.
func (c *Consumer) readmit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.returning
	if c.returning = nil; len(list) == 0 || c.closed {
		return
	}
	c.guard(func() {
		now := c.s.now()
		for _, w := range list {
			r := w.delivers
			if r.Expires = 0; w.until != 0 {
				r.Expires = max(w.until-now, 1)
			}
			c.m.Restored(w.to, r, now)
		}
	})
	c.wake()
}

// inherit makes the streams in memory that were left for the account. The server's mu is held.
func (a *account) inherit() {
	x := a.srv.inherited
	if x == nil {
		return
	}
	mine := func(s *carriedStream) bool { return s.account == a.name() }
	for _, l := range x.streams {
		if !mine(l) {
			continue
		}
		if err := a.inheritStream(l, x.file); err != nil {
			a.srv.log.Error(fmt.Sprintf("JetStream: a stream in memory of account %q is lost: %v", a.name(), err))
		}
	}
	x.streams = slices.DeleteFunc(x.streams, mine)
}

func (a *account) inheritStream(l *carriedStream, file io.ReaderAt) error {
	c := new(api.StreamConfig)
	if err := json.Unmarshal(l.config, c); err != nil {
		return err
	}
	if a.stream(c.Name) != nil {
		return fmt.Errorf("there is another stream %q", c.Name)
	}
	log, err := readMessages(io.NewSectionReader(file, l.from, l.to-l.from), l.msgs)
	if err != nil {
		return err
	}
	log.Refilled(l.last, l.lastTime)
	s, err := a.newStream(c, log, time.Unix(0, l.created).UTC())
	if err != nil {
		return err
	}
	s.originIdentity = l.origin
	s.restoreSources(l.sourced)
	s.machine.ResumeSchedules(l.schedules)
	s.inheritConsumers()
	s.retain(c)
	if err := s.openAll(); err != nil {
		return err
	}
	a.adopt(s)
	return nil
}

// inheritConsumers makes the consumers in memory that were left for the stream, and has others go on as they were. The server's mu
// is held.
func (s *Stream) inheritConsumers() {
	x := s.acc.srv.inherited
	if x == nil {
		return
	}
	mine := func(l *carriedConsumer) bool { return l.account == s.acc.name() && l.stream == s.Name() }
	for _, l := range x.consumers {
		if !mine(l) {
			continue
		}
		if err := s.inheritConsumer(l); err != nil {
			s.acc.srv.log.Error(fmt.Sprintf("JetStream consumer '%s > %s > %s' is lost: %v", l.account, l.stream, l.name, err))
		}
	}
	x.consumers = slices.DeleteFunc(x.consumers, mine)
}

func (s *Stream) inheritConsumer(l *carriedConsumer) error {
	c := s.consumers.get(l.name)
	if l.config == nil {
		if c == nil {
			return errors.New("it is not there any more")
		}
		c.goOn(l)
		return nil
	}
	if c != nil {
		return errors.New("there is another one of its name")
	}
	cfg := new(api.ConsumerConfig)
	if err := json.Unmarshal(l.config, cfg); err != nil {
		return err
	}
	c = s.newConsumer(l.name, cfg, time.Unix(0, l.created).UTC())
	c.m = consumer.Reopen(machineOf(s, l.name, cfg), s.world(), s.now())
	if err := c.m.Restore(l.state); err != nil {
		return err
	}
	c.m.Resumed(true)
	c.m.Changes()
	s.adopt(c)
	c.goOn(l)
	return nil
}

// goOn has a consumer go on right where the process before has left it.
func (c *Consumer) goOn(l *carriedConsumer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.m.Relive(l.live.Live, c.s.now())
	c.returning = l.waits
}
