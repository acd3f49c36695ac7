package jetstream

import (
	"bytes"
	"math"
	"slices"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/follow"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// Where a stream is with each of its sources stands in the messages that it has taken from them. These may be gone, since they were
// acknowledged or too many; so it is also written down at checkpoints, beside the states of consumers, with the stream's last
// sequence then, and the messages that the journal has count from there on.

// sourcesID is the place of that among the states of consumers.
const sourcesID = math.MaxUint64

// sourcedState is where a stream is with its sources, as it is written down.
type sourcedState struct {
	last uint64 // of the stream
	list []sourcedAt
}

type sourcedAt struct {
	name     string
	seq      uint64
	identity string
}

// Fields implements [fields.Record].
func (x *sourcedState) Fields(c *fields.Codec) {
	fields.Number(c, 1, &x.last)
	fields.List(c, 2, &x.list)
}

// Fields implements [fields.Record].
func (x *sourcedAt) Fields(c *fields.Codec) {
	c.Text(1, &x.name)
	fields.Number(c, 2, &x.seq)
	c.Text(3, &x.identity)
}

// sourceOf returns which source a stored message was taken from, and where it was there.
func sourceOf(r *stream.Record) (name, of string, p follow.Position, ok bool) {
	if len(r.Header) == 0 || !bytes.Contains(r.Header, []byte(follow.SourceHeader)) {
		return "", "", p, false
	}
	v, ok := api.Header(r.Header, follow.SourceHeader)
	if !ok {
		return "", "", p, false
	}
	return follow.ParseSource(string(v))
}

// noteSource takes note of a message that is applied. mu is held.
func (s *Stream) noteSource(r *stream.Record) {
	if len(s.sourced) == 0 {
		return
	}
	name, _, p, ok := sourceOf(r)
	if !ok {
		return
	}
	if _, known := s.sourced[name]; known {
		s.sourced[name] = p
		if s.kept != nil && !s.consumersChanged.Load() {
			s.consumersChanged.Store(true)
		}
	}
}

// sourcedState returns where the stream is with its sources, for who writes it down; nil: it has none.
func (s *Stream) sourcedState() (last uint64, state []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sourced) == 0 {
		return 0, nil
	}
	x := sourcedState{last: s.log.State().Last}
	for name, p := range s.sourced {
		x.list = append(x.list, sourcedAt{name, p.Seq, p.Identity})
	}
	return x.last, fields.Append(nil, &x)
}

// positions reads what sourcedState has returned. It is worth nothing if the stream has lost messages since.
func positions(state []byte, last uint64) (map[string]follow.Position, uint64) {
	var x sourcedState
	if state == nil || fields.Read(state, &x) != nil || x.last > last {
		return nil, 0
	}
	m := map[string]follow.Position{}
	for _, at := range x.list {
		m[at.name] = follow.Position{Seq: at.seq, Identity: at.identity}
	}
	return m, x.last
}

// findSources looks for where the stream is with sources of a configuration of which that is not known: in the messages that it holds,
// from the last one on.
func (s *Stream) findSources(c *api.StreamConfig) map[string]follow.Position {
	lacking := map[string]*api.Source{}
	s.mu.Lock()
	for _, x := range c.Sources {
		name := origin(x).Name()
		if _, known := s.sourced[name]; !known {
			lacking[name] = x
		}
	}
	s.mu.Unlock()
	found := map[string]follow.Position{}
	take := func(name string, p follow.Position) {
		if lacking[name] != nil {
			found[name] = p
			delete(lacking, name)
		}
	}
	var r stream.Record
	for seq := s.log.State().Last; len(lacking) > 0 && seq > 0; seq-- {
		var ok bool
		if seq, ok = s.log.Prev(seq, nil); !ok {
			break
		}
		if s.log.Load(seq, &r) != nil {
			continue
		}
		name, of, p, ok := sourceOf(&r)
		switch {
		case !ok:
		case name != "":
			take(name, p)
		default: // of an age when there was one source of each stream
			for name, x := range lacking {
				if o := origin(x); o.Stream == of {
					take(name, p)
				}
			}
		}
	}
	return found
}

// noteSources takes note of messages that the journal has.
func (k *kept) noteSources(fr *journal.Frame) {
	x := &k.consumers
	state := x.states[sourcesID]
	at, last := positions(state.state, math.MaxUint64)
	body := join(fr.Body)
	changed := false
	for seq := fr.First; seq < fr.First+uint64(fr.Count); seq++ {
		r, rest, err := parseRecord(body)
		if err != nil {
			return // whoever stores it says so
		}
		body = rest
		if seq <= last {
			continue
		}
		if name, _, p, ok := sourceOf(&stream.Record{Header: r.header}); ok && name != "" {
			if at == nil {
				at = map[string]follow.Position{}
			}
			at[name], last, changed = p, seq, true
		}
	}
	if !changed {
		return
	}
	n := sourcedState{last: last}
	for name, p := range at {
		n.list = append(n.list, sourcedAt{name, p.Seq, p.Identity})
	}
	x.states[sourcesID] = consumerState{last, fields.Append(nil, &n)}
	x.sourced = true
}

// restoreSources begins where the process before, or who had the stream before, was with its sources.
func (s *Stream) restoreSources(state []byte) {
	c := s.config.Load()
	if len(c.Sources) == 0 {
		return
	}
	at, _ := positions(state, s.log.State().Last)
	s.sourced = map[string]follow.Position{}
	for _, x := range c.Sources {
		name := origin(x).Name()
		if p, known := at[name]; known {
			s.sourced[name] = p
		}
	}
}

// keepIdentity remembers which origin a mirror has. The stream's mu is held.
func (a *account) keepIdentity(s *Stream, ident string) error {
	s.originIdentity = ident
	return a.reenter(s, func(e *entry) { e.Origin = ident })
}

// back notes whether the origin has been behind what was taken of it. A stream in files remembers that over a restart. The stream's
// mu is held.
func (fw *follower) back(behind bool) {
	if fw.behind == behind {
		return
	}
	fw.behind = behind
	err := fw.s.acc.reenter(fw.s, func(e *entry) {
		e.Back = slices.DeleteFunc(slices.Clone(e.Back), func(id string) bool { return id == fw.id() })
		if behind {
			e.Back = append(e.Back, fw.id())
		}
	})
	if err != nil {
		fw.warn("how its origin is cannot be remembered: " + err.Error())
	}
}

// reenter changes what the catalogue says of a stream in files. The stream's mu is held.
func (a *account) reenter(s *Stream, change func(*entry)) error {
	if s.kept == nil {
		return nil
	}
	f, k := a.srv.files, s.kept
	e := k.entry
	change(&e)
	if err := f.enter(store.Entry{Kind: store.Stream, Key: entryKey(a.name(), s.Name()), Value: fields.Append(nil, &e)}); err != nil {
		return err
	}
	k.entry = e
	return nil
}
