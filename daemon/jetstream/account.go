package jetstream

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/budget"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// account is what an account has of JetStream. One goroutine at a time answers its requests, and makes, changes and deletes
// its streams.
type account struct {
	srv    *Server
	broker *broker.Account
	queue  requests
	outlet batch.Outlet

	// changing is held by who makes, changes or deletes streams: the account's own goroutine, or that of the system account.
	// It comes before mu and the locks of streams.
	changing sync.Mutex

	carriage carriage

	mu      sync.RWMutex
	claim   Claim
	streams map[string]*Stream
	subs    []*broker.InternalSubscription

	stored           [2]atomic.Int64 // bytes, by api.Storage
	answered, failed atomic.Uint64
}

// newAccount begins to answer in an account. One that has no JetStream is told so.
func (s *Server) newAccount(b *broker.Account, c Claim) (*account, error) {
	a := &account{srv: s, broker: b, claim: c, streams: map[string]*Stream{}}
	a.queue.answer = a.answer
	a.outlet.Leads(a)
	if err := a.load(); err != nil {
		a.leave()
		return nil, err
	}
	a.inherit()
	patterns := []string{api.Prefix + ".>"}
	if d := s.options().Domain; d != "" {
		patterns = append(patterns, "$JS."+d+".API.>")
	}
	for _, p := range patterns {
		sub, err := b.Capture(p, a)
		if err != nil {
			return nil, err
		}
		a.subs = append(a.subs, sub)
	}
	for _, s := range a.list() {
		s.pursue()
	}
	return a, nil
}

func (a *account) name() string { return a.broker.Name() }

func (a *account) setLimits(c Claim) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.claim = c
}

// allowed returns the limits; ok is false where there is no JetStream.
func (a *account) allowed() (l api.AccountLimits, ok bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.claim.Tiers != nil {
		return a.claim.Tiers[tier], a.claim.Enabled
	}
	return a.claim.Limits, a.claim.Enabled
}

// tier is that of streams with one replica: others there are not.
const tier = "R1"

// tiers returns the limits by the number of replicas; none says that there are such, but none for one replica.
func (a *account) tiers() (tiers map[string]api.AccountLimits, none bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	_, ok := a.claim.Tiers[tier]
	return a.claim.Tiers, a.claim.Tiers != nil && !ok
}

// stop ends requests and streams.
func (a *account) stop() {
	release(a.subs)
	a.queue.stop()
	a.carriage.stop()
	for _, s := range a.list() {
		if !a.srv.left.Load() { // or else those who wait do so in the next process
			s.consumers.farewell()
		}
		s.consumers.close("")
		s.close()
	}
}

// leave is stop for an account that is gone while the server goes on: nothing of it counts any more, and what is kept in files is
// there for an account of its name that comes later.
func (a *account) leave() {
	a.stop()
	for _, s := range a.list() {
		c := s.config.Load()
		a.srv.reserved[c.Storage].Add(-max(c.MaxBytes, 0))
		s.discard()
		if s.kept == nil {
			_ = s.log.Destroy() // a log in memory is only emptied
		}
	}
}

// stream finds a stream; nil: there is none.
func (a *account) stream(name string) *Stream {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.streams[name]
}

// list returns the streams by name.
func (a *account) list() []*Stream {
	a.mu.RLock()
	defer a.mu.RUnlock()
	names := make([]string, 0, len(a.streams))
	for n := range a.streams {
		names = append(names, n)
	}
	slices.Sort(names)
	list := make([]*Stream, len(names))
	for i, n := range names {
		list[i] = a.streams[n]
	}
	return list
}

// surroundings are what the check of a configuration must know.
func (a *account) surroundings() *api.Surroundings {
	l, _ := a.allowed()
	return &api.Surroundings{
		MaxWindow: a.srv.options().MaxWindow, MaxBytesRequired: l.MaxBytesRequired,
		MaxStreamBytes: [2]int64{api.File: l.StoreMaxStreamBytes, api.Memory: l.MemoryMaxStreamBytes},
		Stream: func(name string) *api.StreamConfig {
			if s := a.stream(name); s != nil {
				return s.config.Load()
			}
			return nil
		},
	}
}

// used notes that more is stored, or less.
func (a *account) used(k api.Storage, n int64) {
	a.stored[k].Add(n)
	a.srv.stored[k].Add(n)
}

// room reports whether n more bytes may be stored.
func (a *account) room(k api.Storage, n uint64) bool {
	l, _ := a.allowed()
	most := [2]int64{l.MaxStore, l.MaxMemory}[k]
	return most < 0 || a.stored[k].Load()+int64(n) <= most
}

// reserved is what the streams but one reserve.
func (a *account) reserved(k api.Storage, but string) (n int64) {
	for _, s := range a.list() {
		if c := s.config.Load(); c.Storage == k && c.Name != but {
			n += max(c.MaxBytes, 0)
		}
	}
	return n
}

// fits checks what limits of account and server say of a stream: more is by how much its reservation grows, whole what it is then.
func (a *account) fits(c *api.StreamConfig, more, whole int64) *api.Error {
	if err := a.fitsConsumers(c); err != nil {
		return err
	}
	l, _ := a.allowed()
	full, most := api.NoStorage, l.MaxStore
	if c.Storage == api.Memory {
		full, most = api.NoMemory, l.MaxMemory
	}
	if most >= 0 && whole > most-a.reserved(c.Storage, c.Name) || !a.srv.room(c.Storage, more) || more > 0 && c.Storage == api.File && a.srv.crowded() {
		return full.Error()
	}
	return nil
}

// fitsConsumers checks what limits there are, and how many consumers a stream may have.
func (a *account) fitsConsumers(c *api.StreamConfig) *api.Error {
	l, _ := a.allowed()
	if _, none := a.tiers(); none {
		return api.NoLimits.Error()
	}
	if c.MaxConsumers > 0 && l.MaxConsumers > 0 && c.MaxConsumers > l.MaxConsumers {
		return api.TooManyConsumers.Error()
	}
	return nil
}

// count tells the account what the stream holds now. mu is held.
func (s *Stream) count() {
	if s.uncounted {
		return
	}
	st := s.log.State()
	if st.Bytes != s.counted[1] {
		s.acc.used(s.config.Load().Storage, int64(st.Bytes)-int64(s.counted[1]))
	}
	s.counted = [2]uint64{st.Msgs, st.Bytes}
	if s.kept == nil {
		s.memory.set(budget.Memory, int64(st.Bytes+st.Msgs*memorySlot))
	}
	s.memory.set(budget.IDs, s.machine.IDBytes())
	if s.appended > 0 && s.kept != nil {
		s.acc.srv.took(s.appended)
	}
	s.appended = 0
}
