package jetstream

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// Server is the JetStream of one server: make it by [New], begin by [Server.Start], end by [Server.Stop]. Its methods may
// be called from any goroutine.
type Server struct {
	broker *broker.Broker
	log    *logging.Logger
	opts   atomic.Pointer[Options]
	idKey  stream.Key // of message ids
	files  *files     // nil: no streams in files

	mu       sync.Mutex // before those of accounts
	accounts map[string]*account
	claims   map[string]Claim
	stopped  bool

	inherited *inheritance // from the process before; nil: nothing
	resumed   atomic.Bool  // clients are there
	resting   atomic.Bool  // nothing is delivered any more
	left      atomic.Bool  // the next process goes on
	over      atomic.Bool  // nothing is waited for any more that a log cannot do for now

	stored   [2]atomic.Int64 // bytes, by api.Storage
	reserved [2]atomic.Int64 // the same that streams have reserved

	requests, errors atomic.Uint64 // answered
	deliverers       deliverers
	watch            diskWatch
	progress         progress      // of Start
	refused          atomic.Uint64 // messages, of which nobody was told
	taken            atomic.Uint64 // bytes of messages, by streams in files
	counted          *vfs.Counted  // what is done to the disk; nil: nothing
	fs               vfs.FS        // that files are on
	atomicBatches    atomic.Int64  // that are open, of all streams
	fastBatches      atomic.Int64
	memory           *memoryBound // of Start
	ages             *ages
	work             sync.WaitGroup
}

// New makes the JetStream of a broker. It does nothing before it is started.
func New(b *broker.Broker, o Options, log *logging.Logger) *Server {
	s := &Server{broker: b, log: log, accounts: map[string]*account{}, fs: vfs.OS, watch: diskWatch{now: time.Now, after: stuckAfter, soon: make(chan struct{}, 1)}}
	o = o.withDefaults()
	s.opts.Store(&o)
	s.ages = newAges(s.clockJumped)
	var key [16]byte
	_, _ = rand.Read(key[:]) // it never fails
	s.idKey = stream.Key{binary.LittleEndian.Uint64(key[:]), binary.LittleEndian.Uint64(key[8:])}
	return s
}

func (s *Server) options() *Options { return s.opts.Load() }

// Start opens the storage, brings all streams to where they were, and answers requests in the accounts that there are. After an
// error [Server.Stop] is to be called.
func (s *Server) Start() (err error) {
	o := s.options()
	s.memory = newMemoryBound(o.Budget)
	if o.StoreDir != "" {
		s.counted = vfs.Count(s.fs)
		if s.files, err = openFiles(s.counted, o, s.log, &s.progress, s.memory); err != nil {
			return err
		}
		s.lookAtRoom()
		s.files.behind.Go(s.watchDisk)
	}
	return s.Update()
}

// Claim says what an account that came as a JWT may store. It is in effect after the next [Server.Update].
func (s *Server) Claim(account string, c Claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.claims == nil {
		s.claims = map[string]Claim{}
	}
	s.claims[account] = c
}

// Configure changes what may be changed while it runs: limits, strictness, accounts.
func (s *Server) Configure(o Options) error {
	o = o.withDefaults()
	was := s.options()
	o.StoreDir, o.SyncInterval, o.Domain = was.StoreDir, was.SyncInterval, was.Domain        // for these it is started again
	o.MaxMemory, o.MaxStore = max(o.MaxMemory, was.MaxMemory), max(o.MaxStore, was.MaxStore) // lower ones are refused before
	s.opts.Store(&o)
	if s.memory != nil {
		s.memory.SetLimit(o.Budget)
	}
	return s.Update()
}

// Update follows the accounts of the broker and the options: accounts that have come are served, those that are gone are left
// alone, and what they keep in files is theirs again when they come back.
func (s *Server) Update() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil
	}
	o := s.options()
	there := map[string]bool{}
	for _, b := range s.broker.Accounts() {
		there[b.Name()] = true
		l, enabled := o.Accounts[b.Name()]
		c, claimed := s.claims[b.Name()]
		if !claimed {
			c = Claim{Enabled: enabled, Limits: l}
		}
		a := s.accounts[b.Name()]
		if a != nil && a.broker == b {
			a.setLimits(c)
			continue
		}
		if a != nil {
			a.leave()
			delete(s.accounts, b.Name())
		}
		a, err := s.newAccount(b, c)
		if err != nil {
			return fmt.Errorf("account %q: %w", b.Name(), err)
		}
		s.accounts[b.Name()] = a
	}
	for name, a := range s.accounts {
		if !there[name] {
			a.leave()
			delete(s.accounts, name)
		}
	}
	return nil
}

// Farewell tells those who wait for messages that the server stops, so that they go elsewhere. It is for before their connections
// are closed; [Server.Stop] tells those who come later.
func (s *Server) Farewell() {
	s.each(func(a *account) {
		for _, st := range a.list() {
			st.consumers.farewell()
		}
	})
}

// Stop ends all streams: what they have accepted is committed and answered first.
func (s *Server) Stop() {
	s.over.Store(true)
	if s.files != nil {
		s.files.endWithoutRoom()
	}
	s.mu.Lock()
	s.stopped = true
	list := make([]*account, 0, len(s.accounts))
	for _, a := range s.accounts {
		list = append(list, a)
	}
	s.mu.Unlock()
	for _, a := range list {
		a.stop()
	}
	s.deliverers.stop()
	s.work.Wait()
	if s.files != nil {
		if err := s.files.close(); err != nil {
			s.log.Error("JetStream: " + err.Error())
		}
	}
	if s.memory != nil {
		s.memory.stop()
	}
}

// ending reports whether the server has been told to stop.
func (s *Server) ending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// panicked logs what a panic in one part said: the part rests, the server goes on.
func (s *Server) panicked(what string, p any) {
	s.log.Error(fmt.Sprintf("JetStream %s failed: %v\n%s", what, p, debug.Stack()))
}

// full reports whether more is stored than may be.
func (s *Server) full(k api.Storage) bool {
	o := s.options()
	return s.stored[k].Load() > [2]int64{o.MaxStore, o.MaxMemory}[k]
}

// room reports whether a reservation of n bytes fits.
func (s *Server) room(k api.Storage, n int64) bool {
	o := s.options()
	most := [2]int64{o.MaxStore, o.MaxMemory}[k]
	return n <= most-s.reserved[k].Load()
}

// lookup finds an account by name.
func (s *Server) lookup(name string) *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accounts[name]
}

// each calls fn for the accounts, by name.
func (s *Server) each(fn func(*account)) {
	s.mu.Lock()
	list := make([]*account, 0, len(s.accounts))
	for _, a := range s.accounts {
		list = append(list, a)
	}
	s.mu.Unlock()
	slices.SortFunc(list, func(a, b *account) int {
		if a.name() < b.name() {
			return -1
		}
		return 1
	})
	for _, a := range list {
		fn(a)
	}
}
