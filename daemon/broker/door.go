package broker

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Door is how connections come in by a listener: what happens before the first frame, and
// what they are called. It must not be changed once it is used.
type Door struct {
	// Name has connections that consist of WebSocket frames move to another process, where a door has that name, see
	// [Broker.KnowDoor]; empty: they do not move.
	Name string

	Connection string // the type of connections, as authenticators and users' restrictions call it; empty: "STANDARD"
	Type       string // the same as monitoring and events call it; empty: "nats"
	Prefix     string // of a connection's number in lines of the log; empty: "cid"

	// PingInterval and AuthTimeout take the place of those of the options; 0: they do not.
	PingInterval, AuthTimeout time.Duration

	TLS   *transport.TLS // nil: not encrypted
	Proxy ProxyOptions

	// Web has INFO name the places of the cluster for WebSocket clients, in place of those for others.
	Web bool

	// Info changes what connections are told in INFO, but for what says whether they are
	// encrypted; nil changes nothing. It is called now and then, from any goroutine.
	Info func(*Info)

	// Steps come behind the handshake, in order, in front of INFO: an upgrade of HTTP for
	// instance. Without one, INFO comes first, or where the TLS options have it.
	Steps []Step

	// Full is what a connection that is one too many is told in place of an error of the protocol, if there are steps
	// and no encryption; empty: nothing.
	Full []byte

	// Complete puts what a step has noted where CONNECT says nothing; nil: nothing is put. It is called once for each
	// CONNECT, before the authenticator is asked.
	Complete func(note any, o *ConnectOptions)

	standard bool // as the options describe it
	hello    atomic.Pointer[doorHello]
}

// The type of the connections that come by the listeners of [Broker.Serve].
const (
	standardConnection = "STANDARD"
	standardType       = "nats"
	standardPrefix     = "cid"
)

// doorHello is INFO of one door, made from that of the standard one.
type doorHello struct{ base, made *greeting }

// passage is the door that a connection has come by, and what a step has noted of it. Those
// who noted nothing share one.
type passage struct {
	door *Door
	note any
	via  string // the address of the proxy that told where the connection is from; empty: none did
}

// standardDoor is the door that the options describe.
func standardDoor(o *Options) *passage {
	return &passage{door: &Door{Connection: standardConnection, Type: standardType, Prefix: standardPrefix, TLS: o.TLS, Proxy: o.Proxy, standard: true}}
}

// complete fills in what is not said.
func (d *Door) complete() {
	orDefault(&d.Connection, standardConnection)
	orDefault(&d.Type, standardType)
	orDefault(&d.Prefix, standardPrefix)
}

// helloOf returns what a door's connections are greeted with.
func (b *Broker) helloOf(d *Door) *greeting {
	base := b.hello.Load()
	if d.standard {
		return base
	}
	if h := d.hello.Load(); h != nil && h.base == base {
		return h.made
	}
	i := b.info()
	b.tells(d, &i)
	made := newGreeting(i)
	d.hello.Store(&doorHello{base, made})
	return made
}

// tells makes what is said in INFO true for a door of its own.
func (b *Broker) tells(d *Door, i *Info) {
	if d.standard {
		return
	}
	i.AuthRequired = b.requires(d).Told
	i.TLSRequired, i.TLSAvailable, i.TLSVerify = false, false, false
	if d.TLS != nil {
		t := d.TLS.Options()
		i.TLSRequired, i.TLSAvailable, i.TLSVerify = !t.AllowPlain, t.AllowPlain, t.Verify
	}
	if d.Web {
		b.mu.RLock()
		i.ConnectURLs = b.webURLs[0]
		if i.LameDuck {
			i.ConnectURLs = b.webURLs[1]
		}
		b.mu.RUnlock()
	}
	if d.Info != nil {
		d.Info(i)
	}
}

// requires is what the authenticator wants of connections that come by a door.
func (b *Broker) requires(d *Door) AuthRequirements {
	a := b.opts.Load().Authenticator
	if by, ok := a.(Doorkeeper); ok && !d.standard {
		return by.RequiresAt(d.Connection)
	}
	return a.Requires()
}

// authTimeout is how long a connection may take to say who it is.
func (d *Door) authTimeout(o *Options) time.Duration {
	if d.AuthTimeout > 0 {
		return d.AuthTimeout
	}
	return o.AuthTimeout
}

// pingInterval is the silence after which a connection is asked whether it is there.
func (d *Door) pingInterval(o *Options) time.Duration {
	if d.PingInterval > 0 {
		return d.PingInterval
	}
	return o.PingInterval
}

// ProxyOptions say whether a load balancer in front tells, by the PROXY protocol,
// who the client is.
type ProxyOptions struct {
	Enabled bool
	// Trusted are the networks a header is believed from; empty: all. A connection
	// from elsewhere is taken for a client's own.
	Trusted []netip.Prefix
}

func (p *ProxyOptions) trusts(a net.Addr) bool {
	if !p.Enabled || len(p.Trusted) == 0 {
		return p.Enabled
	}
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return false
	}
	for _, n := range p.Trusted {
		if n.Contains(tcp.AddrPort().Addr().Unmap()) {
			return true
		}
	}
	return false
}
