package jetstream

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/follow"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// follower joins the machine of an origin, the stream that takes its messages, and the broker. What the origin's consumer
// delivers comes in lanes like what is published, and waits in the stream's inbox (follower_take.go); what is asked
// of the origin goes by requests of the API, whose answers come on goroutines of their own (follower_ask.go).
//
// All of it is guarded by the stream's mu.
type follower struct {
	s      *Stream
	cfg    *api.Source
	mirror bool
	name   string // tells it apart from others, in headers too
	m      *follow.Follower
	maps   []*subject.Transform // nil where there is no destination
	outlet batch.Outlet

	round    uint64                       // of requests
	answer   *broker.InternalSubscription // of the answers to that
	state    *broker.InternalSubscription // of the answer how far the origin is
	captured *broker.InternalSubscription // of what is delivered
	own      string                       // the name of a consumer that outlives its use; "": there is none
	level    string                       // that the origin is asked for; "": none
	request  *originRequest

	err    *api.Error
	behind bool // the origin has been behind what was taken of it
	timer  *time.Timer
	gone   bool
}

// origin says what a source takes.
func origin(c *api.Source) *follow.Origin {
	o := &follow.Origin{Stream: c.Name, Filter: c.FilterSubject}
	if c.External != nil {
		o.External, o.API = true, c.External.API
	}
	if c.Consumer != nil {
		o.Consumer = c.Consumer.Name
	}
	for _, t := range c.Transforms {
		o.Sources, o.Destinations = append(o.Sources, t.Source), append(o.Destinations, t.Destination)
	}
	return o
}

// jitter keeps those apart who would ask at the same moment.
func jitter() time.Duration { return 100*time.Millisecond + rand.N(100*time.Millisecond) }

// newFollower makes the follower of a checked configuration, which begins behind a position. mu is held.
func (s *Stream) newFollower(c *api.Source, mirror bool, p follow.Position) *follower {
	fw := &follower{s: s, cfg: c, mirror: mirror, name: origin(c).Name()}
	fw.m = follow.New(mirror, c.Consumer != nil, p.Seq, p.Identity, s.steady(), jitter())
	fw.behind = s.kept != nil && slices.Contains(s.kept.entry.Back, fw.id())
	fw.outlet.Leads(fw)
	for _, t := range c.Transforms {
		var m *subject.Transform
		if t.Destination != "" {
			m, _ = subject.NewTransform(orAll(t.Source), t.Destination) // it was checked
		}
		fw.maps = append(fw.maps, m)
	}
	return fw
}

// id tells the followers of a stream apart, its mirror from a source of the same origin too.
func (fw *follower) id() string {
	if fw.mirror {
		return "*" // no source has that name
	}
	return fw.name
}

func orAll(filter string) string {
	if filter == "" {
		return ">"
	}
	return filter
}

// pursue has the stream take over what its origins have. Positions of sources that are not known are looked for in what is stored.
func (s *Stream) pursue() {
	c := s.config.Load()
	if c.Mirror == nil && len(c.Sources) == 0 {
		return
	}
	found := s.findSources(c)
	s.mu.Lock()
	defer s.unlock()
	if s.closed || len(s.following) > 0 || s.acc.srv.resting.Load() {
		return
	}
	if c.Mirror != nil {
		p := follow.Position{Seq: s.machine.Last(), Identity: s.originIdentity}
		s.following = []*follower{s.newFollower(c.Mirror, true, p)}
	}
	s.addSources(c, found)
	for _, fw := range s.following {
		fw.setTimer()
	}
}

// addSources follows the sources of a configuration that are not followed yet. mu is held.
func (s *Stream) addSources(c *api.StreamConfig, found map[string]follow.Position) {
	if len(c.Sources) > 0 && s.sourced == nil {
		s.sourced = map[string]follow.Position{}
	}
	for _, x := range c.Sources {
		name := origin(x).Name()
		if s.follower(name) != nil {
			continue
		}
		p, known := s.sourced[name]
		if !known {
			p = found[name]
			s.sourced[name] = p
			s.consumersChanged.Store(s.kept != nil)
		}
		fw := s.newFollower(x, false, p)
		s.following = append(s.following, fw)
		fw.setTimer()
	}
}

// follower finds the one of a source by its name.
func (s *Stream) follower(name string) *follower {
	for _, fw := range s.following {
		if !fw.mirror && fw.name == name {
			return fw
		}
	}
	return nil
}

// unfollow ends all following. mu is held.
func (s *Stream) unfollow() {
	for _, fw := range s.following {
		fw.end()
	}
	s.following = nil
	s.directlyFor("")
}

// restFollowing ends all following, when the next process is to go on with it.
func (s *Stream) restFollowing() {
	s.mu.Lock()
	defer s.unlock()
	s.unfollow()
}

// farewell ends all following for good, and returns how origins are told of it. mu is held.
func (s *Stream) farewell() (tell []func()) {
	for _, fw := range s.following {
		tell = append(tell, fw.leave())
	}
	s.unfollow()
	return tell
}

// refollow follows the origins of a changed configuration, and no others. It returns how those are told that are left. mu is held.
func (s *Stream) refollow(c *api.StreamConfig, found map[string]follow.Position) (tell []func()) {
	wanted := map[string]*api.Source{}
	for _, x := range c.Sources {
		wanted[origin(x).Name()] = x
	}
	kept := s.following[:0:0]
	for _, fw := range s.following {
		if x := wanted[fw.name]; !fw.mirror && x != nil {
			fw.cfg = x
		} else if !fw.mirror || c.Mirror == nil {
			tell = append(tell, fw.leave())
			fw.end()
			continue
		}
		kept = append(kept, fw)
	}
	s.following = kept
	for name := range s.sourced {
		if wanted[name] == nil {
			delete(s.sourced, name)
		}
	}
	if c.Mirror == nil || !c.MirrorDirect {
		s.directlyFor("")
	}
	if !s.acc.srv.resting.Load() && !s.closed {
		s.addSources(c, found)
	}
	return tell
}

// end has the follower follow no more. mu is held.
func (fw *follower) end() {
	fw.gone = true
	fw.drop()
	if fw.timer != nil {
		fw.timer.Stop()
	}
}

// drop lets go of what the follower listens to. mu is held.
func (fw *follower) drop() {
	for _, sub := range []**broker.InternalSubscription{&fw.captured, &fw.answer, &fw.state} {
		if *sub != nil {
			(*sub).Unsubscribe()
			*sub = nil
		}
	}
	fw.round++ // an answer that is on its way is nobody's
}

// leave returns what takes the consumer away that the origin has for the follower. mu is held.
func (fw *follower) leave() func() {
	name := fw.m.Consumer()
	if name == "" {
		name = fw.own
	}
	if fw.cfg.Consumer != nil || name == "" {
		return func() {}
	}
	b, to := fw.s.acc.broker, fw.api("CONSUMER.DELETE."+fw.cfg.Name+"."+name)
	return func() { b.Publish(to, "", nil, nil) }
}

// tellAll calls what farewells have returned. Nothing is locked.
func tellAll(list []func()) {
	for _, f := range list {
		f()
	}
}

// api is the subject of an operation of the origin's API.
func (fw *follower) api(op string) string {
	prefix := api.Prefix
	if x := fw.cfg.External; x != nil {
		prefix = x.API
	}
	return strings.ReplaceAll(prefix+"."+op, "..", ".")
}

// setTimer has the machine be asked when it wants to. mu is held.
func (fw *follower) setTimer() {
	if fw.gone {
		return
	}
	wait := max(time.Duration(fw.m.Due()-fw.s.steady()), time.Millisecond)
	if fw.timer == nil {
		fw.timer = time.AfterFunc(wait, fw.ring)
		return
	}
	fw.timer.Reset(wait)
}

// ring is the timer's.
func (fw *follower) ring() {
	s := fw.s
	s.mu.Lock()
	var q *originRequest
	if !fw.gone {
		switch fw.m.Tick(s.steady()) {
		case follow.Ask:
			q = fw.ask()
		case follow.Late:
			fw.failed(nil)
		case follow.Silent:
			fw.again(true)
		}
		fw.setTimer()
	}
	s.unlock()
	if q != nil {
		fw.send(q)
	}
}

// failed notes that the request came to nothing, and why, if that is known. mu is held.
func (fw *follower) failed(err *api.Error) {
	fw.drop()
	fw.err = err
	fw.m.Failed(fw.s.steady(), jitter())
	fw.setTimer()
}

// again has the origin be asked anew. mu is held.
func (fw *follower) again(forgiven bool) {
	fw.drop()
	fw.m.Again(forgiven, fw.s.steady(), jitter())
	fw.setTimer()
}

// title names the follower for the log.
func (fw *follower) title() string {
	kind := "source"
	if fw.mirror {
		kind = "mirror"
	}
	return "JetStream stream '" + fw.s.acc.name() + " > " + fw.s.Name() + "': " + kind + " '" + fw.cfg.Name + "'"
}

// origins returns how far the stream is with what it takes over.
func (s *Stream) origins() (mirror *api.SourceInfo, sources []*api.SourceInfo) {
	c := s.config.Load()
	if c.Mirror == nil && len(c.Sources) == 0 {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fw := range s.following {
		if fw.mirror {
			mirror = fw.info()
			continue
		}
		i := fw.info()
		i.Seq = s.sourced[fw.name].Seq
		sources = append(sources, i)
	}
	return mirror, sources
}

func (fw *follower) info() *api.SourceInfo {
	i := &api.SourceInfo{Name: fw.cfg.Name, Lag: fw.m.Lag(), Active: -1, Error: fw.err, Transforms: fw.cfg.Transforms}
	if !fw.mirror || fw.request != nil { // nats-server's mirrors tell of it when they have asked
		i.FilterSubject = fw.cfg.FilterSubject
	}
	if heard := fw.m.Heard(); heard != 0 {
		i.Active = time.Duration(max(fw.s.steady()-heard, 1))
	}
	if x := fw.cfg.External; x != nil {
		i.External = x
	}
	return i
}
