package cluster

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// peers reports whether a node has routes to n servers.
func (n *node) peers(k int) func() bool {
	return func() bool { got, _ := n.hub.Peers(); return got == k }
}

// TestRestart: a node that ends takes its interest with it, and is a full member
// again when it is back, whoever dialled.
func TestRestart(t *testing.T) {
	t.Run("nats-server", func(t *testing.T) {
		a := ours(t, "a", nil)
		b := theirs(t, "b", "", a.route)
		c := ours(t, "c", nil, a.route, b.route)
		meshed(t, a, b, c)
		nc := b.client(t, nats.NoReconnect()) // it would go to another node, and answer there
		must2(nc.Subscribe("of.b", func(m *nats.Msg) { _ = m.Respond(nil) }))(t)
		linked(t, a, b)
		b.theirs.Kill()
		for _, n := range []*node{a, c} {
			eventually(t, "the end of b", n.peers(1))
			nc := n.client(t)
			eventually(t, "the end of what b wanted", func() bool {
				_, err := nc.Request("of.b", nil, time.Second)
				return err == nats.ErrNoResponders
			})
		}
		b.theirs.Restart()
		meshed(t, a, b, c)
	})
	t.Run("ours", func(t *testing.T) {
		a := theirs(t, "a", "")
		b := ours(t, "b", nil, a.route)
		c := ours(t, "c", nil, a.route)
		meshed(t, a, b, c)
		at := strings.TrimPrefix(b.route, "nats://")
		b.stop()
		eventually(t, "the end of b", c.peers(1))
		b = oursAt(t, "b", at, nil, a.route)
		meshed(t, a, b, c)
	})
}

// TestBothDial: two servers that dial each other at once end up with one pool.
func TestBothDial(t *testing.T) {
	for range 5 {
		port := brokertest.FreePort(t)
		b := "nats://127.0.0.1:" + strconv.Itoa(port)
		a := ours(t, "a", nil, b)
		n := oursAt(t, "b", "127.0.0.1:"+strconv.Itoa(port), nil, a.route, b) // and itself
		meshed(t, a, n)
		if _, conns := a.hub.Peers(); conns != 4 {
			t.Errorf("%d connections, want 3 and that of the system account", conns)
		}
	}
}

// TestAuthorization: credentials are asked for and presented, in both roles.
func TestAuthorization(t *testing.T) {
	auth := func(o *Options) { o.User, o.Password = "u", "p" }
	a := ours(t, "a", auth)
	u := strings.Replace(a.route, "://", "://u:p@", 1)
	b := theirs(t, "b", `authorization { user: u, password: p }`, u)
	c := ours(t, "c", auth, u)
	meshed(t, a, b, c)

	bad := ours(t, "bad", nil, a.route)
	eventually(t, "an attempt", func() bool { return bad.hub.lastRID.Load() > 2 })
	for _, r := range a.hub.Stats(false) {
		if r.RemoteName == "bad" {
			t.Error("a server without credentials was let in")
		}
	}
}

// TestNames: a made-up name is given up; another cluster's servers stay apart.
func TestNames(t *testing.T) {
	a := theirs(t, "a", "")
	b := ours(t, "b", func(o *Options) { o.Name = "" }, a.route)
	eventually(t, "b has the name", func() bool { name, dynamic := b.hub.Name(); return name == "C" && !dynamic })
	meshed(t, a, b)
	d := ours(t, "d", func(o *Options) { o.Name = "D" }, a.route, b.route)
	eventually(t, "attempts", func() bool { return d.hub.lastRID.Load() > 4 })
	if n, _ := d.hub.Peers(); n != 0 {
		t.Error("servers of two clusters are connected")
	}
}

// TestAdvertise: clients learn of all servers, and not of those that are about to go.
func TestAdvertise(t *testing.T) {
	a := ours(t, "a", nil)
	b := theirs(t, "b", "", a.route)
	c := ours(t, "c", nil, a.route)
	meshed(t, a, b, c)
	for _, n := range []*node{a, b, c} {
		nc := n.client(t)
		eventually(t, "all servers are known", func() bool { return len(nc.Servers()) == 3 })
		for _, m := range []*node{a, b, c} {
			if !slices.Contains(nc.Servers(), m.url) {
				t.Errorf("clients are told of %v, without %s", nc.Servers(), m.url)
			}
		}
	}
	c.hub.SetClientURLs([]string{"127.0.0.1:1"}) // as by a change of client_advertise
	eventually(t, "the new address of c", func() bool {
		nc := a.client(t)
		defer nc.Close()
		return slices.Contains(nc.Servers(), "nats://127.0.0.1:1") && !slices.Contains(nc.Servers(), c.url)
	})
	c.hub.SetClientURLs([]string{strings.TrimPrefix(c.url, "nats://")})
	eventually(t, "the old address of c", func() bool {
		nc := a.client(t)
		defer nc.Close()
		return slices.Contains(nc.Servers(), c.url)
	})
	advertises := func(n *node, servers int) func() bool {
		return func() bool {
			nc := n.client(t)
			defer nc.Close()
			return len(nc.Servers()) == servers && slices.Contains(nc.Servers(), c.url) == (servers == 3)
		}
	}
	c.hub.Pause()
	eventually(t, "c is not advertised by one of us while it is paused", advertises(a, 2))
	if !advertises(b, 3)() {
		t.Error("a nats-server was told, and would not take it back")
	}
	c.hub.Resume()
	eventually(t, "c is advertised again", advertises(a, 3))
	c.hub.LameDuck()
	for _, n := range []*node{a, b} {
		eventually(t, "c is not advertised any more", func() bool {
			nc := n.client(t)
			defer nc.Close()
			return len(nc.Servers()) == 2 && !slices.Contains(nc.Servers(), c.url)
		})
	}
}

// TestReload: routes are added and removed while the server runs.
func TestReload(t *testing.T) {
	a, b := ours(t, "a", nil), ours(t, "b", nil)
	set := func(routes ...string) {
		o := *a.hub.opts.Load()
		o.Routes = nil
		for _, r := range routes {
			o.Routes = append(o.Routes, must2(url.Parse(r))(t))
		}
		commit := must2(a.hub.Prepare(o))(t)
		commit()
	}
	set(b.route)
	meshed(t, a, b)
	set()
	eventually(t, "the route is gone", a.peers(0))
	set(b.route)
	meshed(t, a, b)
}
