package system

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/service"
)

// servers are the others of the cluster, known by what they tell.
type servers struct {
	mu   sync.Mutex // a leaf
	byID map[string]*peer
}

// peer is another server.
type peer struct {
	seq   uint64 // of the last message
	heard time.Time
	conns map[string]int // connections there, by account of ours
}

// orphaned is how long a server may be silent before it is taken for gone, in
// intervals of its accounts' news.
const orphaned = 5

func (v *servers) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.byID)
}

// with returns how many servers have connections in an account.
func (v *servers) with(account string) (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.byID {
		if p.conns[account] > 0 {
			n++
		}
	}
	return n
}

// news is what hear makes of a message.
type news int

const (
	stale   news = iota // older than one before
	known               // of a server that is known
	unknown             // the first of its server
)

// hear notes a message of another server.
func (v *servers) hear(si *ServerInfo, now time.Time) news {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := v.byID[si.ID]
	if p == nil {
		if v.byID == nil {
			v.byID = make(map[string]*peer)
		}
		v.byID[si.ID] = &peer{seq: si.Seq, heard: now, conns: make(map[string]int)}
		return unknown
	}
	if si.Seq <= p.seq {
		return stale
	}
	p.seq, p.heard = si.Seq, now
	return known
}

// set notes how many connections a server has in an account, and returns how many
// there are on all servers.
func (v *servers) set(id, account string, n int) (total int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if p := v.byID[id]; p != nil {
		if n > 0 {
			p.conns[account] = n
		} else {
			delete(p.conns, account)
		}
	}
	return v.totalOf(account)
}

func (v *servers) totalOf(account string) (total int) {
	for _, p := range v.byID {
		total += p.conns[account]
	}
	return total
}

// forget drops a server and returns the accounts in which it had connections, with
// how many there are now on all others; nil if it is not known.
func (v *servers) forget(id string) map[string]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := v.byID[id]
	if p == nil {
		return nil
	}
	delete(v.byID, id)
	left := make(map[string]int, len(p.conns))
	for account := range p.conns {
		left[account] = v.totalOf(account)
	}
	return left
}

// silent lists the servers that have not been heard since.
func (v *servers) silent(since time.Time) (ids []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, p := range v.byID {
		if p.heard.Before(since) {
			ids = append(ids, id)
		}
	}
	return ids
}

// serverHandlers are for what other servers tell.
func (s *Service) serverHandlers() (list []service.Handler) {
	for subject, f := range map[string]Handler{
		"$SYS.SERVER.*.STATSZ":          s.heardStats,
		"$SYS.SERVER.*.SHUTDOWN":        s.heardEnd,
		"$SYS.SERVER.*.LAMEDUCK":        s.heardEnd,
		"$SYS.SERVER.ACCOUNT.*.CONNS":   s.heardConns,
		"$SYS._INBOX_." + s.broker.ID(): s.heardConns,
		s.broker.LatencySubject():       s.heardLatency,
	} {
		h := s.handler(News, subject, f)
		h.Scope = service.Elsewhere
		list = append(list, h)
	}
	return list
}

// heardStats notes that another server is there.
func (s *Service) heardStats(r *Request) {
	var m struct {
		Server ServerInfo `json:"server"`
	}
	if len(r.Body) == 0 {
		s.log.Debug("Received empty server info for remote server update")
		return
	}
	if err := json.Unmarshal(r.Body, &m); err != nil {
		s.log.Debug("Received bad server info for remote server update")
		return
	}
	s.heard(&m.Server)
}

// heard notes a message of another server and reports whether it counts. A new one is
// told of us, and asked for what bounds our accounts.
func (s *Service) heard(si *ServerInfo) bool {
	if si.ID == "" || si.ID == s.broker.ID() {
		return false
	}
	switch s.servers.hear(si, time.Now()) {
	case stale:
		s.log.Error(fmt.Sprintf("Received out of order remote server update from: %q", si.ID))
		return false
	case unknown:
		s.tellStats()
		s.introduce()
	}
	return true
}

// heardEnd notes that another server is gone, or about to go.
func (s *Service) heardEnd(r *Request) {
	var si ServerInfo
	if len(r.Body) == 0 {
		s.log.Error(fmt.Sprintf("Remote server sent invalid (empty) shutdown message to %q", r.Subject))
		return
	}
	if err := json.Unmarshal(r.Body, &si); err != nil {
		s.log.Debug("Received bad server info for remote server shutdown")
		return
	}
	s.gone(r.Token(2))
}

// gone forgets another server and what it had.
func (s *Service) gone(id string) {
	for account, n := range s.servers.forget(id) {
		if a := s.local(account); a != nil {
			a.SetRemoteConnections(n)
		}
	}
}

// sweep forgets servers that went away without a word.
func (s *Service) sweep(now time.Time) {
	for _, id := range s.servers.silent(now.Add(-orphaned * s.opts.Load().ConnsInterval)) {
		s.log.Debug(fmt.Sprintf("Detected orphan remote server: %q", id))
		s.gone(id)
	}
}

// heardLatency passes on what another server has measured of a request from here.
func (s *Service) heardLatency(r *Request) {
	if err := s.broker.MeasuredElsewhere(r.Body); err != nil {
		s.log.Warn(err.Error(), logging.Err(err))
	}
}
