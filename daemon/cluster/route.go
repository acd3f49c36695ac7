package cluster

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/peer"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Route is one connection to a peer. Its goroutine, in [Hub.serve], is the only one
// to use the fields up to hub.
type Route struct {
	transport.Conn

	hs      handshake
	delayed bool // INFO waits for the peer's
	// toldPool is the size of our pool that the peer was told before it is registered; where nothing was, it does not count.
	toldPool int
	greeted  time.Time

	told       *Compression // what the first INFO from here says of it; nil: none was sent
	negotiated bool         // compression is settled
	agreed     *Compression // by what
	renewed    bool         // what follows the INFO just read is compressed
	known      bool         // it is registered
	pub        *broker.PeerPublisher
	accounts   map[string]*broker.Account // what names in messages stand for
	names      peer.Names                 // queue groups in messages, so that they are made once
	queues     []string
	frame      proto.RouteFrame // at hand, while there is data
	msg        proto.Frame      // what is delivered of it
	epoch      uint64           // of accounts

	hub       *Hub
	rid       uint64
	label     string
	remote    net.Addr
	start     time.Time
	solicited bool

	// Set when it is registered, and not changed afterwards.
	account string // the one account it serves; empty: those of its index
	idx     int
	noPool  bool
	placed  time.Time
	shares  int // connections over which accounts are spread
	gossip  byte
	info    *info // the peer's

	// Protected by Hub.mu.
	key        string // under which it was dialled, until it is registered
	peer       *server
	url        *url.URL
	own        int    // see target
	alone      bool   // likewise
	choices    int    // likewise
	at         string // likewise
	explicit   bool
	retry      bool
	registered bool // it has its place
	attached   bool // the peer is told what is wanted here
	pushed     *Route

	next bool // the next connection to the peer waits for PONG; the reader's, after introduce

	presented   atomic.Pointer[[2]string]           // user and password in the CONNECT of a peer that dialled us
	certificate atomic.Pointer[tls.ConnectionState] // nil: not encrypted

	settled atomic.Bool // the peer has said something since, so that it has placed us too

	anew    atomic.Bool // the reader has to look at what the peer wants
	dirty   atomic.Bool // there is something in pending
	outMu   sync.Mutex
	pending []byte // RS+ and RS- not sent yet

	mu     sync.Mutex
	wanted map[remoteKey]*remote
	moved  []string // accounts that get a connection of their own
	timer  *time.Timer
	out    int // PINGs not answered
	sent   time.Time
	rtt    time.Duration
	packed string // the mode of compression in use

	theirImport, theirExport *Rules // as the peer has told

	ended bool

	late    atomic.Bool // the peer does not take in what waits for it in time
	guarded atomic.Bool // some of what the peer wants is denied: each message is looked at

	inMsgs, inBytes atomic.Int64
	heard           atomic.Int64 // unix nanoseconds
}

// newRoute makes a route of a connection that is not served yet.
func (h *Hub) newRoute(nc net.Conn, t target) *Route {
	o := h.opts.Load()
	r := &Route{
		hub: h, rid: h.lastRID.Add(1), remote: nc.RemoteAddr(), start: time.Now(),
		solicited: t.url != nil, explicit: t.explicit, url: t.url, account: t.account, gossip: t.gossip, key: t.key,
		own: t.own, alone: t.alone, choices: t.choices, at: t.at,
		wanted:   make(map[remoteKey]*remote),
		accounts: make(map[string]*broker.Account), names: make(peer.Names),
	}
	r.pub = broker.NewPeerPublisher(r.lead)
	r.pub.Known(r)
	r.label = fmt.Sprintf("%s - rid:%d", r.remote, r.rid)
	r.heard.Store(r.start.UnixNano())
	name := o.ServerName
	if name == "" {
		name = h.broker.ID()
	}
	r.hs = handshake{id: h.broker.ID(), name: name, solicited: r.solicited, user: o.User, password: o.Password, verify: o.Verify}
	if r.hs.verify == nil {
		r.hs.verify = func(a, b string) bool { return a == b }
	}
	return r
}

// serve makes a route of a connection and serves it to its end.
func (h *Hub) serve(nc net.Conn, t target) {
	o := h.opts.Load()
	r := h.newRoute(nc, t)
	if err := transport.NewConn(&r.Conn, nc); err != nil {
		h.log.Error(fmt.Sprintf("Route Accept Error: %v", err), logging.Err(err))
		_ = nc.Close()
		if t.key != "" {
			h.forgetDial(t)
		}
		return
	}
	r.limit(o, 0)
	if !o.CloseLate {
		r.Out.Forgive(r.overdue)
	}
	h.mu.Lock()
	stopped := h.stopped
	if !stopped {
		h.routes[r] = struct{}{}
	}
	h.mu.Unlock()
	if stopped {
		r.Close(false)
		return
	}
	r.teardown(r.run(o))
}

// run is the life of a connection. A panic ends the connection only.
func (r *Route) run(o *Options) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.hub.log.Event(logging.Error, logging.ConnectionPanic, fmt.Sprintf("%s - panic: %v\n%s", r.label, p, debug.Stack()),
				logging.String(logging.FieldRemote, r.remote.String()), logging.Err(fmt.Errorf("panic: %v", p)))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if o.TLS != nil {
		if err := r.secure(o.TLS); err != nil {
			if cause := r.Aborted(); cause != nil {
				return cause
			}
			r.hub.log.Mistake(r.label+" - "+transport.HandshakeText("route", err), logging.Err(err))
			return &refusal{reason: "TLS Handshake Failure"}
		}
	}
	r.HearOut()
	r.watch(o)
	r.greet(o)
	r.hub.log.Info(r.label + " - Route connection created")
	r.reportSecured()
	return r.Serve(r, nil)
}

// secure does the TLS handshake, before anything else.
func (r *Route) secure(t *transport.TLS) (err error) {
	var state *tls.ConnectionState
	if r.solicited {
		r.hub.log.Debug(r.label + " - Starting TLS route client handshake")
		state, err = r.SecureClient(t, r.url.Hostname(), nil)
	} else {
		r.hub.log.Debug(r.label + " - Starting TLS route server handshake")
		state, err = r.SecureServer(t, nil)
	}
	r.certificate.Store(state)
	return err
}

// reportSecured says what the handshake has come to.
func (r *Route) reportSecured() {
	if state := r.certificate.Load(); state != nil {
		r.hub.log.Debug(r.label + " - TLS handshake complete")
		r.hub.log.Debug(r.label + " - " + transport.SecuredText(state))
	}
}

// greet sends what comes first.
func (r *Route) greet(o *Options) {
	r.greeted, r.told = time.Now(), &o.Compression
	if !r.solicited {
		own := r.hub.ownInfo(nil)
		own.Compression = o.Compression.Told(o.Compression.Mode)
		r.toldPool = own.PoolSize
		r.Out.Send(own.frame())
		return
	}
	name, dynamic := r.hub.Name()
	c := connect{
		ConnectInfo: proto.ConnectInfo{Echo: true, Headers: o.Headers, Name: r.hub.broker.ID(), TLSRequired: o.TLS != nil},
		Cluster:     name, Dynamic: dynamic, LNOC: true, LNOCU: true, LN: true,
	}
	if u := r.url.User; u != nil {
		c.User = u.Username()
		c.Pass, _ = u.Password()
	} else {
		c.User, c.Pass = o.User, o.Password
	}
	r.Out.Send(c.frame())
	if r.delayed = o.Compression.Wanted() || r.account == "" && r.hub.pool() > 0; !r.delayed {
		own := r.hub.ownInfo(r)
		own.Compression = o.Compression.Told(o.Compression.Mode)
		r.toldPool = own.PoolSize
		r.Out.Send(own.frame())
	}
}

// isExplicit reports whether the peer is a configured one.
func (r *Route) isExplicit() bool {
	r.hub.mu.Lock()
	defer r.hub.mu.Unlock()
	return r.explicit
}

// teardown ends a connection: what the peer wanted is forgotten.
func (r *Route) teardown(why error) {
	r.mu.Lock()
	r.ended = true
	if r.timer != nil {
		r.timer.Stop()
	}
	r.mu.Unlock()
	h := r.hub
	var ref *refusal
	if errors.As(why, &ref) && ref.tell != "" {
		r.Out.Send(peer.ErrFrame(ref.tell))
	}
	if ref != nil && ref.silent {
		r.Reset()
	} else {
		r.Close(true)
	}
	was := h.unregister(r)
	r.forget()
	h.report(r, why, was)
	if was {
		h.tellClients()
	}
	h.again(r, was, why)
}

// watch starts the timer of PINGs, of which the first ones are early, to learn the
// round-trip time, and of the handshake.
func (r *Route) watch(o *Options) {
	limit := o.AuthTimeout
	if o.User == "" || r.solicited {
		limit = max(limit, handshakeTime)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = time.AfterFunc(limit, r.tick) // stopped by teardown
}

// limit bounds what may wait for the peer. more is the size of what waits in any case.
func (r *Route) limit(o *Options, more int64) {
	r.Out.Limits(o.MaxPending+more, o.WriteDeadline)
	if !o.NoStall {
		r.Out.Brake(o.MaxPending/brakeShare + more)
	}
}

// makeRoom sees to it that all there is to tell a new peer may wait: however much
// clients here are subscribed to, there must be a route.
func (r *Route) makeRoom() {
	r.outMu.Lock()
	n := int64(len(r.pending))
	r.outMu.Unlock()
	if o := r.hub.opts.Load(); n > o.MaxPending/brakeShare {
		r.limit(o, n)
	}
}

// brakeShare is the part of what may wait for a peer beyond which publishers wait too:
// there must be room for what all of them have just read.
const brakeShare = 4

const handshakeTime = 10 * time.Second

// tick is the timer's.
func (r *Route) tick() {
	r.hub.mu.Lock()
	registered := r.registered
	r.hub.mu.Unlock()
	if !registered {
		r.Abort(&refusal{reason: "Authentication Timeout", tell: "Authentication Timeout"})
		return
	}
	o := r.hub.opts.Load()
	r.mu.Lock()
	stale := r.out >= o.PingMax
	if !stale && !r.ended {
		r.timer.Reset(o.PingInterval)
	}
	r.mu.Unlock()
	if stale {
		r.hub.log.Debug(r.label + " - Stale Client Connection - Closing")
		r.Abort(&refusal{reason: "Stale Connection", tell: "Stale Connection", silent: true})
		return
	}
	r.ping()
}

// ping asks the peer for a sign of life.
func (r *Route) ping() {
	r.mu.Lock()
	r.out++
	r.sent = time.Now()
	r.mu.Unlock()
	r.Out.Send([]byte("PING\r\n"))
}

// ponged notes the answer.
func (r *Route) ponged() {
	r.mu.Lock()
	r.out = 0
	if !r.sent.IsZero() {
		r.rtt = time.Since(r.sent)
		r.sent = time.Time{}
	}
	rtt := r.rtt
	r.mu.Unlock()
	r.adapt(rtt)
	if r.next {
		r.next = false
		r.dialNext()
	}
}

// whereTo is the address at which the peer is found, whatever else is behind the name that was dialled.
func (r *Route) whereTo() string {
	if r.solicited {
		return r.remote.String()
	}
	if u, err := r.info.dial(); err == nil {
		return u.Host
	}
	return ""
}

// dialNext dials the connections to a peer that are still missing, of which the
// first has shown that we are let in.
func (r *Route) dialNext() {
	h := r.hub
	h.mu.Lock()
	p := r.peer
	t := target{url: r.url, explicit: r.explicit, gossip: r.gossip, id: p.id, attempts: 1, at: r.whereTo()}
	more := p.count() < len(p.pool)
	pinned := h.unlinked(p)
	h.mu.Unlock()
	if more {
		h.dial(t)
	}
	for _, t.account = range pinned {
		h.dial(t)
	}
}
