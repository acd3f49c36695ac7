package leafs_test

import (
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

const plainHub = `
server_name: hub
accounts { A { users: [{user: a, password: p}] }, B { users: [{user: b, password: p}] } }
leafnodes { listen: LEAF, %s }
`

const plainLeaf = `
server_name: leaf
accounts { L { users: [{user: l, password: p}] }, K { users: [{user: k, password: p}] } }
leafnodes { reconnect: "100ms", remotes: [ %s ] }
`

// pair is a hub and a leaf node.
func pair(t *testing.T, hubTheirs, theirs bool, hubBlock string, remote func(hub *server) string) (hub, leaf *server) {
	t.Helper()
	hub = start(t, hubTheirs, fmt.Sprintf(plainHub, hubBlock))
	return hub, start(t, theirs, fmt.Sprintf(plainLeaf, remote(hub)))
}

// TestWays goes through how leaf nodes come in, and how they do not.
func TestWays(t *testing.T) {
	ca := certtest.New(t, t.TempDir(), "ca")
	local := x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	hubCert, leafCert := ca.Issue("hub", local), ca.Issue("leaf", x509.Certificate{EmailAddresses: []string{"a"}})
	seed, public := key(t)
	tlsHub := fmt.Sprintf("tls {cert_file: %q, key_file: %q, ca_file: %q", hubCert.CertFile, hubCert.KeyFile, ca.CertFile)
	tlsLeaf := fmt.Sprintf("tls {ca_file: %q, cert_file: %q, key_file: %q", ca.CertFile, leafCert.CertFile, leafCert.KeyFile)
	remote := func(more string) func(*server) string {
		return func(hub *server) string { return fmt.Sprintf("{url: %q, account: L, %s}", hub.url("a"), more) }
	}
	bare := func(more string) func(*server) string {
		return func(hub *server) string {
			return fmt.Sprintf("{url: \"nats://127.0.0.1:%d\", account: L, %s}", hub.leaf, more)
		}
	}
	for _, c := range []struct {
		name, hub string
		remote    func(*server) string
		logHub    string // what the hub says; empty: they are linked
		logLeaf   string
	}{
		{"users of clients", "", remote(""), "", ""},
		{"a wrong password", "", func(h *server) string { return fmt.Sprintf("{url: \"nats://a:q@127.0.0.1:%d\", account: L}", h.leaf) },
			"authentication error", "Authorization Violation"},
		{"nobody", "", bare(""), "authentication error", "Authorization Violation"},
		{"one user of leaf nodes", "authorization {user: x, password: y, account: A}", func(h *server) string {
			return fmt.Sprintf("{url: \"nats://x:y@127.0.0.1:%d\", account: L}", h.leaf)
		}, "", ""},
		{"one user of leaf nodes, and clients' do not count", "authorization {user: x, password: y, account: A}", remote(""), "authentication error", ""},
		{"users of leaf nodes", "authorization {users: [{user: x, password: y, account: A}, {user: z, password: z, account: B}]}", func(h *server) string {
			return fmt.Sprintf("{url: \"nats://x:y@127.0.0.1:%d\", account: L}", h.leaf)
		}, "", ""},
		{"a bcrypt hash", `authorization {users: [{user: x, password: "$2a$11$oPrM6mNEKIyfDB4B8B1VjuFa8fQdEsz3xiBHDZqAHXS.LzYkGRyWC", account: A}]}`, func(h *server) string {
			return fmt.Sprintf("{url: \"nats://x:z@127.0.0.1:%d\", account: L}", h.leaf)
		}, "authentication error", ""},
		{"an nkey", "authorization {nkey: " + public + ", account: A}", bare("nkey: " + seed), "", ""},
		{"TLS", tlsHub + "}", remote(tlsLeaf + "}"), "", ""},
		{"TLS without a word of it", tlsHub + "}", remote(""), "TLS", ""},
		{"TLS, the handshake first", tlsHub + ", handshake_first: true}", remote(tlsLeaf + ", handshake_first: true}"), "", ""},
		{"TLS, the handshake first if the other one begins", tlsHub + ", handshake_first: auto}", remote(tlsLeaf + ", handshake_first: true}"), "", ""},
		{"TLS, the handshake first if the other one begins, which it does not", tlsHub + ", handshake_first: auto}", remote(tlsLeaf + "}"), "", ""},
		{"TLS of both sides", tlsHub + ", verify: true}", remote(tlsLeaf + "}"), "", ""},
		{"TLS without a certificate", tlsHub + ", verify: true}", remote(fmt.Sprintf("tls {ca_file: %q}", ca.CertFile)), "TLS", ""},
		{"a user by certificate", "authorization {users: [{user: a, account: A}]}, " + tlsHub + ", verify_and_map: true}", bare(tlsLeaf + "}"), "", ""},
		{"compression off here", "compression: off", remote(""), "", ""},
		{"compression off there", "", remote("compression: off"), "", ""},
		{"compression best and fast", "compression: s2_best", remote("compression: s2_fast"), "", ""},
		{"compression accepted", "compression: accept", remote("compression: s2_better"), "", ""},
		{"compression accepted by both", "compression: accept", remote("compression: accept"), "", ""},
		{"compression and TLS", "compression: s2_fast, " + tlsHub + "}", remote("compression: s2_fast, " + tlsLeaf + "}"), "", ""},
		{"an old server", `min_version: "2.99.0"`, remote(""), `connection rejected since minimum version required is "2.99.0"`, "minimum version"},
		{"a version that is not too old", `min_version: "2.9.0"`, remote(""), "", ""},
		{"several URLs, of which one leads anywhere", "", func(h *server) string {
			return fmt.Sprintf("{urls: [\"nats://a:p@127.0.0.1:1\", %q], no_randomize: true, account: L}", h.url("a"))
		}, "", ""},
		{"a host name", "", func(h *server) string {
			return fmt.Sprintf("{url: \"nats-leaf://a:p@localhost:%d\", account: L}", h.leaf)
		}, "", ""},
		{"the port of clients", "", func(h *server) string { return fmt.Sprintf("{url: \"nats://a:p@127.0.0.1:%d\", account: L}", h.Port()) }, "", "attempted to connect to wrong port"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, m := range mixes[1:3] {
				t.Run(m.name, func(t *testing.T) {
					t.Parallel()
					hub, leaf := pair(t, m.hubTheirs, m.theirs, c.hub, c.remote)
					switch {
					case c.logHub == "" && c.logLeaf == "":
						crosses(t, hub.as("a"), leaf.as("l"))
						crosses(t, leaf.as("l"), hub.as("a"))
						return
					case c.logHub != "":
						hub.WaitLog(c.logHub)
					}
					if c.logLeaf != "" {
						leaf.WaitLog(c.logLeaf)
					}
					if len(hub.leafs("A")) != 0 {
						t.Error("there is a connection")
					}
				})
			}
		})
	}
}

func key(t *testing.T) (seed, public string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	s, _ := pair.Seed()
	public, _ = pair.PublicKey()
	return string(s), public
}

// TestClientAtTheLeafPort: a client is told.
func TestClientAtTheLeafPort(t *testing.T) {
	for _, theirs := range []bool{false, true} {
		hub := start(t, theirs, "leafnodes { listen: LEAF }\n")
		nc, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", hub.leaf))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_, _ = nc.Write([]byte("CONNECT {\"verbose\":false,\"lang\":\"go\",\"version\":\"1\"}\r\nPING\r\n"))
		_ = nc.SetReadDeadline(time.Now().Add(brokertest.Patience))
		var got strings.Builder
		b := make([]byte, 4096)
		for {
			n, err := nc.Read(b)
			got.Write(b[:n])
			if err != nil {
				break
			}
		}
		if !strings.Contains(got.String(), "-ERR 'attempted to connect to leaf node port'") {
			t.Errorf("theirs %v: %q", theirs, got.String())
		}
	}
}

// TestComesBack: each side is killed and started again, and the connection heals with exact interest.
func TestComesBack(t *testing.T) {
	for _, m := range mixes[:3] {
		t.Run(m.name, func(t *testing.T) {
			hub, leaf := pair(t, m.hubTheirs, m.theirs, "", func(h *server) string { return fmt.Sprintf("{url: %q, account: L}", h.url("a")) })
			crosses(t, hub.as("a"), leaf.as("l"))
			at, down := subscribe(t, leaf.as("l"), "stays.leaf"), subscribe(t, hub.as("a"), "stays.hub")
			for _, s := range []*server{hub, leaf, hub} {
				s.Kill()
				if s == leaf {
					eventually(t, "the hub notices", func() bool { return len(hub.leafs("A")) == 0 })
				}
				s.Restart()
				crosses(t, hub.as("a"), leaf.as("l"))
				crosses(t, leaf.as("l"), hub.as("a"))
				eventually(t, "exact interest", func() bool {
					h, l := hub.wanted("A"), leaf.wanted("L")
					return len(h) == 1 && len(l) == 1 && h[0] == "stays.leaf" && l[0] == "stays.hub"
				})
				pull(at)
				pull(down)
				publish(t, hub.as("a"), "stays.leaf", "x")
				next(t, at)
				publish(t, leaf.as("l"), "stays.hub", "x")
				next(t, down)
				crosses(t, hub.as("a"), leaf.as("l"))
				none(t, at)
			}
		})
	}
}

// TestPaused: who is stopped in between, and goes on, is found stale or goes on; nothing is doubled.
func TestPaused(t *testing.T) {
	for _, m := range mixes[:3] {
		hub, leaf := pair(t, m.hubTheirs, m.theirs, "", func(h *server) string { return fmt.Sprintf("{url: %q, account: L}", h.url("a")) })
		crosses(t, hub.as("a"), leaf.as("l"))
		sub := subscribe(t, leaf.as("l"), "paused")
		crosses(t, hub.as("a"), leaf.as("l"))
		leaf.Signal(syscall.SIGSTOP)
		for i := range 1000 {
			publish(t, hub.as("a"), "paused", fmt.Sprint(i))
		}
		leaf.Signal(syscall.SIGCONT)
		for i := range 1000 {
			if got := next(t, sub); string(got.Data) != fmt.Sprint(i) {
				t.Fatalf("%s: %s instead of %d", m.name, got.Data, i)
			}
		}
	}
}

// TestCircle: a circle of three is found, and told.
func TestCircle(t *testing.T) {
	for _, m := range mixes[:3] {
		t.Run(m.name, func(t *testing.T) {
			config := func(name, remote string) string {
				return fmt.Sprintf("server_name: %s\naccounts { A { users: [{user: a, password: p}] } }\nleafnodes { listen: LEAF, remotes: [%s] }\n", name, remote)
			}
			to := func(s *server) string { return fmt.Sprintf("{url: %q, account: A}", s.url("a")) }
			port := brokertest.FreePort(t)
			first := start(t, m.hubTheirs, strings.ReplaceAll(config("one", fmt.Sprintf("{url: 'nats://a:p@127.0.0.1:%d', account: A}", port)), "LEAF", "LEAF"))
			second := start(t, m.theirs, config("two", to(first)))
			third := start(t, m.hubTheirs, strings.ReplaceAll(config("three", to(second)), "LEAF", fmt.Sprintf("'127.0.0.1:%d'", port)))
			eventually(t, "the circle is told", func() bool {
				for _, s := range []*server{first, second, third} {
					if strings.Contains(s.Logs(), `Loop detected for leafnode account="A". Delaying attempt to reconnect for 30s`) {
						return true
					}
				}
				return false
			})
		})
	}
}

// TestChain: a leaf node of a leaf node reaches everybody, in both directions.
func TestChain(t *testing.T) {
	for _, m := range mixes[:3] {
		t.Run(m.name, func(t *testing.T) {
			config := func(name, remote string) string {
				return fmt.Sprintf("server_name: %s\naccounts { A { users: [{user: a, password: p}] } }\nleafnodes { listen: LEAF, remotes: [%s] }\n", name, remote)
			}
			to := func(s *server) string { return fmt.Sprintf("{url: %q, account: A}", s.url("a")) }
			top := start(t, m.hubTheirs, config("top", ""))
			middle := start(t, m.theirs, config("middle", to(top)))
			low := start(t, m.hubTheirs, config("low", to(middle)))
			side := start(t, m.hubTheirs, config("side", to(middle)))
			list := []*server{top, middle, low, side}
			for _, a := range list {
				for _, b := range list {
					if a != b {
						crosses(t, a.as("a"), b.as("a"))
						answers(t, a.as("a"), b.as("a"))
					}
				}
			}
		})
	}
}

// TestTwice: a leaf node that comes again takes the place of what it has left.
func TestTwice(t *testing.T) {
	for _, theirs := range []bool{false, true} {
		hub := start(t, theirs, fmt.Sprintf(plainHub, ""))
		hello := `CONNECT {"version":"2.15.3","name":"one","cluster":"one","user":"a","pass":"p","remote_account":"L","headers":true}` + "\r\nPING\r\n"
		dial := func() net.Conn {
			nc, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", hub.leaf))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { nc.Close() })
			_, _ = nc.Write([]byte(hello))
			return nc
		}
		first := dial()
		eventually(t, "one", func() bool { return len(hub.leafs("A")) == 1 })
		dial()
		_ = first.SetReadDeadline(time.Now().Add(brokertest.Patience))
		var got strings.Builder
		b := make([]byte, 4096)
		for {
			n, err := first.Read(b)
			got.Write(b[:n])
			if err != nil {
				break
			}
		}
		if !strings.Contains(got.String(), "-ERR 'Duplicate Remote LeafNode Connection'") {
			t.Errorf("theirs %v: %q", theirs, got.String())
		}
		eventually(t, "one", func() bool { return len(hub.leafs("A")) == 1 })
	}
}

// TestViolation: a leaf node that does what it may not is cut off, and told.
func TestViolation(t *testing.T) {
	config := `accounts { A { users: [{user: a, password: p}, {user: x, password: p, permissions: {publish: "up.>", subscribe: "down.>"}}] } }
leafnodes { listen: LEAF }
`
	for _, line := range []string{"LMSG aside 1\r\nx\r\n", "LS+ aside\r\n"} {
		var said []string
		for _, theirs := range []bool{false, true} {
			hub := start(t, theirs, config)
			nc, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", hub.leaf))
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			_, _ = nc.Write([]byte(`CONNECT {"version":"2.15.3","name":"one","user":"x","pass":"p","headers":true}` + "\r\nLS+ down.x\r\nLMSG up.x 1\r\nx\r\n" + line))
			_ = nc.SetReadDeadline(time.Now().Add(brokertest.Patience))
			var got strings.Builder
			b := make([]byte, 4096)
			for {
				n, err := nc.Read(b)
				got.Write(b[:n])
				if err != nil {
					break
				}
			}
			_, err2, _ := strings.Cut(got.String(), "-ERR ")
			said = append(said, err2)
		}
		if said[0] != said[1] || said[0] == "" {
			t.Errorf("%q: ours says %q, theirs %q", line, said[0], said[1])
		}
	}
}

// TestReload: remotes come, go and change while others stay; users and rights too.
func TestReload(t *testing.T) {
	hub := start(t, false, fmt.Sprintf(plainHub, ""))
	remote := func(user, account, more string) string {
		return fmt.Sprintf("{url: %q, account: %s, %s}", hub.url(user), account, more)
	}
	config := func(remotes ...string) string { return fmt.Sprintf(plainLeaf, strings.Join(remotes, ", ")) }
	leaf := start(t, false, config(remote("a", "L", "")))
	reload := func(s *server, config string) {
		from := s.LogLen()
		s.SetConfig(s.fill(config))
		s.Signal(syscall.SIGHUP)
		s.WaitLogFrom("Reloaded", from)
	}
	crosses(t, hub.as("a"), leaf.as("l"))
	first := hub.leafs("A")[0]
	reload(leaf, config(remote("a", "L", ""), remote("b", "K", "")))
	crosses(t, hub.as("b"), leaf.as("k"))
	crosses(t, leaf.as("k"), hub.as("b"))
	if now := hub.leafs("A"); len(now) != 1 || now[0].OutMsgs < first.OutMsgs {
		t.Errorf("the connection that nothing was said about has changed: %+v", now)
	}
	reload(leaf, config(remote("a", "L", `deny_imports: "no.>"`), remote("b", "K", "")))
	crosses(t, hub.as("a"), leaf.as("l"))
	sub := subscribe(t, leaf.as("l"), "no.x")
	crosses(t, hub.as("a"), leaf.as("l"))
	publish(t, hub.as("a"), "no.x", "x")
	crosses(t, hub.as("a"), leaf.as("l"))
	none(t, sub)
	reload(leaf, config(remote("a", "L", ""), remote("b", "K", "disabled: true")))
	eventually(t, "one less", func() bool { return len(hub.leafs("B")) == 0 })
	crossesBelow(t, "no", hub.as("a"), leaf.as("l"))
	reload(leaf, config(remote("b", "K", "")))
	eventually(t, "the other one", func() bool { return len(hub.leafs("B")) == 1 && len(hub.leafs("A")) == 0 })
	// The hub changes who may come.
	reload(hub, strings.Replace(fmt.Sprintf(plainHub, ""), "{user: b, password: p}", "{user: b, password: other}", 1))
	eventually(t, "no leaf node", func() bool { return len(hub.leafs("B")) == 0 })
	reload(hub, fmt.Sprintf(plainHub, ""))
	crosses(t, hub.as("b"), leaf.as("k"))
}

// TestLameDuck: leaf nodes are let go, and go to another server.
func TestLameDuck(t *testing.T) {
	first, second := start(t, false, fmt.Sprintf(plainHub, "")+"lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"10ms\"\n"), start(t, false, fmt.Sprintf(plainHub, ""))
	leaf := start(t, true, fmt.Sprintf(plainLeaf, fmt.Sprintf("{urls: [%q, %q], no_randomize: true, account: L}", first.url("a"), second.url("a"))))
	crosses(t, first.as("a"), leaf.as("l"))
	first.Signal(syscall.SIGUSR2)
	crosses(t, second.as("a"), leaf.as("l"))
}
