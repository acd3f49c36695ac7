package broker

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"

	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// movedTLS is the encryption of a connection. It is TLS 1.3: others do not move.
type movedTLS struct {
	session    transport.Session
	first      bool // the handshake came before INFO
	serverName string
	certs      [][]byte // the peer's, the own one first
}

func (m *movedTLS) Fields(f *fields.Codec) {
	s := &m.session
	fields.Number(f, 1, &s.Suite)
	f.Bytes(2, &s.FromPeer)
	fields.Number(f, 3, &s.FromPeerSeq)
	f.Bytes(4, &s.ToPeer)
	fields.Number(f, 5, &s.ToPeerSeq)
	f.Bytes(6, &s.Unopened)
	f.Bytes(7, &s.Sealed)
	fields.Number(f, 8, &s.Ahead)
	fields.Number(f, 9, &s.Owed)
	f.Flag(10, &m.first)
	f.Text(11, &m.serverName)
	f.Blocks(12, &m.certs)
}

// describeTLS is the encryption of a connection at rest, nil if there is none. The lock
// is held.
func (c *Client) describeTLS(p *transport.Parked) *movedTLS {
	if p.Session == nil {
		return nil
	}
	m := &movedTLS{session: *p.Session}
	if c.tls != nil {
		m.first, m.serverName = c.tlsInfo.First, c.tls.ServerName
		for _, cert := range c.tls.PeerCertificates {
			m.certs = append(m.certs, cert.Raw)
		}
	}
	return m
}

// transport is what transport wants to know; nil for a connection that is not encrypted.
func (m *movedTLS) transport() *transport.Session {
	if m == nil {
		return nil
	}
	return &m.session
}

// state is what the handshake said.
func (m *movedTLS) state() (*tls.ConnectionState, error) {
	cs := &tls.ConnectionState{
		Version: tls.VersionTLS13, HandshakeComplete: true, CipherSuite: m.session.Suite, ServerName: m.serverName,
	}
	for _, der := range m.certs {
		cert, err := x509.ParseCertificate(bytes.Clone(der)) // which it keeps
		if err != nil {
			return nil, err
		}
		cs.PeerCertificates = append(cs.PeerCertificates, cert)
	}
	return cs, nil
}

var errNoTLS = errors.New("TLS is not configured any more")

// recallTLS decides by what is configured now whether the connection would be let in,
// and notes what its handshake said.
func (c *Client) recallTLS(m *movedTLS) error {
	if m == nil {
		return nil
	}
	t := c.carriedTLS()
	if t == nil {
		return &closeError{TLSHandshakeError, errNoTLS}
	}
	state, err := m.state()
	if err == nil {
		state, err = t.Readmit(state)
	}
	if err != nil {
		return &closeError{TLSHandshakeError, err}
	}
	c.mu.Lock()
	c.tls, c.tlsInfo = state, newTLSInfo(state, m.first)
	c.mu.Unlock()
	return nil
}
