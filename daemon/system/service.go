package system

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Service is the broker's side of the system account. Make one by [New], register
// handlers, start it by [Service.Start], end it by [Service.Stop]. Its methods may be
// called from any goroutine.
type Service struct {
	broker   *broker.Broker
	log      *logging.Logger
	source   Source
	opts     atomic.Pointer[Options]
	lanes    lanes
	out      *outbox
	ids      *eventIDs
	servers  servers
	inboxes  inboxes
	ctx      context.Context // ends with Stop
	cancel   context.CancelFunc
	aside    sync.WaitGroup  // goroutines that wait for something
	stopping <-chan struct{} // closed by Stop: nobody waits any more
	silent   chan struct{}   // closed when nothing is queued any more: the outbox ends
	sender   sync.WaitGroup

	in   atomic.Pointer[broker.Account] // where we are subscribed
	last atomic.Pointer[comingsAndGoings]

	wake    chan struct{} // there is something in dirty
	dirtyMu sync.Mutex    // a leaf
	dirty   map[*broker.Account]struct{}

	// registry lets one change of what is subscribed happen at a time. It comes
	// before the locks of the broker, and is never taken on its goroutines.
	registry sync.Mutex
	handlers []*handler
	state    state
}

type state int

const (
	made state = iota
	running
	stopped
)

// handler is who answers requests on a pattern.
type handler struct {
	pattern string
	queue   string
	f       Handler
	lane    Lane
	local   bool                         // other servers are not told
	remote  bool                         // only what other servers publish is wanted
	raw     broker.Callback              // called instead of f, on the publisher's goroutine
	sub     *broker.InternalSubscription // nil while the service does not run
}

// New makes a service for a broker. It does nothing before it is started.
func New(b *broker.Broker, o Options, src Source, log *logging.Logger) *Service {
	s := &Service{
		broker: b, log: log, source: src, out: newOutbox(), ids: newEventIDs(),
		silent: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.stopping = s.ctx.Done()
	s.inboxes.prefix = "$SYS._INBOX." + broker.NodeName(b.Options().ServerName) + "."
	for i := range s.lanes.all {
		s.lanes.all[i] = newLane(laneNames[i], log)
	}
	o = o.withDefaults()
	s.opts.Store(&o)
	s.handlers = append(s.reportHandlers(), s.serverHandlers()...)
	s.handlers = append(s.handlers, &handler{pattern: s.inboxes.prefix + "*", raw: s.inboxes.receive})
	return s
}

// Start begins to answer.
func (s *Service) Start() error {
	s.registry.Lock()
	defer s.registry.Unlock()
	if s.state != made {
		return nil
	}
	s.in.Store(s.broker.System())
	s.lanes.start(s.stopping)
	s.sender.Go(func() { s.send(s.silent) })
	s.aside.Go(s.tick)
	s.state = running
	s.broker.Observe(observer{s})
	return s.subscribeAll()
}

// Prepare checks new options and returns what puts them into effect. The broker's own
// are to be in effect by then: the system account may be another.
func (s *Service) Prepare(o Options) (commit func(), err error) {
	o = o.withDefaults()
	return func() {
		s.opts.Store(&o)
		s.follow()
	}, nil
}

// follow moves to another system account.
func (s *Service) follow() {
	s.registry.Lock()
	defer s.registry.Unlock()
	now := s.broker.System()
	if s.state != running || now == s.in.Load() {
		return
	}
	s.unsubscribeAll()
	s.in.Store(now)
	if err := s.subscribeAll(); err != nil {
		s.log.Error("System account: "+err.Error(), logging.Err(err)) // the patterns were good before
	}
}

// LameDuck tells everybody that the server is about to go. It goes on answering.
func (s *Service) LameDuck() { s.Emit("$SYS.SERVER."+s.broker.ID()+".LAMEDUCK", itself) }

// itself is an event that says which server it is about, and no more.
func itself(si ServerInfo) any { return si }

// Stop ends the service: requests are dropped, what is queued to be sent is sent, and
// everybody told that the server is gone. Events are not sent any more, since those of
// connections that are closed because of that are no news.
func (s *Service) Stop() {
	s.registry.Lock()
	was := s.state
	s.broker.Observe(nil)
	s.state = stopped
	s.unsubscribeAll()
	s.registry.Unlock()
	s.cancel()
	if was != running {
		return
	}
	s.lanes.work.Wait()
	s.aside.Wait()
	s.Emit("$SYS.SERVER."+s.broker.ID()+".SHUTDOWN", itself)
	close(s.silent)
	s.sender.Wait()
}

// Handle has f called for messages on a pattern that reach the system account, from
// clients or other servers.
func (s *Service) Handle(pattern string, f Handler) error {
	return s.handle(&handler{pattern: pattern, f: f, lane: Requests})
}

// HandleIn is Handle with a choice of the lane.
func (s *Service) HandleIn(l Lane, pattern string, f Handler) error {
	return s.handle(&handler{pattern: pattern, f: f, lane: l})
}

// HandleGroup is Handle for one server of a queue group.
func (s *Service) HandleGroup(pattern, queue string, f Handler) error {
	return s.handle(&handler{pattern: pattern, queue: queue, f: f, lane: Requests})
}

// HandleLocal is HandleIn for messages of clients of this server only: others are not
// told that somebody listens.
func (s *Service) HandleLocal(l Lane, pattern string, f Handler) error {
	return s.handle(&handler{pattern: pattern, f: f, lane: l, local: true})
}

func (s *Service) handle(h *handler) error {
	s.registry.Lock()
	defer s.registry.Unlock()
	s.handlers = append(s.handlers, h)
	if s.state != running {
		return nil
	}
	return s.subscribe(h)
}

// Unhandle ends all handlers of a pattern. One may still be at work.
func (s *Service) Unhandle(pattern string) {
	s.registry.Lock()
	defer s.registry.Unlock()
	kept := s.handlers[:0:0]
	for _, h := range s.handlers {
		if h.pattern != pattern {
			kept = append(kept, h)
		} else if h.sub != nil {
			h.sub.Unsubscribe()
		}
	}
	s.handlers = kept
}

// subscribe subscribes for a handler. The lock is held.
func (s *Service) subscribe(h *handler) (err error) {
	l := s.lanes.all[h.lane]
	receive := h.raw
	if receive == nil {
		receive = func(m *broker.Message) { l.put(job{s.request(m), h.f}) }
	}
	a := s.in.Load()
	switch {
	case h.local:
		h.sub, err = a.SubscribeInternal(h.pattern, h.queue, receive)
	case h.remote:
		h.sub, err = a.SubscribeRemote(h.pattern, receive)
	default:
		h.sub, err = a.SubscribeService(h.pattern, h.queue, receive)
	}
	if err != nil {
		return fmt.Errorf("subscribing to %q: %w", h.pattern, err)
	}
	return nil
}

func (s *Service) subscribeAll() error {
	for _, h := range s.handlers {
		if err := s.subscribe(h); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) unsubscribeAll() {
	for _, h := range s.handlers {
		if h.sub != nil {
			h.sub.Unsubscribe()
			h.sub = nil
		}
	}
}

// request copies a message, whose memory is not ours.
func (s *Service) request(m *broker.Message) *Request {
	r := &Request{Subject: string(m.Subject), Reply: string(m.Reply), Client: m.Client, svc: s}
	if n := len(m.Header) + len(m.Payload); n > 0 {
		b := make([]byte, 0, n)
		b = append(append(b, m.Header...), m.Payload...)
		r.Body = b[len(m.Header):]
		if len(m.Header) > 0 {
			r.Header = b[:len(m.Header):len(m.Header)]
		}
	}
	return r
}

// Account returns the account that the service is in; nil before the start.
func (s *Service) Account() *broker.Account { return s.in.Load() }

// Emit publishes an event in the system account, if anybody listens. It never blocks:
// an event for which there is no room is dropped, and false returned.
func (s *Service) Emit(subject string, m Maker) bool {
	return s.out.offer(outgoing{subject: subject, make: m})
}

// EmitIn is Emit in another account.
func (s *Service) EmitIn(a *broker.Account, subject string, m Maker) bool {
	if s.in.Load() == nil {
		return false
	}
	return s.out.offer(outgoing{account: a, subject: subject, make: m})
}

// Publish publishes a message in the system account, with a subject for answers
// unless reply is empty. It waits for room in the outbox, until the service stops;
// before the start it does nothing.
func (s *Service) Publish(subject, reply string, m Maker) {
	if s.in.Load() == nil {
		return
	}
	s.out.put(outgoing{subject: subject, reply: reply, make: m}, s.stopping)
}
