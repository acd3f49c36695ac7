package monitor_test

import (
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// clusterConfig is everything at once: accounts that share, users, TLS with
// client certificates, and a cluster with TLS and a password.
const clusterConfig = `
tls { cert_file: %[1]q, key_file: %[2]q, ca_file: %[3]q, verify: true, timeout: 5 }
max_connections: 100
system_account: SYS
accounts {
  A { users [{user: a, password: a}]
      exports [{stream: "prices.>", accounts: [B]}, {service: pay, response_type: stream}] }
  B { users [{user: b, password: b}]
      imports [{stream: {account: A, subject: "prices.>"}, prefix: in}, {service: {account: A, subject: pay}, to: bill}] }
  SYS { users [{user: s, password: s}] }
}
cluster {
  name: harbour
  listen: "127.0.0.1:%[4]d"
  authorization { user: route, password: "r-secret", timeout: 3 }
  tls { cert_file: %[1]q, key_file: %[2]q, ca_file: %[3]q, timeout: 4 }
  routes = ["nats-route://route:r-secret@127.0.0.1:%[5]d"]
  pool_size: 2
  compression: off
}
`

// startCluster starts two servers of one kind that know each other, and load.
func startCluster(t *testing.T, binary string, ca *certtest.Authority, cert, client certtest.Pair) *watched {
	t.Helper()
	ports := []int{brokertest.FreePort(t), brokertest.FreePort(t)}
	config := func(i int) string {
		return fmt.Sprintf(clusterConfig, cert.CertFile, cert.KeyFile, ca.CertFile, ports[i], ports[1-i])
	}
	other := brokertest.Start(t, brokertest.Options{Binary: binary, Config: "server_name: other\n" + config(1)})
	w := startWith(t, binary, config(0)) // the later one dials at once
	connect := func(s *brokertest.Server, user string) *nats.Conn {
		t.Helper()
		nc, err := nats.Connect(strings.Replace(s.URL(), "nats://", "tls://", 1), nats.RootCAs(ca.CertFile), nats.ClientCert(client.CertFile, client.KeyFile),
			nats.UserInfo(user, user), nats.Name(user))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	a, b, far := connect(w.server, "a"), connect(w.server, "b"), connect(other, "b")
	for _, nc := range []*nats.Conn{b, far} {
		if _, err := nc.SubscribeSync("in.prices.*"); err != nil {
			t.Fatal(err)
		}
		if _, err := nc.QueueSubscribeSync("work", "q"); err != nil {
			t.Fatal(err)
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Subscribe("pay", func(m *nats.Msg) { _ = m.Respond(nil) }); err != nil {
		t.Fatal(err)
	}
	if err := a.Flush(); err != nil { // before somebody else asks for it
		t.Fatal(err)
	}
	w.await("/routez?subs=1", func(m map[string]any) bool {
		routes, _ := m["routes"].([]any)
		subs, configured := 0, 0
		for _, r := range routes {
			r := r.(map[string]any)
			subs += int(r["subscriptions"].(float64))
			if r["is_configured"] == true { // if the other one has dialled, not before this one has tried as well
				configured++
			}
		}
		return len(routes) == 3 && configured == 3 && subs >= 2 // two of the pool and one of the system account
	})
	for range 20 {
		if err := a.Publish("prices.gold", []byte("1")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Request("bill", []byte("x"), 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := a.Flush(); err != nil {
		t.Fatal(err)
	}
	w.await("/routez", func(m map[string]any) bool {
		n := 0.0
		for _, r := range m["routes"].([]any) {
			n += r.(map[string]any)["out_msgs"].(float64)
		}
		return n >= 20
	})
	return w
}

// await asks until the answer is as wanted.
func (w *watched) await(path string, good func(map[string]any) bool) {
	w.t.Helper()
	for end := time.Now().Add(brokertest.Patience); ; {
		m := w.object(path)
		if good(m) {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("%s stays %v", path, m)
		}
		time.Sleep(20 * time.Millisecond) // between two questions
	}
}

// elsewhereInCluster adds to elsewhere what differs between clusters.
var elsewhereInCluster = map[string]string{
	"/accountz?acc=A.account_detail.imports":   "the system account's services are reached without imports",
	"/accountz?acc=SYS.account_detail.imports": "the system account's services are reached without imports",
	"/accountz?acc=SYS.account_detail.exports": "and without exports",
}

// With accounts, TLS, users and routes, every endpoint must still have
// nats-server's keys and types.
func TestClusterSchemaIsNATSServers(t *testing.T) {
	ca := certtest.New(t, t.TempDir(), "ca")
	cert := ca.Issue("server", x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	client := ca.Issue("client", x509.Certificate{})
	ours, theirs := startCluster(t, "", ca, cert, client), startCluster(t, brokertest.NATSServer(t), ca, cert, client)
	for _, path := range []string{
		"/varz", "/routez", "/routez?subs=1", "/routez?subs=detail", "/connz?auth=1&subs=detail", "/connz?auth=1&acc=A", "/connz?user=b&auth=1", "/accountz", "/accountz?acc=A",
		"/accountz?acc=B", "/accountz?acc=SYS", "/accstatz", "/accstatz?unused=1", "/subsz?subs=1&acc=B", "/healthz", "/leafz", "/gatewayz", "/jsz",
	} {
		compareShapes(t, path, ours, theirs, func(p string) bool {
			for part := range elsewhereInCluster {
				if strings.HasPrefix(p, part) {
					return true
				}
			}
			return skippedPart(p)
		})
	}
	for _, f := range []string{"cluster.name", "cluster.addr", "cluster.auth_timeout", "cluster.tls_timeout", "cluster.tls_required", "cluster.tls_verify", "cluster.pool_size", "cluster.write_deadline",
		"tls_required", "tls_verify", "tls_timeout", "auth_required", "max_connections", "routes", "remotes", "system_account", "tls_cert_not_after", "cluster.tls_cert_not_after", "connections"} {
		if got, want := at(ours.object("/varz"), f), at(theirs.object("/varz"), f); got != want {
			t.Errorf("/varz: %s is %v, want %v", f, got, want)
		}
	}
	accounts := func(w *watched) (list []string) {
		for _, r := range w.object("/routez")["routes"].([]any) {
			r := r.(map[string]any)
			list = append(list, fmt.Sprint(r["account"], r["remote_name"], r["is_configured"], r["compression"]))
		}
		slices.Sort(list)
		return list
	}
	if got, want := accounts(ours), accounts(theirs); !slices.Equal(got, want) {
		t.Errorf("/routez lists %q, want %q", got, want)
	}
	seen := func(w *watched) string {
		c := w.object("/connz?auth=1&user=a")["connections"].([]any)[0].(map[string]any)
		return fmt.Sprint(c["tls_version"], c["tls_cipher_suite"], c["tls_peer_certs"], c["authorized_user"], c["account"], c["name_tag"])
	}
	if got, want := seen(ours), seen(theirs); got != want {
		t.Errorf("/connz shows %s, want %s", got, want)
	}
}

// at follows a path of keys.
func at(v any, path string) any {
	for key := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}
