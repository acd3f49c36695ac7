package daemon_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestOperatorLeafNodes: a leaf node comes in with the credentials of a user of an account that is a JWT, ours and a
// nats-server; the user's rights hold, and so does the account's limit.
func TestOperatorLeafNodes(t *testing.T) {
	r := newRealm(t, nil)
	acc := r.account("A", nil)
	none := r.account("NONE", func(c *jwt.AccountClaims) { c.Limits.LeafNodeConn = 0 })
	leafUser := acc.user("leaf", func(u *jwt.UserClaims) {
		u.Pub.Allow.Add("up.>", "_INBOX.>")
		u.Sub.Allow.Add("down.>", "_INBOX.>")
	}).creds(t)
	port := brokertest.FreePort(t)
	hub := brokertest.Start(t, brokertest.Options{Config: r.memory() + fmt.Sprintf("leafnodes { listen: '127.0.0.1:%d' }\n", port), Args: []string{"-D"}})
	nc, err := nats.Connect(hub.URL(), nats.UserCredentials(acc.user("u", nil).creds(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for name, binary := range map[string]string{"ours": "", "nats-server": brokertest.NATSServer(t)} {
		t.Run(name, func(t *testing.T) {
			leaf := brokertest.Start(t, brokertest.Options{Binary: binary, Args: []string{"-D"}, Config: fmt.Sprintf(
				"server_name: leaf\nleafnodes { reconnect: '100ms', remotes: [{url: 'nats-leaf://127.0.0.1:%d', credentials: %q}] }\n", port, leafUser)})
			lc, err := nats.Connect(leaf.URL())
			if err != nil {
				t.Fatal(err)
			}
			defer lc.Close()
			up, down := make(chan string, 100), make(chan string, 100)
			for _, s := range []struct {
				nc   *nats.Conn
				subj string
				to   chan string
			}{{nc, "up.>", up}, {nc, "aside.up", up}, {lc, "down.>", down}, {lc, "aside.down", down}} {
				if _, err := s.nc.Subscribe(s.subj, func(m *nats.Msg) { s.to <- m.Subject }); err != nil {
					t.Fatal(err)
				}
				_ = s.nc.Flush()
			}
			for _, c := range []struct {
				nc          *nats.Conn
				subj, never string
				at          chan string
			}{{lc, "up.x", "aside.up", up}, {nc, "down.x", "aside.down", down}} {
				for end := time.Now().Add(brokertest.Patience); ; {
					_ = c.nc.Publish(c.never, nil)
					_ = c.nc.Publish(c.subj, nil)
					got := ""
					for got != c.subj && time.Now().Before(end) {
						select {
						case got = <-c.at:
						case <-time.After(50 * time.Millisecond):
							got = "none"
						}
						if got == c.never {
							t.Fatalf("%s has come", got)
						}
						if got == "none" {
							break
						}
					}
					if got == c.subj {
						break
					}
					if time.Now().After(end) {
						t.Fatalf("%s does not come", c.subj)
					}
				}
			}
		})
	}
	leaf := brokertest.Start(t, brokertest.Options{Args: []string{"-D"}, Config: fmt.Sprintf(
		"server_name: leaf\nleafnodes { remotes: [{url: 'nats-leaf://127.0.0.1:%d', credentials: %q}] }\n", port, none.user("x", nil).creds(t))})
	leaf.WaitLog("maximum account active connections exceeded")
	if said, refused := brokertest.Refuses(t, brokertest.Options{Config: r.memory() + "leafnodes { remotes: [{url: 'nats://h'}] }\n"}); !refused ||
		!strings.Contains(said, "operator mode requires account nkeys in remotes") {
		t.Errorf("a remote in operator mode without an account: %v %s", refused, said)
	}
}

// TestOperatorLeafRemote: a server in operator mode is a leaf node of another realm, for an account that nobody has used yet.
func TestOperatorLeafRemote(t *testing.T) {
	there, here := newRealm(t, nil), newRealm(t, nil)
	port := brokertest.FreePort(t)
	far, near := there.account("FAR", nil), here.account("NEAR", nil)
	hub := brokertest.Start(t, brokertest.Options{Binary: brokertest.NATSServer(t), Config: there.memory() + fmt.Sprintf("leafnodes { listen: '127.0.0.1:%d' }\n", port)})
	leaf := brokertest.Start(t, brokertest.Options{Args: []string{"-D"}, Config: here.memory() + fmt.Sprintf(
		"server_name: leaf\nleafnodes { remotes: [{url: 'nats-leaf://127.0.0.1:%d', account: %s, credentials: %q}] }\n", port, near.id, far.user("leaf", nil).creds(t))})
	leaf.WaitLog("JetStream using domains")
	hc, err := nats.Connect(hub.URL(), nats.UserCredentials(far.user("u", nil).creds(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer hc.Close()
	lc, err := nats.Connect(leaf.URL(), nats.UserCredentials(near.user("u", nil).creds(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer lc.Close()
	if _, err := hc.Subscribe("ask", func(m *nats.Msg) { _ = m.Respond([]byte("there")) }); err != nil {
		t.Fatal(err)
	}
	_ = hc.Flush()
	for end := time.Now().Add(brokertest.Patience); ; {
		m, err := lc.Request("ask", nil, 200*time.Millisecond)
		if err == nil && string(m.Data) == "there" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%v %v", m, err)
		}
	}
}
