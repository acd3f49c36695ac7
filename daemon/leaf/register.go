package leaf

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/nats-broker/nats-broker/daemon/broker"
)

// register notes a connection that serves an account from now on. One of the same leaf node, which must have lost it, ends.
func (s *Server) register(l *Link) error {
	var old *Link
	limit := l.acc.LeafLimit()
	s.mu.Lock()
	switch {
	case s.stopped || s.lameDuck:
		s.mu.Unlock()
		return &refusal{reason: reasonShutdown}
	case l.retired != nil:
		s.mu.Unlock()
		return l.retired
	}
	if l.dialer == nil && l.name != "" {
		for o := range s.links {
			if o.registered && o.dialer == nil && o.name == l.name && o.cluster == l.cluster && o.acc == l.acc &&
				l.remoteAccount != "" && o.remoteAccount == l.remoteAccount {
				old = o
				break
			}
		}
	}
	others := 0
	for o := range s.links {
		if o.registered && o.acc == l.acc && o != old {
			others++
		}
	}
	if others >= limit {
		s.mu.Unlock()
		return errAccountFull
	}
	l.registered = true
	s.mu.Unlock()
	if old != nil {
		old.Abort(&refusal{reason: duplicate, tell: duplicate, log: duplicate})
		s.log.Warn(l.label + " - Replacing connection from same server")
	}
	return nil
}

// errAccountFull refuses a connection beyond the limit of its account.
var errAccountFull = &refusal{
	reason: broker.MaxAccountConnectionsExceeded.String(), tell: "maximum account active connections exceeded",
	log: "maximum account active connections exceeded",
}

// trim ends the connections beyond the limits of their accounts, the latest first.
func (s *Server) trim() {
	links := s.registered()
	slices.SortFunc(links, func(a, b *Link) int { return cmp.Compare(a.id, b.id) })
	n := make(map[*broker.Account]int)
	for _, l := range links {
		if n[l.acc]++; n[l.acc] > l.acc.LeafLimit() {
			l.Abort(errAccountFull)
		}
	}
}

var duplicate = broker.DuplicateRemoteLeafnodeConnection.String()

// unregister takes a connection out of the books and reports whether it served an account.
func (s *Server) unregister(l *Link) (was bool) {
	s.mu.Lock()
	delete(s.links, l)
	was = l.registered
	i := l.interest
	l.registered, l.interest = false, nil
	if was {
		l.count(&s.gone)
		if s.goneOf[l.acc.Name()] == nil {
			s.goneOf[l.acc.Name()] = new(broker.Traffic)
		}
		l.count(s.goneOf[l.acc.Name()])
	}
	s.mu.Unlock()
	if i != nil {
		s.detach(l, i)
	}
	return was
}

// circle is the end of a connection that closes a circle of servers.
func circle(account string) error {
	text := fmt.Sprintf("Loop detected for leafnode account=%q. Delaying attempt to reconnect for %v", account, circlePause)
	return &refusal{reason: "Protocol Violation", tell: text, log: text, delay: circlePause}
}

// about describes the peer for services that are told who asks.
func (l *Link) about(user string) *broker.ClientInfo {
	start := l.start
	i := &broker.ClientInfo{Start: &start, ID: l.id, Account: l.acc.Name(), Name: l.name, User: user, Kind: "Leafnode"}
	i.Host = hostOf(l.remote)
	return i
}
