package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// manyHomes returns a port that is free at several addresses of this host.
func manyHomes(t *testing.T, n int) (port string, addrs []string) {
	t.Helper()
	for range 100 {
		var open []net.Listener
		port, addrs = strconv.Itoa(brokertest.FreePort(t)), nil
		for i := 1; i <= n; i++ {
			addr := fmt.Sprintf("127.0.0.%d", i)
			l, err := net.Listen("tcp", net.JoinHostPort(addr, port))
			if err != nil {
				break
			}
			open, addrs = append(open, l), append(addrs, addr)
		}
		for _, l := range open {
			l.Close()
		}
		if len(addrs) == n {
			return port, addrs
		}
	}
	t.Fatal("no free port")
	return "", nil
}

// named are options of members behind one name.
func named(port string, addrs *atomic.Pointer[[]string]) func(*Options) {
	return func(o *Options) {
		o.Routes = []*url.URL{{Scheme: "nats", Host: "nodes.test:" + port}}
		o.Resolve = func(_ context.Context, host string) ([]string, error) {
			if host != "nodes.test" {
				return nil, fmt.Errorf("no such host %q", host)
			}
			return append([]string{}, *addrs.Load()...), nil
		}
	}
}

// Members behind one name find each other in whatever order they come, and again after some were away. Each of them finds
// itself behind the name, too.
func TestOneNameForAll(t *testing.T) {
	port, list := manyHomes(t, 3)
	var addrs atomic.Pointer[[]string]
	addrs.Store(&list)
	begin := func(i int) *node {
		return oursAt(t, fmt.Sprintf("n%d", i+1), net.JoinHostPort(list[i], port), named(port, &addrs))
	}
	// Later than the other, and after that one has found itself.
	b := begin(1)
	eventually(t, "having found itself", func() bool {
		b.hub.mu.Lock()
		defer b.hub.mu.Unlock()
		return len(b.hub.self) > 0
	})
	a := begin(0)
	meshed(t, a, b)
	c := begin(2)
	meshed(t, a, b, c)
	// Two go, and come back one after the other.
	a.stop()
	b.stop()
	b = begin(1)
	a = begin(0)
	meshed(t, a, b, c)
	// Those that went come back as all that there is.
	c.stop()
	a.stop()
	a = begin(0)
	meshed(t, a, b)
}

// One address in front of all leads to the member that dials it, at first.
func TestOneAddressForAll(t *testing.T) {
	var to atomic.Pointer[string]
	front := must2(net.Listen("tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { front.Close() })
	var dials atomic.Int32
	go func() { // ends with the listener
		for {
			in, err := front.Accept()
			if err != nil {
				return
			}
			dials.Add(1)
			out, err := net.DialTimeout("tcp", *to.Load(), time.Second)
			if err != nil {
				in.Close()
				continue
			}
			go func() { _, _ = io.Copy(out, in); out.Close() }() // both end with the connection
			go func() { _, _ = io.Copy(in, out); in.Close() }()
		}
	}()
	alone := ours(t, "alone", nil)
	nowhere := strings.TrimPrefix(alone.route, "nats://")
	to.Store(&nowhere)
	a := ours(t, "a", func(o *Options) { o.Routes = []*url.URL{{Scheme: "nats", Host: front.Addr().String()}} })
	self := strings.TrimPrefix(a.route, "nats://")
	to.Store(&self)
	alone.stop()
	before := dials.Load()
	eventually(t, "dialled twice, in vain", func() bool { return dials.Load() > before+1 })
	b := ours(t, "b", nil)
	other := strings.TrimPrefix(b.route, "nats://")
	to.Store(&other)
	meshed(t, a, b)
}

// A password that changes while its server is being dialled is the one that is presented.
func TestPasswordOfRouteChangesWhileDialled(t *testing.T) {
	addr := fmt.Sprintf("127.0.0.1:%d", brokertest.FreePort(t)) // nobody is there yet
	with := func(password string) func(*Options) {
		return func(o *Options) {
			o.Routes = []*url.URL{{Scheme: "nats", Host: addr, User: url.UserPassword("r", password)}}
		}
	}
	a := ours(t, "a", with("old"))
	eventually(t, "dialling", func() bool {
		a.hub.mu.Lock()
		defer a.hub.mu.Unlock()
		return len(a.hub.dialing) == 1
	})
	o := *a.hub.opts.Load()
	with("new")(&o)
	must2(a.hub.Prepare(o))(t)()
	b := oursAt(t, "b", addr, func(o *Options) { o.User, o.Password = "r", "new" })
	meshed(t, a, b)
}

// What a reload changes of the credentials of a cluster is asked of those who are in it: who has presented what counts no
// more is closed, others stay.
func TestChangedAuthorizationEndsRoutes(t *testing.T) {
	b := ours(t, "b", func(o *Options) { o.User, o.Password = "r", "one" })
	a := ours(t, "a", nil, strings.Replace(b.route, "nats://", "nats://r:one@", 1))
	meshed(t, a, b)
	routes := func() map[*Route]bool {
		m := map[*Route]bool{}
		for _, r := range b.hub.registered() {
			m[r] = true
		}
		return m
	}
	reload := func(change func(*Options)) {
		o := *b.hub.opts.Load()
		change(&o)
		must2(b.hub.Prepare(o))(t)()
	}
	before := routes()
	reload(func(o *Options) {
		o.Password = "hash of one"
		o.Verify = func(configured, given string) bool { return configured == "hash of "+given }
	})
	reload(func(o *Options) { o.PingMax = 3 })
	linked(t, a, b)
	for r := range before {
		if !routes()[r] {
			t.Error("a route ended though its password is the same")
		}
	}
	reload(func(o *Options) { o.Password = "hash of two" })
	eventually(t, "the end of the routes", func() bool { return len(routes()) == 0 && b.hub.complete(0) })
}
