package cluster

import (
	"cmp"
	"net"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Stats are the figures of one connection to a peer.
type Stats struct {
	RID                  uint64
	RemoteID, RemoteName string
	Solicited            bool // we dialled
	Configured           bool // its URL is among ours
	Addr                 net.Addr
	Start, LastActivity  time.Time
	RTT                  time.Duration // 0: not measured yet
	Pending              int64         // bytes waiting to be sent
	InMsgs, InBytes      int64
	OutMsgs, OutBytes    int64
	Subscriptions        int // what the peer wants
	Wanted               []Wanted
	Account              string // the one account it serves; empty for others
	Cluster              string
	Compression          string // of what is sent, as INFO names it
	Import, Export       *Rules // the peer's, nil for none
}

// Wanted is one subject that a peer wants.
type Wanted struct {
	Account, Subject, Queue string
	Weight                  int
}

// Stats lists the connections by their id; with what the peers want, if asked to.
func (h *Hub) Stats(wanted bool) []Stats {
	h.mu.Lock()
	routes := h.registeredLocked()
	list := make([]Stats, len(routes))
	for i, r := range routes {
		list[i] = Stats{
			RID: r.rid, RemoteID: r.peer.id, RemoteName: r.peer.name, Solicited: r.solicited, Configured: r.explicit,
			Addr: r.remote, Start: r.start, Account: r.account, Cluster: h.naming.name,
		}
	}
	h.mu.Unlock()
	for i, r := range routes {
		r.describe(&list[i], wanted)
	}
	slices.SortFunc(list, func(a, b Stats) int { return cmp.Compare(a.RID, b.RID) })
	return list
}

func (r *Route) describe(s *Stats, wanted bool) {
	out := r.Out.Stats()
	s.Pending, s.OutMsgs, s.OutBytes = out.Pending, int64(out.Msgs), int64(out.Bytes)
	s.InMsgs, s.InBytes = r.inMsgs.Load(), r.inBytes.Load()
	s.LastActivity = time.Unix(0, r.heard.Load())
	r.mu.Lock()
	defer r.mu.Unlock()
	s.RTT, s.Subscriptions, s.Compression = r.rtt, len(r.wanted), r.packed
	s.Import, s.Export = r.theirImport, r.theirExport
	if wanted {
		for k, e := range r.wanted {
			weight := e.members.All
			if k.queue == "" {
				weight = 0
			}
			s.Wanted = append(s.Wanted, Wanted{k.account, k.subject, k.queue, weight})
		}
	}
}

// Traffic adds up the messages of all routes, also of those that are gone.
func (h *Hub) Traffic() (t broker.Traffic) {
	h.mu.Lock()
	routes := h.registeredLocked()
	t = h.gone
	h.mu.Unlock()
	for _, r := range routes {
		r.count(&t)
	}
	return t
}

func (r *Route) count(t *broker.Traffic) {
	out := r.Out.Stats()
	t.InMsgs += r.inMsgs.Load()
	t.InBytes += r.inBytes.Load()
	t.OutMsgs += int64(out.Msgs)
	t.OutBytes += int64(out.Bytes)
}

// TLS is what routes are encrypted with; nil when they are not.
func (h *Hub) TLS() *transport.TLS { return h.opts.Load().TLS }

// Port is where peers connect.
func (h *Hub) Port() int { return h.opts.Load().Port }

// Peers returns how many servers there are routes to, and how many connections.
func (h *Hub) Peers() (servers, connections int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.peers {
		servers++
		connections += p.count() + len(p.accounts)
	}
	return servers, connections
}

// Permissions are the rules for interest that go to peers and that come from them; nil
// for none.
func (h *Hub) Permissions() (imports, exports *Rules) {
	o := h.opts.Load()
	return o.Import, o.Export
}
