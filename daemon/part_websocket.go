package daemon

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/monitor"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

var (
	_ listens  = (*webSocketPart)(nil)
	_ admits   = (*webSocketPart)(nil)
	_ presents = (*webSocketPart)(nil)
	_ leaves   = (*webSocketPart)(nil)
)

// webSocketPart lets WebSocket clients in; it does nothing without a port or a path.
type webSocketPart struct {
	d   *Daemon
	log *logging.Logger
	tls atomic.Pointer[transport.TLS] // nil: none

	mu        sync.Mutex // guards what follows: Run's goroutine changes it, others read; leaf lock
	doors     webSocketDoors
	listeners []*webListener
}

// webSocketDoors are the two ways in.
type webSocketDoors struct {
	tcp   *broker.Door
	local *broker.Door // by a unix socket: never encrypted
}

// The names of the doors, which one process tells the next: they are never changed.
const (
	doorByTCP  = "websocket"
	doorByUnix = "websocket unix"
)

// webListener is one place where WebSocket clients connect.
type webListener struct {
	listening
	unix    bool
	shown   string
	serving *broker.Listener // nil before anybody is let in
}

func newWebSocketPart(d *Daemon) *webSocketPart {
	return &webSocketPart{d: d, log: d.logs.Logger("websocket")}
}

func (p *webSocketPart) name() string { return "websocket" }

// webSocketPlace is where WebSocket clients are to be listened for; port 0: nowhere.
func webSocketPlace(w *config.WebSocket) place {
	at := place{"websocket", "websocket.port", "ws", w.Host, endpoint{w.Host, w.Port}}
	if w.TLS.Defined {
		at.scheme = "wss"
	}
	return at
}

func (p *webSocketPart) kinds() []string { return []string{"websocket"} }

func (p *webSocketPart) places(o *config.Options) []place {
	if o.WebSocket.Port == 0 {
		return nil
	}
	return []place{webSocketPlace(&o.WebSocket)}
}

// listening implements [listens].
func (p *webSocketPart) listening() (list []listening) {
	for _, l := range p.current() {
		list = append(list, l.listening)
	}
	return list
}

func (p *webSocketPart) current() []*webListener {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.listeners)
}

// material implements [presents].
func (p *webSocketPart) material() []usedTLS {
	if t := p.tls.Load(); t != nil {
		return []usedTLS{{"websocket", t}}
	}
	return nil
}

// lameDuck implements [leaves].
func (p *webSocketPart) lameDuck() { p.d.keepStored("websocket") }

// port is the one that clients are told.
func (p *webSocketPart) port() int {
	for _, l := range p.current() {
		if tcp, ok := l.listener.Addr().(*net.TCPAddr); ok {
			return tcp.Port
		}
	}
	return 0
}

// makeDoors makes the ways in that the options describe.
func (p *webSocketPart) makeDoors(o *config.Options) (doors webSocketDoors, t *transport.TLS, err error) {
	if t, err = webSocketTLS(o, p.d.tickets.websocket); err != nil {
		return doors, nil, err
	}
	if doors.tcp, err = webSocketDoor(o, t, p.port, p.d.broker, p.log); err != nil {
		return doors, nil, err
	}
	if doors.local, err = webSocketDoor(o, nil, p.port, p.d.broker, p.log); err != nil {
		return doors, nil, err
	}
	doors.tcp.Name, doors.local.Name = doorByTCP, doorByUnix
	return doors, t, nil
}

func (p *webSocketPart) start(cfg *config.Config) error {
	o := cfg.Options
	w := &o.WebSocket
	if !w.Enabled() {
		return nil
	}
	doors, t, err := p.makeDoors(o)
	if err != nil {
		return fmt.Errorf("websocket: %w", err)
	}
	if w.Port != 0 {
		p.d.broker.KnowDoor(doors.tcp)
	}
	if w.Socket != "" {
		p.d.broker.KnowDoor(doors.local)
	}
	at := webSocketPlace(w)
	list, err := p.d.occupy(at, func() (net.Listener, error) {
		l, err := at.at.open(p.d.stored.Retired()...)
		if err != nil {
			return nil, &listenError{at.at.String(), fmt.Sprintf("Unable to listen for websocket connections: %v", err), err}
		}
		return l, nil
	})
	if err != nil {
		return err
	}
	var all []*webListener
	for _, l := range list {
		all = append(all, &webListener{listening: l, shown: l.shown(at)})
	}
	p.set(doors, t, all)
	p.announce(w) // before there are routes: a nats-server heeds what it is told at their beginning
	if w.Socket == "" {
		return nil
	}
	l, err := monitor.ListenUnix(w.Socket, 0)
	if err != nil {
		return &listenError{w.Socket, fmt.Sprintf("Unable to listen for websocket connections: %v", err), err}
	}
	p.set(doors, t, append(all, localListener(l)))
	return nil
}

func localListener(l net.Listener) *webListener {
	return &webListener{listening: listening{"websocket", l, "ws", false}, unix: true, shown: l.Addr().String()}
}

func (p *webSocketPart) set(doors webSocketDoors, t *transport.TLS, list []*webListener) {
	p.tls.Store(t)
	p.mu.Lock()
	p.doors, p.listeners = doors, list
	p.mu.Unlock()
}

// admit implements [admits].
func (p *webSocketPart) admit() error {
	for _, l := range p.current() {
		if err := p.serve(l); err != nil {
			return err
		}
	}
	p.announce(&p.d.active.Load().cfg.Options.WebSocket)
	return nil
}

// serve hands an open listener to the broker.
func (p *webSocketPart) serve(l *webListener) (err error) {
	if l.serving, err = p.d.broker.ServeBy(l.listener, p.door(l)); err != nil {
		return err
	}
	p.log.Info(fmt.Sprintf("Listening for websocket clients on %s://%s", l.scheme, l.shown), logging.String(logging.FieldListener, l.listener.Addr().String()))
	if l.scheme == "ws" && !l.unix {
		p.log.Warn("Websocket not configured with TLS. DO NOT USE IN PRODUCTION!")
	}
	return nil
}

func (p *webSocketPart) door(l *webListener) *broker.Door {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.unix {
		return p.doors.local
	}
	return p.doors.tcp
}

// announce tells the cluster where WebSocket clients find this server.
func (p *webSocketPart) announce(w *config.WebSocket) {
	if hub := p.d.cluster.hub; hub != nil {
		hub.SetWebURLs(webSocketURLs(w, p.listening()))
	}
}

// varz is what is shown of the part.
func (p *webSocketPart) varz(o *config.Options) monitor.WebSocketVarz {
	return webSocketVarz(&o.WebSocket, p.tls.Load(), p.port())
}

// prepare opens what is new before it closes what is old. Connections stay, by the door that they came by.
func (p *webSocketPart) prepare(old, new *config.Config) (*change, error) {
	o, n := &old.Options.WebSocket, &new.Options.WebSocket
	if !o.Enabled() && !n.Enabled() {
		return nil, nil
	}
	var doors webSocketDoors
	var t *transport.TLS
	var err error
	if n.Enabled() {
		if doors, t, err = p.makeDoors(new.Options); err != nil {
			return nil, err
		}
	}
	stay, gone, fresh, err := p.rearrange(o, n)
	if err != nil {
		return nil, err
	}
	return &change{
		commit: func() {
			was := p.tls.Load()
			p.set(doors, t, append(stay, fresh...))
			p.commit(new.Options, stay, gone, fresh)
			if was != nil && t != nil && !slices.Equal(was.Options().Pinned, t.Options().Pinned) {
				p.d.broker.Unpin(webSocketType, t)
			}
		},
		abort: func() {
			for _, l := range fresh {
				l.listener.Close()
			}
		},
	}, nil
}

// rearrange finds the listeners that stay and those that go, and opens those that are missing.
func (p *webSocketPart) rearrange(o, n *config.WebSocket) (stay, gone, fresh []*webListener, err error) {
	at := webSocketPlace(n)
	defer func() {
		if err != nil {
			for _, l := range fresh {
				l.listener.Close()
			}
		}
	}()
	samePort, sameSocket := o.Host == n.Host && o.Port == n.Port, o.Socket == n.Socket
	inherited := false
	var own []net.Listener
	for _, l := range p.current() {
		switch {
		case l.unix && sameSocket, !l.unix && samePort:
		case l.inherited && n.Port != 0:
			if err := at.wanted().Check(l.listener.Addr()); err != nil {
				return nil, nil, nil, err
			}
			inherited = true
		default:
			if gone = append(gone, l); !l.unix {
				own = append(own, l.listener)
			}
			continue
		}
		kept := *l
		kept.scheme = at.scheme
		if l.unix {
			kept.scheme = "ws"
		}
		stay = append(stay, &kept)
	}
	if !samePort && n.Port != 0 && !inherited {
		l, err := at.at.open(own...)
		if err != nil {
			return nil, nil, fresh, fmt.Errorf("listening on %s: %w", at.at, err)
		}
		made := listening{at.name, l, at.scheme, false}
		fresh = append(fresh, &webListener{listening: made, shown: made.shown(at)})
	}
	if !sameSocket && n.Socket != "" {
		l, err := monitor.ListenUnix(n.Socket, 0)
		if err != nil {
			return nil, nil, fresh, err
		}
		fresh = append(fresh, localListener(l))
	}
	return stay, gone, fresh, nil
}

// commit goes over to what was prepared.
func (p *webSocketPart) commit(o *config.Options, stay, gone, fresh []*webListener) {
	for _, l := range stay {
		l.serving.SetDoor(p.door(l))
	}
	for _, l := range fresh {
		if err := p.serve(l); err != nil {
			p.log.Error("Could not serve the new listener: "+err.Error(), logging.Err(err)) // only while stopping
		}
	}
	var own []net.Listener
	for _, l := range p.current() {
		if !l.unix && !l.inherited {
			own = append(own, l.listener)
		}
	}
	p.d.keepStored("websocket", own...)
	for _, l := range gone {
		l.close()
		p.log.Info(fmt.Sprintf("No longer listening for websocket clients on %s://%s", l.scheme, l.shown))
	}
	p.announce(&o.WebSocket)
}

// stop closes the listeners; their connections are the core's.
func (p *webSocketPart) stop() {
	for _, l := range p.current() {
		l.close()
	}
}

// close ends a listener, whether or not anybody was let in.
func (l *webListener) close() {
	if l.serving == nil {
		l.listener.Close()
		return
	}
	l.serving.Close()
}
