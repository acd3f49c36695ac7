package jetstream

import (
	"github.com/nats-broker/nats-broker/daemon/follow"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// updateStream changes the configuration of a stream.
func (a *account) updateStream(r *request) {
	var q api.StreamRequest
	if !a.decode(r, &q) {
		return
	}
	c, err := q.Check(a.surroundings(), q.Pedantic)
	if err != nil {
		a.fail(r, err)
		return
	}
	if api.Token(r.subject, 3) != c.Name {
		a.fail(r, api.NameMismatch.Error())
		return
	}
	s := a.target(r, 3)
	if s == nil {
		return
	}
	c.Stamp()
	if err := a.update(s, c); err != nil {
		a.fail(r, err)
		return
	}
	i := s.info(false)
	i.Cluster = nil
	a.respond(r, api.UpdateAnswer{Answer: r.op.Answer(), StreamInfo: i})
}

func (a *account) update(s *Stream, asked *api.StreamConfig) *api.Error {
	old := s.config.Load()
	c, err := old.Update(asked)
	if err != nil {
		return err
	}
	more := max(0, max(c.MaxBytes, 0)-max(old.MaxBytes, 0))
	if err := a.fits(c, more, c.MaxBytes); err != nil {
		return err
	}
	if a.overlaps(c, s) {
		return api.SubjectsOverlap.Error()
	}
	if err := c.Unbuilt(); err != nil {
		return err
	}
	if err := s.consumers.within(&old.ConsumerLimits, &c.ConsumerLimits); err != nil {
		return api.StreamUpdate.Error(err)
	}
	tell, failed := s.reconfigure(c, s.findSources(c))
	if failed != nil {
		return api.StreamUpdate.Error(failed)
	}
	tellAll(tell)
	if c.Retention != old.Retention {
		s.retain(c)
		s.forsake()
	}
	a.srv.reserved[c.Storage].Add(max(c.MaxBytes, 0) - max(old.MaxBytes, 0))
	a.adviseStream("UPDATED", c.Name, "modify")
	return nil
}

// reconfigure changes the configuration between two messages: those that come meanwhile wait. found is where the stream is with
// sources that are new to it. It returns how origins are told that it leaves.
func (s *Stream) reconfigure(c *api.StreamConfig, found map[string]follow.Position) (tell []func(), err error) {
	m, err := machineConfig(c)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.unlock()
	s.paused = true
	for s.machine.Pending() > 0 && s.failed == nil {
		s.settled.Wait()
	}
	defer func() {
		s.paused = false
		s.decide()
		s.schedule()
	}()
	if s.failed != nil {
		return nil, s.failed
	}
	if err := s.acc.keep(s, c); err != nil {
		return nil, err
	}
	if err := s.capture(c.Subjects); err != nil {
		return nil, err
	}
	if err := s.ways(c); err != nil {
		return nil, err
	}
	s.reading.Lock()
	unknown := s.machine.Config().Window == 0 && m.Window > 0
	if err = s.machine.Configure(m); err == nil && unknown {
		err = s.machine.Recall(s.now())
	}
	s.reading.Unlock()
	if err != nil {
		s.fail(err)
		return nil, err
	}
	s.config.Store(c)
	s.endBatches(!c.AllowAtomic, !c.AllowBatched)
	s.directly(c.AllowDirect)
	tell = s.refollow(c, found)
	if s.machine.Timed() {
		s.machine.Fire((*quota)(s), s.acc.srv.ages.now(), s.now())
		s.followAll()
	} else if c, ok := s.machine.Expire(s.acc.srv.ages.now()); ok {
		s.follow(c, nil)
	}
	for s.machine.Pending() > 0 && s.failed == nil {
		s.settled.Wait()
	}
	s.count()
	s.schedule()
	return tell, nil
}
