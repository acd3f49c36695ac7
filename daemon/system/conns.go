package system

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// AccountStat are the figures of an account on one server.
type AccountStat struct {
	Account       string  `json:"acc"`
	Name          string  `json:"name"`
	Conns         int     `json:"conns"`
	Leafs         int     `json:"leafnodes"`
	TotalConns    int     `json:"total_conns"`
	Subscriptions uint32  `json:"num_subscriptions"`
	Sent          Traffic `json:"sent"`
	Received      Traffic `json:"received"`
	SlowConsumers int64   `json:"slow_consumers"`
}

// accountConns is the event that an account's connections have changed, or are still
// there.
type accountConns struct {
	Event
	Server ServerInfo `json:"server"`
	AccountStat
}

const accountConnsSchema = "io.nats.server.advisory.v1.account_connections"

func (s *Service) accountStat(a *broker.Account) AccountStat {
	st := a.Stats()
	none := func() *Amount { return &Amount{} }
	return AccountStat{
		Account: st.Name, Name: s.nameOf(st.Name), Conns: st.Connections, TotalConns: st.Connections,
		Subscriptions: uint32(st.Subscriptions), SlowConsumers: st.SlowConsumers,
		Sent:     Traffic{Amount{st.OutMsgs, st.OutBytes}, none(), none(), none()},
		Received: Traffic{Amount{st.InMsgs, st.InBytes}, none(), none(), none()},
	}
}

// connsRequest asks other servers for their connections in an account.
type connsRequest struct {
	Server  *ServerInfo `json:"server,omitempty"`
	Account string      `json:"acc"`
}

// conns answers with the connections of an account, if it has any here. There is no
// envelope.
func (s *Service) conns(r *Request) {
	name := r.Token(3)
	m := connsRequest{Account: name}
	if err := r.Decode(&m); err != nil {
		s.log.Error(fmt.Sprintf("SYSTEM - Error unmarshalling account connections request message: %v", err), logging.Err(err))
		return
	}
	if m.Account != name {
		s.log.Error("SYSTEM - Error unmarshalled account does not match subject")
		return
	}
	if a := s.local(name); a != nil && a.Clients() > 0 {
		r.Answer(s.connsOf(a))
	}
}

// connsOf makes the event for an account.
func (s *Service) connsOf(a *broker.Account) Maker {
	e := accountConns{Event: s.newEvent(accountConnsSchema), AccountStat: s.accountStat(a)}
	return func(si ServerInfo) any { e.Server = si; return e }
}

// tellConns tells of an account's connections, under the subject of today and that of
// the past, if anybody listens.
func (s *Service) tellConns(a *broker.Account) {
	in := s.in.Load()
	var event Maker
	for _, subject := range [...]string{"$SYS.SERVER.ACCOUNT." + a.Name() + ".CONNS", "$SYS.ACCOUNT." + a.Name() + ".SERVER.CONNS"} {
		if !in.Interested(subject) {
			continue
		}
		if event == nil {
			event = s.connsOf(a)
		}
		s.Emit(subject, event)
	}
}

// heardConns notes what another server tells of an account.
func (s *Service) heardConns(r *Request) {
	var m struct {
		Server  ServerInfo `json:"server"`
		Account string     `json:"acc"`
		Conns   int        `json:"conns"`
	}
	if len(r.Body) == 0 {
		s.log.Error("SYSTEM - No message body provided")
		return
	}
	if err := json.Unmarshal(r.Body, &m); err != nil {
		s.log.Error(fmt.Sprintf("SYSTEM - Error unmarshalling account connection event message: %v", err), logging.Err(err))
		return
	}
	a := s.local(m.Account)
	if a == nil || !s.heard(&m.Server) {
		return
	}
	a.SetRemoteConnections(s.servers.set(m.Server.ID, m.Account, max(m.Conns, 0)))
}

// introduce tells a server that has come what there is here, and asks it about the
// accounts whose connections are limited: of those it must be known at once.
func (s *Service) introduce() {
	for _, a := range s.broker.Accounts() {
		if a.Clients() > 0 && a != s.broker.Global() {
			s.changed(a)
		}
		if a.Limits().Connections > 0 {
			name := a.Name()
			s.lanes.Offer(s.message("$SYS.REQ.ACCOUNT."+name+".CONNS", "$SYS._INBOX_."+s.broker.ID(), "",
				func(si ServerInfo) any { return connsRequest{&si, name} }))
		}
	}
}

// The connections of an account are told of at once when they change, and then not
// again for a while, so that a storm of connections makes few events.
const connsPause = 100 * time.Millisecond

// changed notes that an account's connections have changed. It is quick.
func (s *Service) changed(a *broker.Account) {
	s.dirtyMu.Lock()
	if s.dirty == nil {
		s.dirty = make(map[*broker.Account]struct{})
	}
	s.dirty[a] = struct{}{}
	s.dirtyMu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// takeChanged returns the accounts that changed since the last call.
func (s *Service) takeChanged() map[*broker.Account]struct{} {
	s.dirtyMu.Lock()
	defer s.dirtyMu.Unlock()
	list := s.dirty
	s.dirty = nil
	return list
}

// tellAllConns tells of every account that has connections.
func (s *Service) tellAllConns() {
	for _, a := range s.broker.Accounts() {
		if a != s.broker.Global() && a.Clients() > 0 {
			s.tellConns(a)
		}
	}
}
