package service

import (
	"sync"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Options are those of a service.
type Options struct {
	Name  string // for the log
	Lanes []Lane // at least one; handlers name them by their place

	Events  int // how many events may wait to be sent; 0: 1024
	Answers int // the same of answers, for which who makes them waits; 0: 8

	Failed func(*Request)         // answers a request whose handler has panicked; nil: nobody does
	Home   func() *broker.Account // where messages without an account go; nil for services that have none
}

// Service answers requests in accounts. Make one by [New], register handlers by
// [Service.In], start it by [Service.Start]; end it by [Service.Quiesce] and
// [Service.Stop]. Its methods may be called from any goroutine.
type Service struct {
	opts  Options
	log   *logging.Logger
	lanes []*lane
	out   *outbox

	stopping chan struct{} // closed by Quiesce: nobody waits any more
	silent   chan struct{} // closed by Stop: nothing is queued any more
	work     sync.WaitGroup
	sender   sync.WaitGroup
	once     sync.Once
	end      sync.Once
}

// New makes a service. Requests wait in its lanes until it is started.
func New(o Options, log *logging.Logger) *Service {
	if o.Events <= 0 {
		o.Events = 1024
	}
	if o.Answers <= 0 {
		o.Answers = 8
	}
	if o.Home == nil {
		o.Home = func() *broker.Account { return nil }
	}
	s := &Service{opts: o, log: log, stopping: make(chan struct{}), silent: make(chan struct{})}
	for _, l := range o.Lanes {
		s.lanes = append(s.lanes, newLane(l, s))
	}
	s.out = &outbox{service: s, events: make(chan Message, o.Events), answers: make(chan Message, o.Answers)}
	return s
}

// Start begins to handle and to send.
func (s *Service) Start() {
	for _, l := range s.lanes {
		for range l.Workers {
			s.work.Go(func() { l.work(s.stopping) }) // ends with Quiesce
		}
	}
	s.sender.Go(func() { s.out.run(s.silent) }) // ends with Stop
}

// Quiesce ends the handling of requests, and waits for those that are being handled. What
// is queued in lanes is dropped; what is sent from then on is still sent, unless it has to
// wait.
func (s *Service) Quiesce() {
	s.once.Do(func() { close(s.stopping) })
	s.work.Wait()
}

// Stop sends what is queued and ends the service.
func (s *Service) Stop() {
	s.Quiesce()
	s.end.Do(func() { close(s.silent) })
	s.sender.Wait()
}

// Stopping is closed when the service begins to end.
func (s *Service) Stopping() <-chan struct{} { return s.stopping }

// Offer queues an event. It never blocks: an event for which there is no room is dropped,
// and false returned.
func (s *Service) Offer(m Message) bool {
	select {
	case s.out.events <- m:
		return true
	default:
		s.out.dropped.Add(1)
		return false
	}
}

// Put queues an answer, or anything else that must not be dropped. It waits for room
// until the service ends, and reports whether there was.
func (s *Service) Put(m Message) bool {
	select {
	case s.out.answers <- m:
		return true
	default:
	}
	select {
	case s.out.answers <- m:
		return true
	case <-s.stopping:
		return false
	}
}

// Depth returns how many requests wait in a lane.
func (s *Service) Depth(lane int) int { return len(s.lanes[lane].jobs) }

// Dropped returns how many requests a lane has dropped since that was logged last.
func (s *Service) Dropped(lane int) uint64 { return s.lanes[lane].dropped.Load() }

// DroppedEvents returns how many events were dropped since that was logged last.
func (s *Service) DroppedEvents() uint64 { return s.out.dropped.Load() }

// Unsent returns how many messages wait to be sent.
func (s *Service) Unsent() int { return len(s.out.events) + len(s.out.answers) }
