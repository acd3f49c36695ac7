package differential

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// TestTLSKnownURLs dials the cluster port as a server with certificates of several names: with
// verify_cert_and_check_known_urls both servers take only one that has a DNS name among their routes.
func TestTLSKnownURLs(t *testing.T) {
	ca := certtest.New(t, t.TempDir(), "ca")
	server := ca.Issue("server", x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	peers := map[string]certtest.Pair{
		"known":    ca.Issue("known", x509.Certificate{DNSNames: []string{"other.example", "a.known.example"}}),
		"wildcard": ca.Issue("wildcard", x509.Certificate{DNSNames: []string{"*.known.example"}}),
		"unknown":  ca.Issue("unknown", x509.Certificate{DNSNames: []string{"b.known.example"}}),
		"address":  ca.Issue("address", x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}),
	}
	for name, bin := range map[string]string{"nats-server": brokertest.NATSServer(t), "nats-broker": brokertest.Ours(t)} {
		port := brokertest.FreePort(t)
		s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: fmt.Sprintf(`cluster { name: c, listen: "127.0.0.1:%d", pool_size: -1
  routes: [ "nats-route://a.known.example:1", "nats-route://127.0.0.1:1" ]
  tls { cert_file: %q, key_file: %q, ca_file: %q, verify_cert_and_check_known_urls: true, timeout: 5 } }`,
			port, server.CertFile, server.KeyFile, ca.CertFile)})
		s.WaitLog("Listening for route connections on")
		for peer, want := range map[string]bool{"known": true, "wildcard": true, "unknown": false, "address": false} {
			if got := joins(t, port, peer, peers[peer], ca.Pool()); got != want {
				t.Errorf("%s: a server with the certificate %q is taken: %v, want %v", name, peer, got, want)
			}
		}
	}
}

// joins reports whether a server with a certificate is let in on a cluster port: whether its PING is answered. Each has a
// name of its own, since the one before may not have been forgotten yet.
func joins(t *testing.T, port int, name string, pair certtest.Pair, roots *x509.CertPool) bool {
	t.Helper()
	nc, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(brokertest.Patience))
	secure := tls.Client(nc, &tls.Config{Certificates: []tls.Certificate{pair.TLS}, RootCAs: roots, ServerName: "localhost"})
	if err := secure.Handshake(); err != nil {
		return false
	}
	_, _ = fmt.Fprintf(secure, "CONNECT {\"verbose\":false,\"name\":%[1]q,\"cluster\":\"c\",\"protocol\":1,\"tls_required\":true}\r\n"+
		"INFO {\"server_id\":%[1]q,\"server_name\":%[1]q,\"cluster\":\"c\",\"proto\":1,\"headers\":true}\r\nPING\r\n", name)
	for r := bufio.NewReader(secure); ; {
		text, err := r.ReadString('\n')
		switch {
		case strings.HasPrefix(text, "PONG"):
			return true
		case strings.HasPrefix(text, "-ERR"), err != nil:
			return false
		}
	}
}
