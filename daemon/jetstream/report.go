package jetstream

import (
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/budget"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/store"
)

// What follows is for those who watch: figures that are counted anyway, read when somebody asks.

// Usage is what the server, or an account, uses of JetStream.
type Usage struct {
	Memory, Store                 uint64 // bytes that are stored
	ReservedMemory, ReservedStore uint64 // bytes that streams have reserved
	Requests, Errors              uint64 // that were answered, and of these those with an error
	Waiting                       uint64 // requests that wait or are being answered
	Accounts                      int    // that have JetStream; of an account 0
}

// Usage returns what all accounts use.
func (s *Server) Usage() Usage {
	u := usage(&s.stored)
	u.ReservedMemory, u.ReservedStore = natural(s.reserved[api.Memory].Load()), natural(s.reserved[api.File].Load())
	u.Requests, u.Errors = s.requests.Load(), s.errors.Load()
	s.each(func(a *account) {
		u.Waiting += a.queue.length()
		if _, enabled := a.allowed(); enabled {
			u.Accounts++
		}
	})
	return u
}

func usage(stored *[2]atomic.Int64) Usage {
	return Usage{Memory: natural(stored[api.Memory].Load()), Store: natural(stored[api.File].Load())}
}

// natural is a number of which parts may be counted before others.
func natural(n int64) uint64 { return uint64(max(n, 0)) }

// length is how many requests wait or are being answered.
func (q *requests) length() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := uint64(len(q.list))
	if q.busy {
		n++
	}
	return n
}

// Options returns what the server is configured by, with defaults filled in. What it refers to is not changed.
func (s *Server) Options() Options { return *s.options() }

// Folder is where streams in files are; empty: nowhere.
func (s *Server) Folder() string {
	if o := s.options(); o.StoreDir != "" {
		return filepath.Join(o.StoreDir, store.Folder)
	}
	return ""
}

// AccountReport says what an account has of JetStream.
type AccountReport struct {
	Name string
	Usage
	Limits  api.AccountLimits // 0, all of them, where there are tiers
	Tiered  bool
	Streams []*Stream // by name
}

// Accounts reports on the accounts that have JetStream, by name.
func (s *Server) Accounts() (list []AccountReport) {
	s.each(func(a *account) {
		limits, enabled := a.allowed()
		if !enabled {
			return
		}
		r := AccountReport{Name: a.name(), Usage: usage(&a.stored), Limits: limits, Streams: a.list()}
		if tiers, _ := a.tiers(); tiers != nil {
			r.Limits, r.Tiered = api.AccountLimits{}, true
		}
		r.ReservedMemory, r.ReservedStore = uint64(a.reserved(api.Memory, "")), uint64(a.reserved(api.File, ""))
		r.Requests, r.Errors, r.Waiting = a.answered.Load(), a.failed.Load(), a.queue.length()
		list = append(list, r)
	})
	return list
}

// Enabled reports whether an account has JetStream.
func (s *Server) Enabled(account string) bool {
	a := s.lookup(account)
	if a == nil {
		return false
	}
	_, enabled := a.allowed()
	return enabled
}

// Report is the stream as it is, with the configuration as it is stored, which is not to be changed.
func (s *Stream) Report() *api.StreamInfo {
	i := s.info(false)
	i.Config = s.config.Load()
	return i
}

// Figures are what can be said of a stream without waiting for a disk.
type Figures struct {
	Msgs, Bytes           uint64
	First, Last           uint64
	FirstTime             time.Time // zero: there is none
	Subjects, Consumers   int
	Lost                  uint64 // messages that were stored and cannot be read any more
	Resting               int    // consumers that wait for a message that cannot be read for now
	Waiting               uint64 // messages that are taken and not committed
	Refused               uint64 // messages that were not stored and had no reply subject, since the start
	Storage               api.Storage
	MaxBytes, MaxMessages int64 // -1: no limit
	Failed                error // nothing is taken any more
}

// Figures returns them. They may be of a moment within a change.
func (s *Stream) Figures() Figures {
	st, c := s.log.State(), s.config.Load()
	f := Figures{
		Msgs: st.Msgs, Bytes: st.Bytes, First: st.First, Last: st.Last, FirstTime: utc(st.FirstTime), Subjects: st.Subjects,
		Consumers: s.consumers.count(), Refused: s.refused.Load(), Storage: c.Storage, MaxBytes: c.MaxBytes, MaxMessages: c.MaxMsgs,
		Failed: s.Failure(), Waiting: natural(s.buffered.Load()), Resting: int(s.consumers.resting.Load()),
	}
	if s.kept != nil {
		f.Lost = s.kept.lost
	}
	for _, r := range s.log.Lost() {
		f.Lost += r.To - r.From + 1
	}
	return f
}

// Failure is why the stream takes nothing any more; nil: it does.
func (s *Stream) Failure() error {
	if p := s.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Delay is why what is committed cannot be applied for now; nil: it can.
func (s *Stream) Delay() error {
	if p := s.waits.Load(); p != nil && s.failure.Load() == nil {
		return *p
	}
	return nil
}

// HasConsumer reports whether there is a consumer of a name.
func (s *Stream) HasConsumer(name string) bool { return s.consumers.get(name) != nil }

// EachConsumer calls f for the consumers, by name, with their configuration as it is stored, which is not to be changed. unacked is
// how long the consumer has waited for the acknowledgement of its oldest delivery; 0: it waits for none.
func (s *Stream) EachConsumer(f func(i *api.ConsumerInfo, unacked time.Duration)) {
	for _, c := range s.consumers.all() {
		i, unacked := c.report()
		i.Config = c.config.Load()
		f(i, unacked)
	}
}

func (c *Consumer) report() (*api.ConsumerInfo, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.infoLocked()
	seq, at, ok := c.m.Oldest()
	if !ok {
		c.oldest = oldest{}
		return i, 0
	}
	if seq != c.oldest.seq { // a delivery again does not make it younger
		c.oldest = oldest{seq, at}
	}
	return i, max(time.Duration(c.s.now()-c.oldest.since), 1)
}

// oldest is the delivery that was the oldest without an acknowledgement when somebody looked last, and since when.
type oldest struct {
	seq   uint64
	since int64
}

// Refused is how many messages were not stored and had no reply subject, in all streams since the start.
func (s *Server) Refused() uint64 { return s.refused.Load() }

// Memory returns how many bytes the store keeps in memory, by what they are for, and how many it may; 0: any number.
func (s *Server) Memory() (used map[string]uint64, limit uint64) {
	used = map[string]uint64{}
	if s.memory == nil { // it has not started
		return used, 0
	}
	for k := range budget.Kinds {
		used[k.String()] = natural(s.memory.Used(k))
	}
	return used, natural(s.memory.Limit())
}
