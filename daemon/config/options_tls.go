package config

import (
	"crypto/tls"
	"time"
)

// TLS is a tls block as it was written, with nats-server's defaults. File names are as written: relative ones are
// relative to the working directory. The certificate files were loadable when the configuration was checked; their
// contents are read again by whoever serves with them, since they may be renewed in between.
type TLS struct {
	Defined bool
	// Certificates are the pairs to present: one from cert_file and key_file, or several from certs.
	Certificates []CertPair
	CAFile       string
	// Verify demands a client certificate; VerifyOptional verifies one that is shown, and lets others in without. Map takes the user from it. CheckKnownURLs (routes) matches its names with
	// the known routes. Insecure does not verify the peer we dial.
	Verify         bool
	VerifyOptional bool
	Map            bool
	CheckKnownURLs bool
	Insecure       bool
	// HandshakeFirst expects TLS before INFO; with FallbackDelay > 0 only for so long.
	HandshakeFirst HandshakeFirst
	Timeout        time.Duration
	// RateLimit is how many handshakes a second are accepted; 0 unlimited.
	RateLimit    int64
	CipherSuites []uint16
	Curves       []tls.CurveID
	MinVersion   uint16
	// Pinned are SHA-256 fingerprints of public keys, hex, lower case; empty: any.
	Pinned []string

	certFile, keyFile    string
	verify               verification
	allowInsecureCiphers bool
}

// CertPair names a certificate file and the file of its key.
type CertPair struct {
	CertFile string
	KeyFile  string
}

// HandshakeFirst is when the TLS handshake comes.
type HandshakeFirst struct {
	Enabled       bool
	FallbackDelay time.Duration // 0: no fallback
}

// verification is what the verify option can be.
type verification int

const (
	verifyNone verification = iota
	verifyIfShown
	verifyAlways
)

func (t *TLS) define()       { t.Defined = true }
func (t *ClientTLS) define() { t.Defined = true }
