package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// Hub is this server's place in a cluster. Make one by [New], give it a listener and
// have it dial by [Hub.Start], end it by [Hub.Stop].
type Hub struct {
	broker *broker.Broker
	log    *logging.Logger
	opts   atomic.Pointer[Options]

	lastRID  atomic.Uint64
	slow     atomic.Int64
	stale    atomic.Int64
	epoch    atomic.Uint64 // counts changes of the broker's accounts
	wake     chan struct{} // there is something for the teller
	stopping chan struct{}
	ctx      context.Context // ends with the hub
	cancel   context.CancelFunc
	work     sync.WaitGroup // everything that runs

	syncMu sync.Mutex // lets one Sync do its work at a time
	moveMu sync.Mutex // the same for move
	urlsMu sync.Mutex // the same for tellClients

	toldOthers bool // clients were told of other servers; tellClients'

	mu        sync.Mutex
	listeners []net.Listener
	naming    naming
	peers     map[string]*server // by server id
	routes    map[*Route]struct{}
	interests map[string]*interest // by account
	dialing   map[string]*target   // keys of dials under way, with what was asked for meanwhile
	pinned    pinned
	taken     map[string]time.Time // addresses that have led to servers that are connected, likewise
	self      map[string]time.Time // addresses that led here, and until when that is remembered
	gone      broker.Traffic       // of routes that ended
	lameDuck  bool
	stopped   bool
}

// New makes a hub for a broker. Nothing is listened on or dialled yet.
func New(b *broker.Broker, o Options, log *logging.Logger) (*Hub, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	h := &Hub{
		broker: b, log: log,
		wake: make(chan struct{}, 1), stopping: make(chan struct{}),
		peers: make(map[string]*server), routes: make(map[*Route]struct{}), interests: make(map[string]*interest),
		dialing: make(map[string]*target), self: make(map[string]time.Time), taken: make(map[string]time.Time),
		naming: naming{name: o.Name, dynamic: o.Name == ""},
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	if h.naming.dynamic {
		h.naming.name = madeUpName()
	}
	h.pinned.ours = h.pinnedBy(&o)
	h.opts.Store(&o)
	return h, nil
}

// Name returns the cluster's name and whether it was made up.
func (h *Hub) Name() (name string, dynamic bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.naming.name, h.naming.dynamic
}

// Start serves peers on listeners that are open, which the hub owns from now on, and
// dials the configured ones. clients are the addresses at which clients find us.
func (h *Hub) Start(clients []string, listeners ...net.Listener) {
	h.mu.Lock()
	h.listeners = listeners
	h.mu.Unlock()
	o := *h.opts.Load()
	o.ClientURLs = clients
	if o.Port <= 0 && len(listeners) > 0 {
		if tcp, ok := listeners[0].Addr().(*net.TCPAddr); ok {
			o.Port = tcp.Port
		}
	}
	h.opts.Store(&o)
	h.Sync()
	h.tellClients()
	h.work.Go(h.teller)
	for _, l := range listeners {
		h.work.Go(func() { h.accept(l) }) // ends when l is closed
	}
	for _, u := range h.opts.Load().Routes {
		h.dial(target{url: u, explicit: true})
	}
}

// Stop closes all routes and waits for everything to end.
func (h *Hub) Stop() {
	h.mu.Lock()
	if h.stopped {
		h.mu.Unlock()
		h.work.Wait()
		return
	}
	h.stopped = true
	close(h.stopping)
	listeners, interests := h.listeners, make([]*interest, 0, len(h.interests))
	routes := make([]*Route, 0, len(h.routes))
	for r := range h.routes {
		routes = append(routes, r)
	}
	for _, i := range h.interests {
		interests = append(interests, i)
	}
	h.mu.Unlock()
	h.cancel()
	for _, l := range listeners {
		_ = l.Close()
	}
	for _, i := range interests {
		i.unwatch()
	}
	for _, r := range routes {
		r.Abort(&refusal{reason: "Server Shutdown"})
	}
	h.work.Wait()
}

// Pauses after a failure to accept.
const (
	minAcceptPause = 10 * time.Millisecond
	maxAcceptPause = time.Second
)

// accept accepts until the listener is closed.
func (h *Hub) accept(l net.Listener) {
	pause := minAcceptPause
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = minAcceptPause
			h.work.Go(func() { h.serve(nc, target{}) }) // ends with the connection
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		h.log.Error(fmt.Sprintf("Route Accept Error: %v", err), logging.Err(err))
		if !h.sleep(pause) {
			return
		}
		pause = min(pause*2, maxAcceptPause)
	}
}

// sleep waits and reports whether the hub goes on.
func (h *Hub) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-h.stopping:
		return false
	}
}

// registered lists the routes in use.
func (h *Hub) registered() []*Route {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.registeredLocked()
}

func (h *Hub) registeredLocked() []*Route {
	list := make([]*Route, 0, len(h.routes))
	for r := range h.routes {
		if r.registered {
			list = append(list, r)
		}
	}
	return list
}

// ownInfo is what we tell a peer about ourselves on a connection.
func (h *Hub) ownInfo(r *Route) *info {
	o := h.opts.Load()
	i := &info{
		ServerInfo: proto.ServerInfo{
			ServerID: h.broker.ID(), ServerName: o.ServerName, Version: o.Version, Proto: routeProto,
			GitCommit: o.GitCommit, Go: o.GoVersion, Host: o.Host, Port: o.Port, Headers: o.Headers,
			AuthRequired: o.User != "", MaxPayload: o.MaxPayload, TLSRequired: o.TLS != nil, TLSVerify: o.TLS != nil,
		},
		LNOC: true, LNOCU: true, LN: true, LeafURLs: o.LeafURLs,
		PoolSize: h.pool(), SmallerPool: true, Entries: true, Import: o.Import, Export: o.Export,
	}
	if i.ServerName == "" {
		i.ServerName = i.ServerID
	}
	if o.Advertise != "" {
		i.Host, i.Port = splitAdvertised(o.Advertise, o.Port)
		i.IP = "nats-route://" + net.JoinHostPort(i.Host, strconv.Itoa(i.Port)) + "/"
	}
	if !o.NoAdvertise {
		i.ConnectURLs, i.WSConnectURLs = o.ClientURLs, o.WebURLs
	}
	if r != nil {
		i.PoolIdx, i.Account, i.Gossip = r.idx, r.account, r.gossip
	}
	h.mu.Lock()
	i.Cluster, i.Dynamic = h.naming.name, h.naming.dynamic
	i.LameDuck = h.lameDuck
	h.mu.Unlock()
	return i
}

func splitAdvertised(a string, port int) (string, int) {
	host, text, err := net.SplitHostPort(a)
	if err != nil {
		return a, port
	}
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		port = n
	}
	return host, port
}

// rename takes on the name of a peer; routes to others, who know us by the old name,
// begin anew.
func (h *Hub) rename(n naming, peerID string) {
	h.mu.Lock()
	h.naming = n
	var others []*Route
	for r := range h.routes {
		if r.registered && r.peer.id != peerID {
			others = append(others, r)
		}
	}
	h.mu.Unlock()
	for _, r := range others {
		r.Abort(&refusal{reason: "Cluster Name Conflict"})
	}
	h.log.Info("Cluster name updated to " + n.name)
	if f := h.opts.Load().Renamed; f != nil {
		f(n.name)
	}
}

// tellClients has the broker tell clients where the servers of the cluster are.
func (h *Hub) tellClients() {
	h.urlsMu.Lock()
	defer h.urlsMu.Unlock()
	o := h.opts.Load()
	h.tellLeafNodes(o)
	if o.NoAdvertise {
		h.broker.SetConnectURLs(nil, nil)
		h.broker.SetWebURLs(nil, nil)
		return
	}
	var others, webs []string
	h.mu.Lock()
	if h.stopped { // routes end because this server does: clients are to go to the others
		h.mu.Unlock()
		return
	}
	for _, p := range h.peers {
		if !p.lameDuck {
			others = append(others, p.info.ConnectURLs...)
			webs = append(webs, p.info.WSConnectURLs...)
		}
	}
	h.mu.Unlock()
	webs = distinct(webs)
	others = distinct(others)
	if h.toldOthers = h.toldOthers || len(others) > 0 || len(webs) > 0; !h.toldOthers { // as nats-server: alone, there is nothing to tell
		h.broker.SetConnectURLs(nil, nil)
		h.broker.SetWebURLs(nil, nil)
		return
	}
	h.broker.SetConnectURLs(withOwn(o.ClientURLs, others), others)
	h.broker.SetWebURLs(withOwn(o.WebURLs, webs), webs)
}

// distinct sorts a list and leaves out what is there twice.
func distinct(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// withOwn lists places of this server first, then those of others.
func withOwn(own, others []string) []string {
	all := slices.Clone(own)
	for _, u := range others {
		if !slices.Contains(all, u) {
			all = append(all, u)
		}
	}
	return all
}

// SetClientURLs changes where clients find this server, as clients and peers are told. A
// nats-server heeds it for routes made from then on.
func (h *Hub) SetClientURLs(clients []string) {
	h.setURLs(func(o *Options) { o.ClientURLs = clients })
}

// SetWebURLs is SetClientURLs for WebSocket clients.
func (h *Hub) SetWebURLs(webs []string) { h.setURLs(func(o *Options) { o.WebURLs = webs }) }

func (h *Hub) setURLs(change func(*Options)) {
	old := h.opts.Load()
	o := *old
	change(&o)
	if slices.Equal(old.ClientURLs, o.ClientURLs) && slices.Equal(old.WebURLs, o.WebURLs) && slices.Equal(old.LeafURLs, o.LeafURLs) {
		return
	}
	h.opts.Store(&o)
	h.tellClients()
	frame := h.ownInfo(nil).frame()
	for _, r := range h.registered() {
		r.Out.Send(frame)
	}
}

// moved takes note of where clients and leaf nodes find a peer now, and reports whether that is new.
func (h *Hub) moved(p *server, now *info) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.Equal(p.info.ConnectURLs, now.ConnectURLs) && slices.Equal(p.info.WSConnectURLs, now.WSConnectURLs) &&
		slices.Equal(p.info.LeafURLs, now.LeafURLs) {
		return false
	}
	i := *p.info
	i.ConnectURLs, i.WSConnectURLs, i.LeafURLs = now.ConnectURLs, now.WSConnectURLs, now.LeafURLs
	p.info = &i
	return true
}

// LameDuck tells the peers that this server is about to go, so that they send no
// clients here.
func (h *Hub) LameDuck() {
	h.mu.Lock()
	h.lameDuck = true
	h.mu.Unlock()
	frame := h.ownInfo(nil).frame()
	for _, r := range h.registered() {
		r.Out.Send(frame)
	}
}

// Pause tells peers to send no clients here, until Resume. Only those are told that take it back again: a nats-server
// (2.15.3) forgets the addresses until there is a new route. Its clients find nobody here, and try the next.
func (h *Hub) Pause() { h.tellPause(true) }

// Resume takes Pause back.
func (h *Hub) Resume() { h.tellPause(false) }

func (h *Hub) tellPause(on bool) {
	i := h.ownInfo(nil)
	i.LameDuck = i.LameDuck || on
	frame := i.frame()
	for _, r := range h.registered() {
		if r.info.SmallerPool { // the peer is one of us
			r.Out.Send(frame)
		}
	}
}
