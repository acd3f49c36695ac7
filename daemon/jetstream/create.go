package jetstream

import (
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// createStream makes a stream, or says that there is one like it.
func (a *account) createStream(r *request) {
	var q api.StreamRequest
	if !a.decode(r, &q) {
		return
	}
	q.Stamp()
	if err := a.mayCreate(r, &q.StreamConfig); err != nil {
		a.fail(r, err)
		return
	}
	c, err := q.Check(a.surroundings(), q.Pedantic)
	if err != nil {
		a.fail(r, err)
		return
	}
	s, made, err := a.create(c)
	if err != nil {
		a.fail(r, err)
		return
	}
	i := s.info(false)
	i.Domain, i.Cluster = "", nil
	if made {
		a.adviseStream("CREATED", c.Name, "create")
	}
	a.respond(r, api.CreateAnswer{Answer: r.op.Answer(), StreamInfo: i, DidCreate: true})
}

// mayCreate checks what is checked before the configuration.
func (a *account) mayCreate(r *request, c *api.StreamConfig) *api.Error {
	name := api.Token(r.subject, 3)
	switch {
	case name != c.Name:
		return api.NameMismatch.Error()
	case strings.ContainsAny(name, `\/`):
		return api.NameWithSeparators.Error()
	case c.Sealed:
		return api.InvalidConfig.Error("stream configuration for create can not be sealed")
	case c.MirrorDirect && c.Mirror == nil:
		return api.InvalidConfig.Error("stream has no mirror but does have mirror direct")
	}
	l, _ := a.allowed()
	if l.MaxStreams > 0 {
		n := len(a.list())
		if a.stream(name) != nil {
			n--
		}
		if n >= l.MaxStreams {
			return api.TooManyStreams.Error()
		}
	}
	// What says nothing of the storage is not measured yet.
	var said struct {
		Storage *api.Storage `json:"storage"`
	}
	if api.Decode(r.body, false, &said) != nil || said.Storage == nil {
		return a.fitsConsumers(c)
	}
	return a.fits(c, reserves(c.MaxBytes), reserves(c.MaxBytes))
}

// reserves is what a stream asks for at least: where it says nothing, there must be room for something.
func reserves(maxBytes int64) int64 {
	if maxBytes < 0 {
		return 1
	}
	return maxBytes
}

// create makes the stream of a checked configuration, unless there is one like it.
func (a *account) create(c *api.StreamConfig) (s *Stream, made bool, err *api.Error) {
	if c.Replicas > 1 {
		return nil, false, api.ReplicasNotSupported.Error()
	}
	if s := a.stream(c.Name); s != nil {
		if c.SameAs(s.config.Load()) {
			return s, false, nil
		}
		return nil, false, api.StreamExists.Error()
	}
	if err := a.fits(c, reserves(c.MaxBytes), reserves(c.MaxBytes)); err != nil {
		return nil, false, err
	}
	if err := c.BadFilter(); err != nil {
		return nil, false, err
	}
	if a.overlaps(c, nil) {
		return nil, false, api.SubjectsOverlap.Error()
	}
	if err := c.Unbuilt(); err != nil {
		return nil, false, err
	}
	s, failed := a.makeStream(c, time.Now().UTC())
	if failed != nil {
		a.srv.log.Error("Stream create failed for '" + a.name() + " > " + c.Name + "': " + failed.Error())
		return nil, false, api.StreamCreate.Error("error creating store for stream")
	}
	a.adopt(s)
	s.pursue()
	return s, true, nil
}

// overlaps reports whether another stream takes messages on one of the subjects.
func (a *account) overlaps(c *api.StreamConfig, but *Stream) bool {
	for _, s := range a.list() {
		if s != but && api.Overlaps(c.Subjects, s.config.Load().Subjects) {
			return true
		}
	}
	return false
}

// deleteStream takes a stream away.
func (a *account) deleteStream(r *request) {
	if !api.IsEmpty(r.body) {
		a.fail(r, api.NotEmptyRequest.Error())
		return
	}
	s := a.target(r, 3)
	if s == nil {
		return
	}
	if err := a.remove(s); err != nil {
		a.fail(r, api.StreamDelete.Error(err))
		return
	}
	a.respond(r, api.DoneAnswer{Answer: r.op.Answer(), Success: true})
}

// remove ends a stream and takes away what it holds.
func (a *account) remove(s *Stream) error {
	c := s.config.Load()
	s.consumers.close("409 Consumer Deleted")
	s.mu.Lock()
	tell := s.farewell()
	s.mu.Unlock()
	tellAll(tell)
	s.close()
	if err := a.destroy(s); err != nil {
		return err
	}
	a.mu.Lock()
	delete(a.streams, c.Name)
	a.mu.Unlock()
	a.srv.reserved[c.Storage].Add(-max(c.MaxBytes, 0))
	s.discard()
	a.adviseStream("DELETED", c.Name, "delete")
	return nil
}

// purgeAccount takes away all streams of an account that the system account names.
func (a *account) purgeAccount(r *request) {
	name := api.Token(r.subject, 3)
	if strings.ContainsAny(name, `\/`) {
		a.fail(r, api.StreamGeneral.Error("account name can not contain path separators"))
		return
	}
	if of := a.srv.lookup(name); of != nil {
		of.changing.Lock()
		defer of.changing.Unlock()
		for _, s := range of.list() {
			if err := of.remove(s); err != nil {
				a.fail(r, api.StreamDelete.Error(err))
				return
			}
		}
	}
	a.respond(r, api.InitiatedAnswer{Answer: r.op.Answer(), Initiated: true})
}
