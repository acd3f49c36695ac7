package transport

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"time"
)

// TLSOptions says how a listener, or a side that dials, speaks TLS. Files are
// read by LoadTLS and never again.
type TLSOptions struct {
	Certificates []KeyPair // the pair to present; several are chosen from by the name the peer asks for
	CAFile       string    // roots that a peer's certificate must lead to; empty: the system's

	Verify         bool // the peer must present a certificate that verifies
	VerifyOptional bool // without Verify: a certificate that the peer presents must verify
	Insecure       bool // dialling: take any certificate

	// KnownOnly takes a certificate from a peer that dials only if one of its DNS names is among KnownHosts; hosts that
	// are addresses count for nothing. It goes with Verify.
	KnownOnly  bool
	KnownHosts []string

	CipherSuites []uint16 // of TLS 1.2; empty: Go's default list
	Curves       []tls.CurveID
	MinVersion   uint16   // 0: TLS 1.2
	Pinned       []string // SHA-256 of the peer's SubjectPublicKeyInfo, lower-case hex; empty: any

	First         bool          // the handshake comes before INFO
	FirstFallback time.Duration // with First: INFO is sent after this long without a byte; 0: never
	Timeout       time.Duration // of the handshake; 0: DefaultTLSTimeout
	AllowPlain    bool          // a peer may go on without TLS
	RateLimit     int           // handshakes a second; 0: unlimited

	// Carry has accepted connections of TLS 1.3 such that another process can go on with them.
	Carry bool
	// Tickets seal tickets for clients that come back; nil: every handshake is a whole one.
	Tickets *TicketKeys
}

// DefaultTLSTimeout is how long a handshake may take (nats-server 2.15.3).
const DefaultTLSTimeout = 2 * time.Second

// KeyPair names a PEM file with a certificate chain and the one with its key.
type KeyPair struct {
	CertFile string
	KeyFile  string
}

// TLS is loaded TLS material: immutable, safe for concurrent use. A reload loads
// a new one beside it; connections keep the one that they began with.
type TLS struct {
	opts   TLSOptions
	certs  []tls.Certificate
	roots  *x509.CertPool
	limit  *handshakeLimit
	pinned map[string]bool
	policy []byte // what tickets are sealed together with
}

// LoadTLS reads the files that o names. The error names the file that cannot be
// used.
func LoadTLS(o TLSOptions) (*TLS, error) {
	if o.MinVersion != 0 && o.MinVersion < tls.VersionTLS12 {
		return nil, fmt.Errorf("unsupported minimum TLS version: %s", tls.VersionName(o.MinVersion))
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTLSTimeout
	}
	t := &TLS{opts: o, pinned: map[string]bool{}, limit: newHandshakeLimit(o.RateLimit)}
	for _, pair := range o.Certificates {
		cert, err := loadPair(pair)
		if err != nil {
			return nil, err
		}
		t.certs = append(t.certs, cert)
	}
	var pem []byte
	if o.CAFile != "" {
		var err error
		if pem, err = os.ReadFile(o.CAFile); err != nil {
			return nil, fmt.Errorf("reading CA file: %w", err)
		}
		t.roots = x509.NewCertPool()
		if !t.roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA file %s: failed to parse root ca certificate", o.CAFile)
		}
	}
	for _, p := range o.Pinned {
		t.pinned[p] = true
	}
	t.policy = policyOf(&o, pem)
	return t, nil
}

func loadPair(pair KeyPair) (tls.Certificate, error) {
	if pair.KeyFile == "" {
		return tls.Certificate{}, errors.New("missing 'key_file' in TLS configuration")
	}
	if pair.CertFile == "" {
		return tls.Certificate{}, errors.New("missing 'cert_file' in TLS configuration")
	}
	cert, err := tls.LoadX509KeyPair(pair.CertFile, pair.KeyFile)
	if err != nil {
		return cert, fmt.Errorf("error parsing X509 certificate/key pair %s, %s: %w", pair.CertFile, pair.KeyFile, err)
	}
	if cert.Leaf == nil {
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return cert, fmt.Errorf("error parsing certificate %s: %w", pair.CertFile, err)
		}
	}
	return cert, nil
}

// Options gives what t was loaded from.
func (t *TLS) Options() TLSOptions { return t.opts }

// Server gives a configuration for the accepting side. The caller owns it.
func (t *TLS) Server() *tls.Config {
	c := t.base()
	c.Certificates = slices.Clone(t.certs)
	c.ClientCAs = t.roots
	switch {
	case t.opts.Verify:
		c.ClientAuth = tls.RequireAndVerifyClientCert
	case t.opts.VerifyOptional:
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	if t.opts.KnownOnly {
		c.VerifyConnection = t.verifyKnown
	}
	return c
}

var errUnknownPeer = errors.New("the peer's certificate has none of the names that are configured")

// verifyKnown holds that the peer's certificate is one of a host that we know.
func (t *TLS) verifyKnown(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errUnknownPeer
	}
	for _, host := range t.opts.KnownHosts {
		if net.ParseIP(host) == nil && state.PeerCertificates[0].VerifyHostname(host) == nil {
			return nil
		}
	}
	return errUnknownPeer
}

// Client gives a configuration for the side that dials host. The caller owns it.
func (t *TLS) Client(host string) *tls.Config {
	c := t.base()
	c.Certificates = slices.Clone(t.certs)
	c.RootCAs = t.roots
	c.ServerName = host
	c.InsecureSkipVerify = t.opts.Insecure
	return c
}

func (t *TLS) base() *tls.Config {
	return &tls.Config{
		MinVersion:       max(t.opts.MinVersion, tls.VersionTLS12),
		CipherSuites:     slices.Clone(t.opts.CipherSuites),
		CurvePreferences: slices.Clone(t.opts.Curves),
	}
}

// PinAccepts reports whether the peer's key is one of the pinned ones, or none
// are pinned. A peer without a certificate is not accepted where some are.
func (t *TLS) PinAccepts(state tls.ConnectionState) bool {
	if len(t.pinned) == 0 {
		return true
	}
	return len(state.PeerCertificates) > 0 && t.pinned[Fingerprint(state.PeerCertificates[0])]
}

// Readmit decides on an accepted connection whose handshake another process has done:
// what a handshake by t would tell of it, or why it would fail. A certificate that is not
// asked for any more is left out.
func (t *TLS) Readmit(was *tls.ConnectionState) (*tls.ConnectionState, error) {
	now := *was
	now.VerifiedChains = nil
	switch {
	case !t.opts.Verify && !t.opts.VerifyOptional:
		now.PeerCertificates = nil
	case len(now.PeerCertificates) == 0:
		if !t.opts.Verify {
			break
		}
		return nil, errors.New("the client has shown no certificate")
	default:
		o := x509.VerifyOptions{Roots: t.roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		for _, cert := range now.PeerCertificates[1:] {
			o.Intermediates.AddCert(cert)
		}
		var err error
		if now.VerifiedChains, err = now.PeerCertificates[0].Verify(o); err != nil {
			return nil, err
		}
	}
	if !t.PinAccepts(now) {
		return nil, ErrPin
	}
	return &now, nil
}

// Fingerprint is the pin of a certificate: the SHA-256 of its
// SubjectPublicKeyInfo in lower-case hex.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// CertificateInfo describes a loaded certificate, for metrics and warnings.
type CertificateInfo struct {
	File      string
	Subject   string
	NotBefore time.Time
	NotAfter  time.Time
}

// Presented lists the certificates that t presents.
func (t *TLS) Presented() []CertificateInfo {
	list := make([]CertificateInfo, len(t.certs))
	for i, c := range t.certs {
		list[i] = CertificateInfo{
			File:      t.opts.Certificates[i].CertFile,
			Subject:   c.Leaf.Subject.String(),
			NotBefore: c.Leaf.NotBefore, NotAfter: c.Leaf.NotAfter,
		}
	}
	return list
}
