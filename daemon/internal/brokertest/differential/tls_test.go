package differential

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// TestTLS connects a real client to both servers under many tls blocks: both take
// it and take it for the same user, or both refuse it.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	ca, other := certtest.New(t, dir, "ca"), certtest.New(t, dir, "other")
	server := ca.Issue("server", x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	ca.Issue("second", x509.Certificate{DNSNames: []string{"second.example"}})
	uri, err := url.Parse("spiffe://example/way")
	if err != nil {
		t.Fatal(err)
	}
	dn := ca.Issue("dn", x509.Certificate{Subject: pkix.Name{CommonName: "dn", Organization: []string{"O"}}})
	ca.Issue("mail", x509.Certificate{EmailAddresses: []string{"mail@example"}})
	ca.Issue("dns", x509.Certificate{DNSNames: []string{"dns.example"}})
	ca.Issue("uri", x509.Certificate{URIs: []*url.URL{uri}})
	ca.Issue("nobody", x509.Certificate{DNSNames: []string{"nobody.example"}})
	other.Issue("foreign", x509.Certificate{EmailAddresses: []string{"mail@example"}})
	pin := func(p certtest.Pair) string {
		sum := sha256.Sum256(p.Cert.RawSubjectPublicKeyInfo)
		return hex.EncodeToString(sum[:])
	}
	pair := fmt.Sprintf("cert_file: %q, key_file: %q, ca_file: %q", ca.Path("server.pem"), ca.Path("server.key"), ca.Path("ca.pem"))
	block := func(more string) string { return "tls { " + pair + ", timeout: 5, " + more + " }\n" }
	mapped := block("verify_and_map: true") + `authorization { users: [ {user: "CN=dn,O=O", permissions: {publish: "dn"}}, ` +
		`{user: "mail@example", permissions: {publish: "mail"}}, {user: "dns.example", permissions: {publish: "dns"}}, ` +
		`{user: "spiffe://example/way", permissions: {publish: "uri"}} ] }`

	root := nats.RootCAs(ca.Path("ca.pem"))
	show := func(name string) nats.Option { return nats.ClientCert(ca.Path(name+".pem"), ca.Path(name+".key")) }
	insist := func(name string) nats.Option { // shows it, whatever authorities the server names
		cert, err := tls.LoadX509KeyPair(ca.Path(name+".pem"), ca.Path(name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		return nats.Secure(&tls.Config{RootCAs: ca.Pool(), GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }})
	}
	version := func(v uint16) nats.Option {
		return nats.Secure(&tls.Config{MinVersion: v, MaxVersion: v, RootCAs: ca.Pool()})
	}
	ask := func(name string) nats.Option {
		return nats.Secure(&tls.Config{ServerName: name, RootCAs: ca.Pool()})
	}
	several := fmt.Sprintf("tls { certs: [ {cert_file: %q, key_file: %q}, {cert_file: %q, key_file: %q} ] }",
		ca.Path("server.pem"), ca.Path("server.key"), ca.Path("second.pem"), ca.Path("second.key"))
	for _, c := range []struct {
		name, config string
		options      []nats.Option
		in           bool
		may          string // the only subject that the user may publish to, if there is one
	}{
		{"plain tls", block(""), []nats.Option{root}, true, ""},
		{"authority not known", block(""), []nats.Option{nats.RootCAs(ca.Path("other.pem"))}, false, ""},
		{"no tls asked for", block(""), nil, false, ""},
		{"allow_non_tls without", block("") + "allow_non_tls: true", []nats.Option{nats.Name("plain")}, true, ""},
		{"allow_non_tls with", block("") + "allow_non_tls: true", []nats.Option{root}, true, ""},
		{"verify", block("verify: true"), []nats.Option{root, show("dn")}, true, ""},
		{"verify, none shown", block("verify: true"), []nats.Option{root}, false, ""},
		{"verify, foreign", block("verify: true"), []nats.Option{root, show("foreign")}, false, ""},
		{"optional", block("verify: optional"), []nats.Option{root, show("dn")}, true, ""},
		{"optional, none shown", block("verify: Optional"), []nats.Option{root}, true, ""},
		{"optional, foreign", block("verify: optional"), []nats.Option{insist("foreign")}, false, ""},
		{"optional, insisted on", block("verify: optional"), []nats.Option{insist("dn")}, true, ""},
		{"optional, pinned, none shown", block("verify: optional, pinned_certs: [" + pin(dn) + "]"), []nats.Option{root}, false, ""},
		{"map dn", mapped, []nats.Option{root, show("dn")}, true, "dn"},
		{"map email", mapped, []nats.Option{root, show("mail")}, true, "mail"},
		{"map dns", mapped, []nats.Option{root, show("dns")}, true, "dns"},
		{"map uri", mapped, []nats.Option{root, show("uri")}, true, "uri"},
		{"map nobody", mapped, []nats.Option{root, show("nobody")}, false, ""},
		{"map foreign", mapped, []nats.Option{root, show("foreign")}, false, ""},
		{"pinned", block("verify: true, pinned_certs: [" + pin(dn) + "]"), []nats.Option{root, show("dn")}, true, ""},
		{"pinned, another", block("verify: true, pinned_certs: [" + pin(server) + "]"), []nats.Option{root, show("dn")}, false, ""},
		{"first", block("handshake_first: true"), []nats.Option{root, nats.TLSHandshakeFirst()}, true, ""},
		{"first, client waits", block("handshake_first: true"), []nats.Option{root, nats.Timeout(2 * time.Second)}, false, ""},
		{"first auto", block("handshake_first: auto"), []nats.Option{root, nats.TLSHandshakeFirst()}, true, ""},
		{"first auto, client waits", block("handshake_first: auto"), []nats.Option{root}, true, ""},
		{"first delay, client waits", block(`handshake_first: "20ms"`), []nats.Option{root}, true, ""},
		{"1.3 at least", block(`min_version: "1.3"`), []nats.Option{version(tls.VersionTLS13)}, true, ""},
		{"1.3 at least, 1.2 spoken", block(`min_version: "1.3"`), []nats.Option{version(tls.VersionTLS12)}, false, ""},
		{"1.2", block(""), []nats.Option{version(tls.VersionTLS12)}, true, ""},
		{"1.1 spoken", block(""), []nats.Option{version(tls.VersionTLS11)}, false, ""},
		{"name of the first", several, []nats.Option{ask("localhost")}, true, ""},
		{"name of the second", several, []nats.Option{ask("second.example")}, true, ""},
		{"name of neither", several, []nats.Option{ask("third.example")}, false, ""},
	} {
		for _, name := range []string{"nats-server", "nats-broker"} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				o := brokertest.Options{Config: c.config}
				if name == "nats-server" {
					o.Binary = brokertest.NATSServer(t)
				}
				s := brokertest.Start(t, o)
				refused := make(chan string, 8)
				options := append([]nats.Option{nats.Timeout(brokertest.Patience), nats.NoReconnect(),
					nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err.Error() })}, c.options...)
				scheme := "tls://"
				if len(c.options) == 0 || c.name == "allow_non_tls without" {
					scheme = "nats://"
				}
				nc, err := nats.Connect(scheme+s.Addr(), options...)
				for range 20 { // a client that begins later than after 50 ms is told INFO, and takes that for nonsense
					if err == nil || !c.in || !strings.Contains(err.Error(), "first record does not look like a TLS handshake") {
						break
					}
					nc, err = nats.Connect(scheme+s.Addr(), options...)
				}
				if nc != nil {
					defer nc.Close()
				}
				if (err == nil) != c.in {
					t.Fatalf("let in: %v (%v), want %v", err == nil, err, c.in)
				}
				if c.may == "" {
					return
				}
				if err := nc.Publish(c.may, nil); err != nil {
					t.Fatal(err)
				}
				if err := nc.Publish("forbidden", nil); err != nil {
					t.Fatal(err)
				}
				if got := <-refused; !strings.Contains(strings.ToLower(got), `publish to "forbidden"`) {
					t.Errorf("the user may not publish to %q: %s", c.may, got)
				}
			})
		}
	}
}

// TestCertificateWarning: from 30 days before its end the log warns of a certificate of a year,
// at the start and after a reload with another.
func TestCertificateWarning(t *testing.T) {
	a := certtest.New(t, t.TempDir(), "ca")
	config := func(name string, left time.Duration) string {
		a.Issue(name, x509.Certificate{NotBefore: time.Now().Add(left - 365*24*time.Hour), NotAfter: time.Now().Add(left)})
		return fmt.Sprintf("tls { cert_file: %q, key_file: %q }", a.Path(name+".pem"), a.Path(name+".key"))
	}
	const day = 24 * time.Hour
	s := brokertest.Start(t, brokertest.Options{Config: config("long", 31*day)})
	if strings.Contains(s.Logs(), "expire") {
		t.Errorf("a warning 31 days before the end:\n%s", s.Logs())
	}
	for _, c := range []struct {
		name string
		left time.Duration
		says string
	}{
		{"soon", 10*day - time.Hour, "[WRN] Certificate " + a.Path("soon.pem") + " (CN=soon) expires on "},
		{"over", -day, "[ERR] Certificate " + a.Path("over.pem") + " (CN=over) expired on "},
	} {
		from := s.LogLen()
		s.SetConfig(config(c.name, c.left))
		s.Signal(syscall.SIGHUP)
		s.WaitLogFrom(c.says, from)
	}
	s.WaitLog(", in 10 days")
}
