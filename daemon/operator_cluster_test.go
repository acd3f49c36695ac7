package daemon_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestOperatorCluster: in a cluster of both servers, an account that was pushed to one node while another was away comes
// to that one by comparison, a node with a cache finds it at others, and messages of users on all nodes meet.
func TestOperatorCluster(t *testing.T) {
	for _, c := range []struct{ name, seed, joiner, cache string }{
		{"all ours", "", "", ""},
		{"nats-server is the seed", brokertest.NATSServer(t), "", ""},
		{"nats-server joins", "", brokertest.NATSServer(t), ""},
		{"nats-server caches", "", "", brokertest.NATSServer(t)},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRealm(t, nil)
			early, late := r.account("early", nil), r.account("late", nil)
			routePort := brokertest.FreePort(t)
			start := func(name, binary, dir, kind, more string) *brokertest.Server {
				routes := ""
				if name != "a" {
					routes = fmt.Sprintf("routes: ['nats://127.0.0.1:%d']", routePort)
				}
				listen := -1
				if name == "a" {
					listen = routePort
				}
				return brokertest.Start(t, brokertest.Options{Binary: binary, Config: fmt.Sprintf(
					"server_name: %s\n%s\ncluster { name: C, listen: '127.0.0.1:%d', %s }\n", name, r.resolved(dir, kind, more), listen, routes)})
			}
			admin := r.sys.user("push", nil)
			push := func(s *brokertest.Server, a *realmAccount) {
				nc := connected(t)(nats.Connect(s.URL(), nats.UserCredentials(admin.creds(t))))
				defer nc.Close()
				m, err := nc.Request("$SYS.REQ.CLAIMS.UPDATE", []byte(a.jwt), brokertest.Patience)
				if err != nil || !strings.Contains(string(m.Data), `"code":200`) {
					t.Fatalf("%v %s", err, m.Data)
				}
			}
			dirs := [2]string{t.TempDir(), t.TempDir()}
			// The interval is long on the seed: what it has comes to the joiner because that one asks.
			a := start("a", c.seed, dirs[0], "full", "interval: \"1h\"")
			push(a, early)
			b := start("b", c.joiner, dirs[1], "full", "interval: \"1s\"")
			waitUntil(t, "the account to be copied", func() bool {
				_, err := os.Stat(filepath.Join(dirs[1], early.id+".jwt"))
				return err == nil
			})
			push(b, late)
			cache := start("c", c.cache, t.TempDir(), "cache", "limit: 10")
			nodes := []*brokertest.Server{a, b, cache}
			for _, acc := range []*realmAccount{early, late} {
				user := acc.user("u", nil).creds(t)
				var conns []*nats.Conn
				for _, s := range nodes {
					var nc *nats.Conn
					waitUntil(t, "the account to be found", func() (ok bool) {
						var err error
						nc, err = nats.Connect(s.URL(), nats.UserCredentials(user), nats.NoReconnect())
						return err == nil
					})
					t.Cleanup(nc.Close)
					conns = append(conns, nc)
				}
				for _, to := range conns {
					sub, err := to.SubscribeSync("news")
					if err != nil {
						t.Fatal(err)
					}
					if err := to.Flush(); err != nil {
						t.Fatal(err)
					}
					for _, from := range conns {
						waitUntil(t, "a message from each node to each", func() bool {
							if err := from.Publish("news", nil); err != nil {
								t.Fatal(err)
							}
							if err := from.Flush(); err != nil {
								t.Fatal(err)
							}
							_, err := sub.NextMsg(50 * time.Millisecond)
							return err == nil
						})
					}
					_ = sub.Unsubscribe()
				}
			}
		})
	}
}

func connected(t *testing.T) func(*nats.Conn, error) *nats.Conn {
	return func(nc *nats.Conn, err error) *nats.Conn {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return nc
	}
}

// TestOperatorURL: accounts come from an account server. A user is refused when it fails, and one of an account that is
// in use is let in all the same.
func TestOperatorURL(t *testing.T) {
	r := newRealm(t, nil)
	a, b := r.account("A", nil), r.account("B", nil)
	broken := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if user, pass, _ := q.BasicAuth(); user != "reader" || pass != "planted-secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if strings.HasSuffix(q.URL.Path, "/accounts/") {
			return // nats-server asks for that when it starts
		}
		for _, acc := range r.all {
			if strings.HasSuffix(q.URL.Path, "/accounts/"+acc.id) && !broken {
				fmt.Fprint(w, acc.jwt)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer server.Close()
	address := strings.Replace(server.URL, "http://", "http://reader:planted-secret@", 1) + "/jwt/v1/accounts/"
	config := fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: URL(%q)\n", r.jwt, r.sys.id, address)
	both(t, func(t *testing.T, binary string) string {
		broken = false
		s := brokertest.Start(t, brokertest.Options{Binary: binary, Config: config, Args: []string{"-DV"}})
		var out strings.Builder
		try := func(name string, m *member) {
			fmt.Fprintf(&out, "%s:\n", name)
			for _, f := range login(t, s, m, nil).Sync() {
				if !strings.HasPrefix(f, "INFO ") {
					fmt.Fprintf(&out, "  < %q\n", f)
				}
			}
		}
		try("in use", a.user("u", nil))
		broken = true
		try("in use while the server fails", a.user("u", nil))
		try("not in use while the server fails", b.user("u", nil))
		broken = false
		try("not in use before", b.user("u", nil))
		if strings.Contains(s.Logs(), "planted-secret") {
			t.Error("the log holds the password of the resolver")
		}
		return out.String()
	})
}

// TestOperatorReload: with a resolver in memory, a reload changes accounts under their users, and takes away those that
// are no longer listed.
func TestOperatorReload(t *testing.T) {
	r := newRealm(t, nil)
	a, gone := r.account("A", nil), r.account("GONE", nil)
	all := r.all
	user := a.user("u", nil)
	other := newRealm(t, nil)
	both(t, func(t *testing.T, binary string) string {
		r.all = all
		a.claims.Revocations = nil
		a.sign()
		o := openOffice(t, r, binary, r.memory())
		first, lost := login(t, o.s, user, nil), login(t, o.s, gone.user("g", nil), nil)
		o.stays("first", first)
		o.stays("of an account that will go", lost)
		reload := func(conf, says string) {
			from := o.s.LogLen()
			o.s.SetConfig(conf)
			o.s.Signal(syscall.SIGHUP)
			o.s.WaitLogFrom(says, from)
		}
		r.all = all[:2]
		reload(r.memory(), "Reloaded server configuration")
		o.left("of an account that is gone", lost)
		o.stays("first", first)
		a.claims.Revoke(jwt.All)
		a.sign()
		reload(r.memory(), "Reloaded server configuration")
		o.left("revoked", first)
		reload(other.memory(), "Failed to reload server configuration")
		reload("port: 0", "Failed to reload server configuration")
		return o.named(o.out.String())
	})
}
