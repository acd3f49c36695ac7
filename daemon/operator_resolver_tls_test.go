package daemon_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// TestOperatorResolverTLS: an account server whose certificate the configured authority has issued is asked, and shown
// the certificate that it wants; no other is trusted, whatever it would say.
func TestOperatorResolverTLS(t *testing.T) {
	r := newRealm(t, nil)
	a := r.account("A", nil)
	dir := t.TempDir()
	ca, other := certtest.New(t, dir, "ca"), certtest.New(t, dir, "other")
	server := ca.Issue("server", x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	client := ca.Issue("client", x509.Certificate{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		for _, acc := range r.all {
			if path.Base(q.URL.Path) == acc.id {
				fmt.Fprint(w, acc.jwt)
			}
		}
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{server.TLS}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()}
	s.StartTLS()
	defer s.Close()
	config := func(block string) string {
		return fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: URL(%q)\n%s", r.jwt, r.sys.id, s.URL+"/accounts/", block)
	}
	shown := fmt.Sprintf("cert_file: %q, key_file: %q", client.CertFile, client.KeyFile)
	good := config(fmt.Sprintf("resolver_tls { ca_file: %q, %s }\n", ca.CertFile, shown))
	both(t, func(t *testing.T, binary string) string {
		b := brokertest.Start(t, brokertest.Options{Binary: binary, Config: good})
		return strings.Join(login(t, b, a.user("u", nil), nil).Sync(), "\n")
	})
	for name, block := range map[string]string{
		"another authority":      fmt.Sprintf("resolver_tls { ca_file: %q, %s }\n", other.CertFile, shown),
		"none":                   "",
		"no certificate of ours": fmt.Sprintf("resolver_tls { ca_file: %q }\n", ca.CertFile),
	} {
		for _, binary := range []string{brokertest.Ours(t), brokertest.NATSServer(t)} {
			said, refused := brokertest.Refuses(t, brokertest.Options{Binary: binary, Config: config(block)})
			if !refused || !strings.Contains(said, "certificate") {
				t.Errorf("%s, %s: refuses: %v: %s", name, path.Base(binary), refused, said)
			}
		}
	}
}
