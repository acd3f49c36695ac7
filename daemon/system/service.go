package system

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/service"
)

// Service is the broker's side of the system account. Make one by [New], register
// handlers, start it by [Service.Start], end it by [Service.Stop]. Its methods may be
// called from any goroutine.
type Service struct {
	broker   *broker.Broker
	log      *logging.Logger
	source   Source
	opts     atomic.Pointer[Options]
	lanes    *service.Service
	handlers *service.Handlers
	seq      atomic.Uint64 // of the message sent last
	ids      *eventIDs
	servers  servers
	inboxes  *service.Inboxes
	ctx      context.Context // ends with Stop
	cancel   context.CancelFunc
	aside    sync.WaitGroup  // goroutines that wait for something
	stopping <-chan struct{} // closed by Stop: nobody waits any more

	leaving atomic.Bool // lame duck mode has begun

	in   atomic.Pointer[broker.Account] // where we are subscribed
	last atomic.Pointer[comingsAndGoings]

	wake    chan struct{} // there is something in dirty
	dirtyMu sync.Mutex    // a leaf
	dirty   map[*broker.Account]struct{}

	// life lets one of Start, Stop and moves happen at a time. It comes before the locks
	// of the broker, and is never taken on its goroutines.
	life      sync.Mutex
	state     state
	unobserve func()
}

// Lanes of requests.
const (
	// Requests is for what may take a while.
	Requests = iota
	// Pings is for what is answered at once, however busy the server is.
	Pings
	// News is for what other servers tell.
	News
)

var lanes = []service.Lane{
	Requests: {Name: "request", Length: laneLength},
	Pings:    {Name: "ping", Length: laneLength},
	News:     {Name: "message of another server", Length: laneLength},
}

type state int

const (
	made state = iota
	running
	stopped
)

// New makes a service for a broker. It does nothing before it is started.
func New(b *broker.Broker, o Options, src Source, log *logging.Logger) *Service {
	s := &Service{broker: b, log: log, source: src, ids: newEventIDs(), wake: make(chan struct{}, 1)}
	s.seq.Store(1)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.stopping = s.ctx.Done()
	s.lanes = service.New(service.Options{
		Name: "System account", Lanes: lanes, Events: maxEvents, Answers: maxAnswers, Home: s.in.Load,
		Failed: func(r *service.Request) { s.wrap(r).Fail(http.StatusInternalServerError, "internal error") },
	}, log)
	s.handlers = s.lanes.In(nil)
	s.inboxes = service.NewInboxes(b, "$SYS._INBOX."+broker.NodeName(b.Options().ServerName)+".", maxInboxes)
	o = o.withDefaults()
	s.opts.Store(&o)
	for _, h := range append(s.reportHandlers(), s.serverHandlers()...) {
		_ = s.handlers.Add(h) // they are in no account yet
	}
	return s
}

// Sequence is that of the message sent last. Other servers take nothing from one that
// falls behind it: a process that goes on under our id has to begin above.
func (s *Service) Sequence() uint64 { return s.seq.Load() }

// Continue has messages numbered from above a sequence on, before the start.
func (s *Service) Continue(seq uint64) { s.seq.Store(max(seq, 1)) }

// Start begins to answer.
func (s *Service) Start() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.state != made {
		return nil
	}
	s.in.Store(s.broker.System())
	s.lanes.Start()
	s.aside.Go(s.tick)
	s.state = running
	s.unobserve = s.broker.Observe(observer{s})
	s.broker.ReportTo(s.reportTrace)
	return s.settle()
}

// settle has everything be in the account that the service is in.
func (s *Service) settle() error {
	a := s.in.Load()
	if err := s.handlers.Move(a); err != nil {
		return err
	}
	return s.inboxes.Listen(a)
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
	s.life.Lock()
	defer s.life.Unlock()
	was, now := s.in.Load(), s.broker.System()
	if s.state != running || now == was {
		return
	}
	s.in.Store(now)
	s.inboxes.Leave(was)
	if err := s.settle(); err != nil {
		s.log.Error("System account: "+err.Error(), logging.Err(err)) // the patterns were good before
	}
}

// LameDuck tells everybody that the server is about to go. It goes on answering, but tells its figures to nobody who has
// not asked: whoever hears them takes the server for one that stays.
func (s *Service) LameDuck() {
	s.leaving.Store(true)
	s.Emit("$SYS.SERVER."+s.broker.ID()+".LAMEDUCK", itself)
}

// itself is an event that says which server it is about, and no more.
func itself(si ServerInfo) any { return si }

// Stop ends the service: requests are dropped, what is queued to be sent is sent, and
// everybody told that the server is gone. Events are not sent any more, since those of
// connections that are closed because of that are no news.
func (s *Service) Stop() {
	s.life.Lock()
	was := s.state
	if s.unobserve != nil {
		s.unobserve()
		s.broker.ReportTo(nil)
	}
	s.state = stopped
	_ = s.handlers.Move(nil) // cannot fail
	s.inboxes.Close()
	s.life.Unlock()
	s.cancel()
	if was != running {
		return
	}
	s.lanes.Quiesce()
	s.aside.Wait()
	s.Emit("$SYS.SERVER."+s.broker.ID()+".SHUTDOWN", itself)
	s.lanes.Stop()
}

// Handle has f called for messages on a pattern that reach the system account, from
// clients or other servers.
func (s *Service) Handle(pattern string, f Handler) error { return s.HandleIn(Requests, pattern, f) }

// HandleIn is Handle with a choice of the lane.
func (s *Service) HandleIn(lane int, pattern string, f Handler) error {
	return s.handlers.Add(s.handler(lane, pattern, f))
}

// HandleGroup is Handle for one server of a queue group.
func (s *Service) HandleGroup(pattern, queue string, f Handler) error {
	h := s.handler(Requests, pattern, f)
	h.Queue = queue
	return s.handlers.Add(h)
}

// HandleLocal is HandleIn for messages of clients of this server only: others are not
// told that somebody listens.
func (s *Service) HandleLocal(lane int, pattern string, f Handler) error {
	h := s.handler(lane, pattern, f)
	h.Scope = service.Here
	return s.handlers.Add(h)
}

// Unhandle ends all handlers of a pattern. One may still be at work.
func (s *Service) Unhandle(pattern string) { s.handlers.Remove(pattern) }

// handler makes a handler of a function.
func (s *Service) handler(lane int, pattern string, f Handler) service.Handler {
	return service.Handler{Pattern: pattern, Lane: lane, Do: func(r *service.Request) { f(s.wrap(r)) }}
}

func (s *Service) wrap(r *service.Request) *Request { return &Request{r, s} }

// Account returns the account that the service is in; nil before the start.
func (s *Service) Account() *broker.Account { return s.in.Load() }

// Emit publishes an event in the system account, if anybody listens. It never blocks:
// an event for which there is no room is dropped, and false returned.
func (s *Service) Emit(subject string, m Maker) bool {
	return s.lanes.Offer(s.message(subject, "", "", m))
}

// EmitIn is Emit in another account.
func (s *Service) EmitIn(a *broker.Account, subject string, m Maker) bool {
	if s.in.Load() == nil {
		return false
	}
	out := s.message(subject, "", "", m)
	out.Account = a
	return s.lanes.Offer(out)
}

// Publish publishes a message in the system account, with a subject for answers
// unless reply is empty. It waits for room in the outbox, until the service stops;
// before the start it does nothing.
func (s *Service) Publish(subject, reply string, m Maker) {
	if s.in.Load() == nil {
		return
	}
	s.lanes.Put(s.message(subject, reply, "", m))
}
