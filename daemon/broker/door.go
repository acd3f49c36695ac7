package broker

import (
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Door is how connections come in by a listener: what happens before the first frame, and
// what they are called. It must not be changed once it is used.
type Door struct {
	Connection string // the type of connections, as authenticators and users' restrictions call it; empty: "STANDARD"
	Type       string // the same as monitoring and events call it; empty: "nats"

	TLS   *transport.TLS // nil: not encrypted
	Proxy ProxyOptions

	// Info changes what connections are told in INFO, but for what says whether they are
	// encrypted; nil changes nothing. It is called now and then, from any goroutine.
	Info func(*Info)

	// Steps come behind the handshake, in order, in front of INFO: an upgrade of HTTP for
	// instance. Without one, INFO comes first, or where the TLS options have it.
	Steps []Step

	standard bool // as the options describe it
	hello    atomic.Pointer[doorHello]
}

// The type of the connections that come by the listeners of [Broker.Serve].
const (
	standardConnection = "STANDARD"
	standardType       = "nats"
)

// doorHello is INFO of one door, made from that of the standard one.
type doorHello struct{ base, made *greeting }

// passage is the door that a connection has come by, and what a step has noted of it. Those
// who noted nothing share one.
type passage struct {
	door *Door
	note any
}

// standardDoor is the door that the options describe.
func standardDoor(o *Options) *passage {
	return &passage{door: &Door{Connection: standardConnection, Type: standardType, TLS: o.TLS, Proxy: o.Proxy, standard: true}}
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
	d.tells(&i)
	made := newGreeting(i)
	d.hello.Store(&doorHello{base, made})
	return made
}

// tells makes what is said in INFO true for a door of its own.
func (d *Door) tells(i *Info) {
	if d.standard {
		return
	}
	i.TLSRequired, i.TLSAvailable, i.TLSVerify = false, false, false
	if d.TLS != nil {
		t := d.TLS.Options()
		i.TLSRequired, i.TLSAvailable, i.TLSVerify = !t.AllowPlain, t.AllowPlain, t.Verify
	}
	if d.Info != nil {
		d.Info(i)
	}
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
