package leaf

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
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

// Link is one connection. Its goroutine, in [Server.serve], is the only one to use the fields up to srv.
type Link struct {
	transport.Conn

	state      state
	negotiated bool // compression is settled
	renewed    bool // what follows the INFO just read is compressed
	greeted    time.Time
	pub        *broker.PeerPublisher // nil until it serves an account
	queues     []string
	names      peer.Names       // queue groups in messages, so that they are made once
	frame      proto.RouteFrame // at hand, while there is data
	msg        proto.Frame      // what is delivered of it
	passed     map[string]bool  // subjects that rules were asked about
	limits     proto.Limits
	maxSubs    int
	session    *tls.ConnectionState
	presented  *broker.AuthRequest
	both, keep []string // what crosses in no direction, and what does not go to the peer, because of JetStream
	theirs     *info    // the peer's first INFO, if we dialled

	srv    *Server
	id     uint64
	label  string
	remote net.Addr
	start  time.Time
	nonce  string
	dialer *dialer // nil: the peer dialled us
	cfg    *Remote // by which we dialled; not changed
	url    *url.URL

	// Set when it is registered, and not changed afterwards.
	acc           *broker.Account
	name, cluster string // the peer's
	remoteAccount string // its name there
	toHub         bool   // the peer is the hub
	isolated      bool   // it is not told the interest of other leaf nodes
	headers       bool   // it takes headers
	proto         int    // the level of its protocol

	registered bool      // Server.mu
	interest   *interest // likewise
	retired    error     // likewise: why it may not be registered any more

	rights  atomic.Pointer[rights]
	dirty   atomic.Bool // there is something in pending
	outMu   sync.Mutex
	pending []byte // LS+ and LS- not sent yet

	mu       sync.Mutex
	wanted   map[wish]*want
	who      *broker.Identity
	timer    *time.Timer
	out      int // PINGs not answered
	sent     time.Time
	rtt      time.Duration
	packed   string // the mode of compression in use
	ended    bool
	finished bool // the handshake is over

	late            atomic.Bool // the peer does not take in what waits for it in time
	inMsgs, inBytes atomic.Int64
	heard           atomic.Int64 // unix nanoseconds
}

// state is how far the handshake is.
type state uint8

const (
	opening state = iota // INFO, or CONNECT, is awaited
	waiting              // for the INFO by which the peer says that it has let us in
	serving
)

// rights are what may cross. They are replaced, never changed.
type rights struct {
	send    *Rules // what may go to the peer
	take    *Rules // what may come from it, and what it is told interest in
	checked *Rules // what a leaf node may send, without what concerns JetStream
	down    *Rules // what it may have, likewise
}

// refusal is why a connection ends. What the peer is told, if anything, stands between the
// quotes of -ERR.
type refusal struct {
	reason string // as closed connections are reported
	tell   string
	log    string        // empty: nothing to be said at the level of errors
	delay  time.Duration // before it is dialled again
	silent bool          // the peer does not answer: nothing must reach it any more
}

func (r *refusal) Error() string {
	if r.log != "" {
		return r.log
	}
	return r.reason
}

const reasonShutdown = peer.ReasonShutdown

// newNonce is what a peer has to sign.
func newNonce() string {
	var b [11]byte
	_, _ = rand.Read(b[:]) // cannot fail
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// newLink makes a link of a connection that is not served yet; d is who dialled, nil if the peer did.
func (s *Server) newLink(nc net.Conn, d *dialer, u *url.URL) *Link {
	l := &Link{
		srv: s, id: s.lastID.Add(1), remote: nc.RemoteAddr(), start: time.Now(), dialer: d, url: u,
		wanted: make(map[wish]*want), names: make(peer.Names),
		limits: helloLimits,
	}
	if d == nil {
		l.nonce = newNonce()
	} else {
		l.cfg = d.cfg.Load()
		l.toHub = !l.cfg.Hub
	}
	l.rights.Store(&rights{})
	l.label = fmt.Sprintf("%s - lid:%d", l.remote, l.id)
	l.heard.Store(l.start.UnixNano())
	return l
}

// serve makes a link of a connection and serves it to its end, which it returns.
func (s *Server) serve(nc net.Conn, d *dialer, u *url.URL) error {
	o := s.opts.Load()
	l := s.newLink(nc, d, u)
	if err := transport.NewConn(&l.Conn, nc); err != nil {
		s.log.Error(fmt.Sprintf("Leafnode Accept Error: %v", err), logging.Err(err))
		_ = nc.Close()
		return err
	}
	l.limit(o, 0)
	if !o.CloseLate {
		l.Out.Forgive(l.overdue)
	}
	s.mu.Lock()
	stopped := s.stopped || s.lameDuck
	if !stopped {
		s.links[l] = struct{}{}
	}
	s.mu.Unlock()
	if stopped {
		l.Close(false)
		return &refusal{reason: reasonShutdown}
	}
	if d != nil {
		if d.serves(l); d.ctx.Err() != nil { // taken out meanwhile
			l.Abort(&refusal{reason: "Client Closed"})
		}
		s.log.Info(fmt.Sprintf("%s - Leafnode connection created for account: %s (%s)", l.label, l.cfg.Account, u.Host))
	} else {
		s.log.Info(l.label + " - Leafnode connection created")
	}
	err := l.run(o)
	l.teardown(err)
	return err
}

// run is the life of a connection. A panic ends the connection only.
func (l *Link) run(o *Options) (err error) {
	defer func() {
		if p := recover(); p != nil {
			l.srv.log.Event(logging.Error, logging.ConnectionPanic, fmt.Sprintf("%s - panic: %v\n%s", l.label, p, debug.Stack()),
				logging.String(logging.FieldRemote, l.remote.String()), logging.Err(fmt.Errorf("panic: %v", p)))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	l.greeted = time.Now()
	l.HearOut()
	var first []byte
	if l.dialer == nil {
		first, err = l.welcome(o)
	} else {
		l.watch(l.cfg.InfoTimeout + max(tlsTime(l.cfg.TLS), handshakeTime))
		if first, err = l.approach(); err == nil {
			l.watch(finishTime)
		}
	}
	if cause := l.Aborted(); cause != nil {
		return cause
	}
	if err != nil {
		return err
	}
	return l.Serve(l, first)
}

// welcome sends INFO to a peer that has dialled, and encrypts, and returns what was read already.
func (l *Link) welcome(o *Options) (first []byte, err error) {
	l.watch(max(o.AuthTimeout, tlsTime(o.TLS)))
	info := l.srv.ownInfo(l)
	info.Compression = o.Compression.Told(o.Compression.Mode)
	if o.TLS == nil {
		l.Out.Send(info.frame())
		return nil, nil
	}
	t := o.TLS.Options()
	begins := t.First
	if begins && t.FirstFallback > 0 {
		first, err = l.Await(t.FirstFallback)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, err
		}
		begins = len(first) > 0
	}
	if !begins {
		l.Out.Send(info.frame())
	}
	l.srv.log.Debug(l.label + " - Starting TLS leafnode server handshake")
	if l.session, err = l.SecureServer(o.TLS, first); err != nil {
		return nil, l.notSecured(err)
	}
	if begins {
		l.Out.Send(info.frame())
	}
	return nil, nil
}

// notSecured is the end of a connection whose handshake failed. What looks only whether the port is there is no error.
func (l *Link) notSecured(err error) error {
	r := &refusal{reason: "TLS Handshake Failure"}
	if text := transport.HandshakeText("leafnode", err); l.dialer == nil && transport.IsProbe(err) {
		l.srv.log.Debug(l.label + " - " + text)
	} else {
		r.log = text
	}
	return r
}

// tlsTime is how long the handshake may take, and a second more.
func tlsTime(t *transport.TLS) time.Duration {
	if t == nil {
		return 0
	}
	return t.Options().Timeout + time.Second
}

// teardown ends a connection: what the peer wanted is forgotten.
func (l *Link) teardown(why error) {
	l.mu.Lock()
	l.ended = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.mu.Unlock()
	var ref *refusal
	if errors.As(why, &ref) && ref.tell != "" {
		l.Out.Send(peer.ErrFrame(ref.tell))
	}
	was := l.srv.unregister(l)
	l.forget()
	if ref != nil && ref.silent {
		l.Reset()
	} else {
		l.Close(true)
	}
	l.report(why, was)
}

// watch starts the timer of the handshake, which is that of PINGs afterwards.
func (l *Link) watch(limit time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer == nil {
		l.timer = time.AfterFunc(limit, l.tick) // stopped by teardown
		return
	}
	l.timer.Reset(limit)
}

// limit bounds what may wait for the peer. more is the size of what waits in any case.
func (l *Link) limit(o *Options, more int64) {
	l.Out.Limits(o.MaxPending+more, o.WriteDeadline)
	if !o.NoStall {
		l.Out.Brake(o.MaxPending/brakeShare + more)
	}
}

// makeRoom sees to it that all there is to tell a new peer may wait.
func (l *Link) makeRoom() {
	l.outMu.Lock()
	n := int64(len(l.pending))
	l.outMu.Unlock()
	if o := l.srv.opts.Load(); n > o.MaxPending/brakeShare {
		l.limit(o, n)
	}
}

// brakeShare is the part of what may wait for a peer beyond which publishers wait too.
const brakeShare = 4

// firstPing is early, to learn the round-trip time.
const firstPing = time.Second

// tick is the timer's.
func (l *Link) tick() {
	o := l.srv.opts.Load()
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return
	}
	if !l.finished {
		l.mu.Unlock()
		if l.dialer != nil {
			l.Abort(&refusal{reason: peer.ReasonStale, tell: "Stale Leaf Node Connection - Closing", log: "Stale Leaf Node Connection - Closing"})
			return
		}
		l.Abort(&refusal{reason: "Authentication Timeout", tell: "Authentication Timeout", log: "authentication timeout"})
		return
	}
	stale := l.out >= o.PingMax
	who := l.who
	if !stale {
		l.timer.Reset(l.nextTick(o))
	}
	l.mu.Unlock()
	switch {
	case who != nil && !who.Expires.IsZero() && !time.Now().Before(who.Expires):
		l.Abort(&refusal{reason: "Authentication Expired", tell: "User Authentication Expired"})
		return
	case stale:
		l.srv.log.Debug(l.label + " - Stale Client Connection - Closing")
		l.Abort(&refusal{reason: peer.ReasonStale, tell: peer.ReasonStale, silent: true})
		return
	case who != nil && who.Stale != nil && who.Stale():
		l.srv.review(l)
	}
	l.ping()
}

// nextTick is when to look again. The lock is held.
func (l *Link) nextTick(o *Options) time.Duration {
	d := o.PingInterval
	if l.who != nil && !l.who.Expires.IsZero() {
		d = min(d, max(time.Until(l.who.Expires), time.Millisecond))
	}
	return d
}

// ping asks the peer for a sign of life.
func (l *Link) ping() {
	l.mu.Lock()
	l.out++
	l.sent = time.Now()
	l.mu.Unlock()
	l.Out.Send([]byte("PING\r\n"))
}

// ponged notes the answer.
func (l *Link) ponged() {
	l.mu.Lock()
	l.out = 0
	if !l.sent.IsZero() {
		l.rtt = time.Since(l.sent)
		l.sent = time.Time{}
	}
	rtt := l.rtt
	l.mu.Unlock()
	l.adapt(rtt)
}
