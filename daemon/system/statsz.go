package system

import "time"

// Stats are a server's figures, as it tells others of them. Memory is in bytes, CPU in
// per cent of one core.
type Stats struct {
	Start               time.Time     `json:"start"`
	Mem                 int64         `json:"mem"`
	Cores               int           `json:"cores"`
	CPU                 float64       `json:"cpu"`
	Connections         int           `json:"connections"`
	TotalConnections    uint64        `json:"total_connections"`
	ActiveAccounts      int           `json:"active_accounts"`
	Subscriptions       uint32        `json:"subscriptions"`
	Sent                Traffic       `json:"sent"`
	SentToClients       Traffic       `json:"sent_to_clients"`
	Received            Traffic       `json:"received"`
	ReceivedFromClients Traffic       `json:"received_from_clients"`
	SlowConsumers       int64         `json:"slow_consumers"`
	SlowConsumersOf     *KindCounts   `json:"slow_consumer_stats,omitempty"`
	StaleConnections    int64         `json:"stale_connections,omitempty"`
	StaleConnectionsOf  *KindCounts   `json:"stale_connection_stats,omitempty"`
	StalledClients      int64         `json:"stalled_clients,omitempty"`
	Routes              []*RouteStats `json:"routes,omitempty"`
	ActiveServers       int           `json:"active_servers,omitempty"` // this one and those it knows of
	JetStream           any           `json:"jetstream,omitempty"`
	MemLimit            int64         `json:"gomemlimit,omitempty"`
	MaxProcs            int           `json:"gomaxprocs,omitempty"`
}

// RouteStats are the figures of one connection to another server.
type RouteStats struct {
	ID       uint64  `json:"rid"`
	Name     string  `json:"name,omitempty"` // the other server's
	Sent     Traffic `json:"sent"`
	Received Traffic `json:"received"`
	Pending  int     `json:"pending"` // bytes waiting to be written
}

// KindCounts counts something by the kind of connection.
type KindCounts struct {
	Clients  uint64 `json:"clients"`
	Routes   uint64 `json:"routes"`
	Gateways uint64 `json:"gateways"`
	Leafs    uint64 `json:"leafs"`
}

// Traffic is an amount of messages and their bytes; for an account also those of its
// that crossed connections to other servers.
type Traffic struct {
	Amount
	Gateways *Amount `json:"gateways,omitempty"`
	Routes   *Amount `json:"routes,omitempty"`
	Leafs    *Amount `json:"leafs,omitempty"`
}

// Amount is a number of messages and their bytes.
type Amount struct {
	Msgs  int64 `json:"msgs"`
	Bytes int64 `json:"bytes"`
}

// statsMessage is what others are told.
type statsMessage struct {
	Server ServerInfo `json:"server"`
	Stats  *Stats     `json:"statsz"`
}

func (s *Service) stats() *Stats {
	st := &Stats{}
	if s.source.Stats != nil {
		s.source.Stats(st)
	}
	st.ActiveServers = s.servers.count() + 1
	return st
}

// statsz answers a ping. Without a reply subject it is a demand to tell everybody.
func (s *Service) statsz(r *Request) {
	meant, err := r.Meant()
	switch {
	case err != nil && r.Reply != "":
		r.Refuse(err)
	case err != nil || !meant:
	case r.Reply == "":
		s.tellStats()
	default:
		st := s.stats()
		r.Answer(func(si ServerInfo) any { return statsMessage{si, st} })
	}
}

// tellStats tells everybody who listens of the server's figures, as long as it stays.
func (s *Service) tellStats() {
	if s.leaving.Load() {
		return
	}
	subject := "$SYS.SERVER." + s.broker.ID() + ".STATSZ"
	if a := s.in.Load(); a == nil || !a.Interested(subject) {
		return
	}
	st := s.stats()
	s.Emit(subject, func(si ServerInfo) any { return statsMessage{si, st} })
}
