package broker

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/msgtrace"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// Broker is a message broker: make one by [New], give it listeners by [Broker.Listen]
// or [Broker.Serve], end it by [Broker.Stop].
type Broker struct {
	log   *logging.Logger
	id    string
	xkey  string
	node  string // NodeName at the start; kept through a handover, as what is subscribed to by it
	keys  *ServerKeys
	start time.Time
	opts  atomic.Pointer[Options]
	hello atomic.Pointer[greeting]
	front atomic.Pointer[passage] // the door of connections that come by no other

	observer atomic.Pointer[[]*observing]

	lastCID   atomic.Uint64
	reports   atomic.Pointer[func(*Account, *msgtrace.Trail)]
	lastOwn   atomic.Uint64 // numbers the broker's own subscriptions, for tracing
	totalConn atomic.Uint64
	counts    counters
	throttled throttled

	coming           sync.Mutex // held while an account is added or removed; before mu
	accountObservers []*accountObserving

	mu        sync.RWMutex
	accounts  map[string]*Account
	clients   map[uint64]*Client
	listeners map[*Listener]struct{}
	gone      Traffic
	state     state
	doors     map[string]*Door // for connections of another process
	urls      []string         // where to connect, of the whole cluster
	otherURLs []string         // of other servers
	webURLs   [2][]string      // the same for WebSocket clients

	global, system *Account
	closed         closedRing
	work           sync.WaitGroup // connections and listeners
	porters        porters
	entering       sync.WaitGroup // connections that are not in the books yet
	frozen         []*Client      // whose readers have stopped, for Park
	restored       []restored     // not served yet, for Resume
	toldBefore     []byte         // INFO as those know it
	stopping       chan struct{}
	paused         *pausing // nil: the broker is not
}

// state is where a broker is in its life.
type state int

const (
	running state = iota
	lameDuck
	stopped
	freezing // connections come to rest, to be parked
	parked   // those that have are about to go
)

// New makes a broker without listeners.
func New(o Options, log *logging.Logger) (*Broker, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Keys == nil {
		o.Keys = NewServerKeys()
	}
	keys, err := o.Keys()
	if err != nil {
		return nil, err
	}
	o.Keys = nil
	b := &Broker{log: log, start: time.Now(), stopping: make(chan struct{}), id: keys.id, xkey: keys.xkey, keys: keys}
	b.porters.next = make(chan newcomer)
	b.accounts = make(map[string]*Account)
	b.clients = make(map[uint64]*Client)
	b.listeners = make(map[*Listener]struct{})
	orDefault(&o.ServerName, b.id)
	b.node = NodeName(o.ServerName)
	if o.Authenticator == nil {
		o.Authenticator = everyone{}
	}
	b.global = b.addAccount(GlobalAccount)
	b.system = b.addAccount(o.SystemAccount)
	b.closed.limit = o.MaxClosedClients
	b.opts.Store(&o)
	b.front.Store(standardDoor(&o))
	b.refreshInfo()
	return b, nil
}

// Options returns the options in effect, with defaults filled in.
func (b *Broker) Options() Options { return *b.opts.Load() }

// Account returns the account of that name, nil if there is none.
func (b *Broker) Account(name string) *Account {
	if name == "" {
		return b.global
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.accounts[name]
}

// AddAccount makes an account, or returns the one that has the name already.
func (b *Broker) AddAccount(name string) *Account {
	b.mu.RLock()
	a := b.accounts[name]
	b.mu.RUnlock()
	if a != nil {
		return a
	}
	b.coming.Lock()
	defer b.coming.Unlock()
	b.mu.Lock()
	_, there := b.accounts[name]
	a = b.addAccount(name)
	b.mu.Unlock()
	if !there {
		b.accountCame(a)
	}
	return a
}

func (b *Broker) addAccount(name string) *Account {
	a := b.accounts[name]
	if a == nil {
		a = newAccount(b, name)
		b.accounts[name] = a
	}
	return a
}

// info is INFO as it holds for every client.
func (b *Broker) info() Info {
	b.mu.RLock()
	urls := b.urls
	b.mu.RUnlock()
	return b.infoOf(urls)
}

func (b *Broker) infoOf(urls []string) Info {
	o := b.opts.Load()
	host, port, _ := o.advertised() // was checked
	var i Info
	i.ServerInfo = proto.ServerInfo{
		ServerID: b.id, ServerName: o.ServerName, Version: o.Version, Proto: ProtocolLevel,
		GitCommit: o.GitCommit, Go: o.GoVersion, Host: host, Port: port, Headers: !o.NoHeaders,
		AuthRequired: o.Authenticator.Requires().Told, MaxPayload: o.MaxPayload, JetStream: o.JetStream,
	}
	i.Cluster, i.Domain, i.APILevel, i.XKey = o.Cluster, o.Domain, apiLevel, b.xkey
	if o.TLS != nil {
		t := o.TLS.Options()
		i.TLSRequired, i.TLSAvailable, i.TLSVerify = !t.AllowPlain, t.AllowPlain, t.Verify
	}
	i.ConnectURLs = urls
	return i
}

// refreshInfo makes the greeting of new connections anew.
func (b *Broker) refreshInfo() { b.hello.Store(newGreeting(b.info())) }

// errStopped is returned to those who come too late.
var errStopped = errors.New("the broker is stopped")

// register adds a connection; the error says why it cannot stay.
func (b *Broker) register(c *Client) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != running {
		return errStopped
	}
	if b.paused != nil {
		return errPaused
	}
	if max := b.opts.Load().MaxConnections; len(b.clients) >= max {
		return errTooMany
	}
	b.clients[c.cid] = c
	return nil
}

var errTooMany = errors.New("maximum connections exceeded")

func (b *Broker) unregister(c *Client) {
	b.mu.Lock()
	delete(b.clients, c.cid)
	b.gone.add(c.traffic())
	b.mu.Unlock()
}

// Stop closes all listeners and connections and waits for them to be gone.
func (b *Broker) Stop() {
	b.mu.Lock()
	if b.state == stopped {
		b.mu.Unlock()
		b.work.Wait()
		b.porters.all.Wait()
		return
	}
	b.state = stopped
	close(b.stopping)
	for l := range b.listeners {
		l.close()
	}
	clients := make([]*Client, 0, len(b.clients))
	for _, c := range b.clients {
		clients = append(clients, c)
	}
	b.mu.Unlock()
	for _, c := range clients {
		c.close(ServerShutdown, nil)
	}
	b.work.Wait()
	b.porters.all.Wait()
	b.reportThrottled()
}

// Accept serves an established connection.
func (b *Broker) Accept(nc net.Conn) { b.accept(newcomer{nc, b.front.Load()}) }

func (b *Broker) accept(n newcomer) {
	b.entering.Add(1)
	b.work.Add(1)
	select {
	case b.porters.next <- n:
	default:
		b.porters.all.Go(func() { b.port(n) }) // ends when enough of them are idle, or with the broker
	}
}
