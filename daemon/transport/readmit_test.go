package transport

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// A connection is let in again by what its certificates say now.
func TestReadmit(t *testing.T) {
	ca, other := certtest.New(t, t.TempDir(), "ca"), certtest.New(t, t.TempDir(), "other")
	good := ca.Issue("good", x509.Certificate{}).Cert
	past := ca.Issue("past", x509.Certificate{NotAfter: time.Now().Add(-time.Hour)}).Cert
	server := ca.Issue("server", x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}).Cert
	verify := TLSOptions{Verify: true, CAFile: ca.CertFile}
	optional := TLSOptions{VerifyOptional: true, CAFile: ca.CertFile}
	pinned := verify
	pinned.Pinned = []string{Fingerprint(good)}
	for _, c := range []struct {
		name   string
		o      TLSOptions
		cert   *x509.Certificate // nil: none was shown
		ok     bool
		chains int
	}{
		{"good", verify, good, true, 1},
		{"pinned", pinned, good, true, 1},
		{"another one pinned", pinned, server, false, 0},
		{"outlived", verify, past, false, 0},
		{"of a server", verify, server, false, 0},
		{"none", verify, nil, false, 0},
		{"another authority", TLSOptions{Verify: true, CAFile: other.CertFile}, good, false, 0},
		{"optional", optional, good, true, 1},
		{"optional, outlived", optional, past, false, 0},
		{"optional, none", optional, nil, true, 0},
		{"not asked for", TLSOptions{}, past, true, 0},
		{"pinned, and not asked for", TLSOptions{Pinned: pinned.Pinned}, good, false, 0},
	} {
		was := &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256, ServerName: "name"}
		if c.cert != nil {
			was.PeerCertificates = []*x509.Certificate{c.cert}
		}
		now, err := loadTLS(t, c.o).Readmit(was)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if err != nil {
			continue
		}
		if len(now.VerifiedChains) != c.chains || now.CipherSuite != was.CipherSuite || now.ServerName != "name" || c.chains == 0 && now.PeerCertificates != nil {
			t.Errorf("%s: %+v", c.name, now)
		}
	}
}
