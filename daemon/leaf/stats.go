package leaf

import (
	"cmp"
	"net"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Stats are the figures of one connection.
type Stats struct {
	ID                uint64
	Name              string // the peer's
	Account           string // here
	Spoke             bool   // this side is the leaf node
	Isolated          bool
	Solicited         bool // we dialled
	Addr              net.Addr
	Start             time.Time
	RTT               time.Duration // 0: not measured yet
	InMsgs, InBytes   int64
	OutMsgs, OutBytes int64
	Subscriptions     int // what the peer wants
	Wanted            []string
	Compression       string
}

// Stats lists the connections that serve an account, by their id; with what the peers want, if asked to.
func (s *Server) Stats(wanted bool) []Stats {
	links := s.registered()
	list := make([]Stats, len(links))
	for i, l := range links {
		st := &list[i]
		*st = Stats{
			ID: l.id, Name: l.name, Account: l.acc.Name(), Spoke: l.toHub, Isolated: l.isolated, Solicited: l.dialer != nil,
			Addr: l.remote, Start: l.start,
		}
		l.figures(st)
		l.mu.Lock()
		st.RTT, st.Subscriptions, st.Compression = l.rtt, len(l.wanted), l.packed
		if wanted {
			for w := range l.wanted {
				st.Wanted = append(st.Wanted, w.subject)
			}
		}
		l.mu.Unlock()
		slices.Sort(st.Wanted)
	}
	slices.SortFunc(list, func(a, b Stats) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

func (l *Link) figures(s *Stats) {
	out := l.Out.Stats()
	s.OutMsgs, s.OutBytes = int64(out.Msgs), int64(out.Bytes)
	s.InMsgs, s.InBytes = l.inMsgs.Load(), l.inBytes.Load()
}

// Traffic adds up the messages of all connections, also of those that are gone.
func (s *Server) Traffic() (t broker.Traffic) {
	s.mu.Lock()
	links := s.all()
	t = s.gone
	s.mu.Unlock()
	for _, l := range links {
		l.count(&t)
	}
	return t
}

// TrafficOf is [Server.Traffic] of one account.
func (s *Server) TrafficOf(account string) (t broker.Traffic) {
	s.mu.Lock()
	if old := s.goneOf[account]; old != nil {
		t = *old
	}
	s.mu.Unlock()
	for _, l := range s.registered() {
		if l.acc.Name() == account {
			l.count(&t)
		}
	}
	return t
}

func (l *Link) count(t *broker.Traffic) {
	out := l.Out.Stats()
	t.InMsgs += l.inMsgs.Load()
	t.InBytes += l.inBytes.Load()
	t.OutMsgs += int64(out.Msgs)
	t.OutBytes += int64(out.Bytes)
}

// Links counts the connections that serve an account; those of one account, unless the name is empty.
func (s *Server) Links(account string) (n int) {
	for _, l := range s.registered() {
		if account == "" || l.acc.Name() == account {
			n++
		}
	}
	return n
}

// Slow and Stale count the peers that did not take in what waited for them in time, and those that said nothing
// any more.
func (s *Server) Slow() int64 { return s.slow.Load() }

// Stale is described at [Server.Slow].
func (s *Server) Stale() int64 { return s.stale.Load() }

// Port is where leaf nodes connect.
func (s *Server) Port() int { return s.opts.Load().Port }

// TLS is what is presented to leaf nodes, and to each remote that has TLS of its own.
func (s *Server) TLS() (listener *transport.TLS, remotes []*transport.TLS) {
	o := s.opts.Load()
	for i := range o.Remotes {
		if t := o.Remotes[i].TLS; t != nil {
			remotes = append(remotes, t)
		}
	}
	return o.TLS, remotes
}

func (l *Link) isServing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.finished && !l.ended
}
