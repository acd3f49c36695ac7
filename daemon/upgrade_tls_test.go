package daemon_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// connz lists the connections, by their names.
func connz(t *testing.T, port int) map[string]map[string]any {
	t.Helper()
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/connz?auth=1", port))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var list struct {
		Connections []map[string]any `json:"connections"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	named := map[string]map[string]any{}
	for _, c := range list.Connections {
		name, _ := c["name"].(string)
		named[name] = c
	}
	return named
}

// secureConfig is a tls block with certificates of an authority.
func secureConfig(server, ca certtest.Pair, more string) string {
	return fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, %s }\n", server.CertFile, server.KeyFile, ca.CertFile, more)
}

// Encrypted clients notice nothing of one process after the other, whichever way they
// came; who speaks TLS 1.2 reconnects.
func TestUpgradeKeepsTLSConnections(t *testing.T) {
	for name, first := range map[string]bool{"after INFO": false, "before INFO": true} {
		t.Run(name, func(t *testing.T) {
			server := certtest.SelfSigned(t, "server")
			monitor := brokertest.FreePort(t)
			conf := secureConfig(server, server, fmt.Sprintf("handshake_first: %t, timeout: 20", first)) + fmt.Sprintf("http: \"127.0.0.1:%d\"\n", monitor)
			s, socket := controlled(t, conf)
			t.Cleanup(func() { verb(t, socket, "stop") })
			opts := []nats.Option{nats.RootCAs(server.CertFile)}
			if first {
				opts = append(opts, nats.TLSHandshakeFirst())
			}
			var all []*counting
			for i := range 10 {
				all = append(all, startCounting(t, s.URL(), fmt.Sprintf("count.%d", i), append(opts, nats.Name(fmt.Sprint("c", i)))...))
			}
			back := make(chan struct{}, 10)
			old := connect(t, s.URL(), append(opts, nats.Name("old"), nats.Secure(&tls.Config{MaxVersion: tls.VersionTLS12, RootCAs: rootsOf(server)}),
				nats.ReconnectWait(10*time.Millisecond), nats.MaxReconnects(-1), nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }))...)
			before := connz(t, monitor)
			for range 3 {
				code, out := verb(t, socket, "upgrade")
				if code != 0 || !strings.Contains(out, "connections kept: 20") {
					t.Fatalf("upgrade exits %d: %s", code, out)
				}
				<-back
			}
			if !old.IsConnected() {
				t.Error("TLS 1.2 is not connected")
			}
			for name, now := range connz(t, monitor) {
				for _, key := range []string{"cid", "tls_version", "tls_cipher_suite", "tls_first", "ip", "port", "start"} {
					if name != "old" && fmt.Sprint(now[key]) != fmt.Sprint(before[name][key]) {
						t.Errorf("%s of %s is %v, after %v", key, name, now[key], before[name][key])
					}
				}
				if now["tls_version"] == nil {
					t.Errorf("%s is not known to be encrypted", name)
				}
			}
			for _, c := range all {
				c.finish()
			}
		})
	}
}

func rootsOf(p certtest.Pair) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Cert)
	return pool
}

// A user that a certificate stands for is looked for anew, and who has none any more is
// closed.
func TestUpgradeMapsCertificatesAgain(t *testing.T) {
	ca := certtest.New(t, t.TempDir(), "ca")
	server := ca.Issue("server", x509.Certificate{DNSNames: []string{"localhost"}})
	s, socket := controlled(t, "")
	r := rewriting(t, s, socket)
	monitor := brokertest.FreePort(t)
	conf := func(users string) string {
		return secureConfig(server, ca.Pair, "verify_and_map: true, timeout: 20") +
			fmt.Sprintf("http: \"127.0.0.1:%d\"\nauthorization { users: [ %s ] }\n", monitor, users)
	}
	user := func(name string) (nats.Option, nats.Option) {
		p := ca.Issue(name, x509.Certificate{DNSNames: []string{name}})
		return nats.ClientCert(p.CertFile, p.KeyFile), nats.Name(name)
	}
	r.set(conf("{user: stays}, {user: goes}, {user: less}"))
	t.Cleanup(func() { verb(t, socket, "stop") })
	if code, out := verb(t, socket, "upgrade"); code != 0 {
		t.Fatalf("upgrade exits %d: %s", code, out)
	}
	url := fmt.Sprintf("tls://localhost:%d", s.Port())
	dropped := make(chan string, 10)
	open := func(name string) *nats.Conn {
		cert, label := user(name)
		return connect(t, url, cert, label, nats.RootCAs(ca.CertFile), nats.NoReconnect(),
			nats.ClosedHandler(func(*nats.Conn) { dropped <- name }))
	}
	stays, goes, less := open("stays"), open("goes"), open("less")
	sub, err := less.SubscribeSync("secret")
	if err != nil {
		t.Fatal(err)
	}
	if err := less.Flush(); err != nil {
		t.Fatal(err)
	}
	before := connz(t, monitor)["stays"]
	r.set(conf(`{user: stays}, {user: less, permissions: {subscribe: "open"}}`))
	code, out := verb(t, socket, "upgrade")
	if code != 0 || !strings.Contains(out, "connections kept: 3") {
		t.Fatalf("upgrade exits %d: %s", code, out)
	}
	if name := <-dropped; name != "goes" || goes.IsConnected() {
		t.Errorf("%s is disconnected", name)
	}
	if err := stays.Flush(); err != nil {
		t.Errorf("who stays: %v", err)
	}
	if err := stays.Publish("secret", nil); err != nil {
		t.Fatal(err)
	}
	_ = stays.Flush()
	if m, err := sub.NextMsg(100 * time.Millisecond); err == nil {
		t.Errorf("a right was kept: %v", m)
	}
	after := connz(t, monitor)["stays"]
	for _, key := range []string{"authorized_user", "tls_peer_certs", "tls_version", "cid"} {
		if fmt.Sprint(after[key]) != fmt.Sprint(before[key]) || after[key] == nil {
			t.Errorf("%s is %v, after %v", key, after[key], before[key])
		}
	}
}

// Who does not want keys to be handed over turns it off; clients reconnect.
func TestUpgradeWithoutTLSHandover(t *testing.T) {
	server := certtest.SelfSigned(t, "server")
	s, socket := controlled(t, secureConfig(server, server, "timeout: 20"))
	r := rewriting(t, s, socket)
	t.Cleanup(func() { verb(t, socket, "stop") })
	back := make(chan struct{}, 10)
	nc := connect(t, s.URL(), nats.RootCAs(server.CertFile), nats.ReconnectWait(10*time.Millisecond), nats.MaxReconnects(-1),
		nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }))
	r.set(secureConfig(server, server, "timeout: 20") + "tls_handover: false\n")
	if code, out := verb(t, socket, "reload"); code != 0 {
		t.Fatalf("reload exits %d: %s", code, out)
	}
	for range 2 {
		if code, out := verb(t, socket, "upgrade"); code != 0 || !strings.Contains(out, "connections kept: 0") {
			t.Fatalf("upgrade exits %d: %s", code, out)
		}
		<-back
	}
	if err := nc.Flush(); err != nil {
		t.Error(err)
	}
}
