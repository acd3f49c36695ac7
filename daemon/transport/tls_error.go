package transport

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
)

// HandshakeError is a TLS handshake that failed, with what crypto/tls or the connection says of it.
type HandshakeError struct{ Cause error }

// Error says it as the log does for clients.
func (e *HandshakeError) Error() string { return HandshakeText("", e) }

// Unwrap gives the cause.
func (e *HandshakeError) Unwrap() error { return e.Cause }

// HandshakeText is the line about a handshake that failed with err, which [Conn.SecureServer] or [Conn.SecureClient] returned;
// kind ("route", "leafnode"; empty: of a client) says of which connection, in nats-server's words. The certificates that were
// not accepted are named.
func HandshakeText(kind string, err error) string {
	if kind != "" {
		kind += " "
	}
	cause := err
	if e, ok := errors.AsType[*HandshakeError](err); ok {
		cause = e.Cause
	}
	return "TLS " + kind + "handshake error: " + cause.Error() + refusedCertificates(cause)
}

// SecuredText is the line about a handshake that succeeded.
func SecuredText(state *tls.ConnectionState) string {
	return fmt.Sprintf("TLS version %s, cipher suite %s", strings.TrimPrefix(tls.VersionName(state.Version), "TLS "), tls.CipherSuiteName(state.CipherSuite))
}

// mostNamed is how many certificates of a chain a line names, and mostSubject how much of a subject.
const (
	mostNamed   = 4
	mostSubject = 200
)

// refusedCertificates names the certificates that err refuses: subject and SHA-256 fingerprint.
func refusedCertificates(err error) string {
	refused, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok || len(refused.UnverifiedCertificates) == 0 {
		return ""
	}
	var names []string
	for _, cert := range refused.UnverifiedCertificates[:min(mostNamed, len(refused.UnverifiedCertificates))] {
		subject, sum := cert.Subject.String(), sha256.Sum256(cert.Raw)
		names = append(names, fmt.Sprintf("%s SHA-256: %s", subject[:min(len(subject), mostSubject)], hex.EncodeToString(sum[:])))
	}
	return " (" + strings.Join(names, "; ") + ")"
}

// IsProbe reports whether a handshake failed as it does when something looks whether the port is there: the peer
// says nothing in time, or something that is no TLS at all.
func IsProbe(err error) bool {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return true
	}
	notTLS, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok && notTLS.Conn != nil
}
