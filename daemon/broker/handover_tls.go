package broker

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"

	"github.com/nats-broker/nats-broker/daemon/transport"
)

// movedTLS is the encryption of a connection. It is TLS 1.3: others do not move.
type movedTLS struct {
	session    transport.Session
	first      bool // the handshake came before INFO
	serverName string
	certs      [][]byte // the peer's, the own one first
}

// Tags of the encryption of a connection.
const (
	tagSuite = iota + 1
	tagFromPeer
	tagFromPeerSeq
	tagToPeer
	tagToPeerSeq
	tagUnopened
	tagSealed
	tagAhead
	tagOwed
	tagFirst
	tagServerName
	tagCertificate
)

func (m *movedTLS) write(w *fieldWriter) {
	s := &m.session
	w.number(tagSuite, uint64(s.Suite))
	w.bytes(tagFromPeer, s.FromPeer)
	w.number(tagFromPeerSeq, s.FromPeerSeq)
	w.bytes(tagToPeer, s.ToPeer)
	w.number(tagToPeerSeq, s.ToPeerSeq)
	w.bytes(tagUnopened, s.Unopened)
	w.bytes(tagSealed, s.Sealed)
	w.number(tagAhead, uint64(s.Ahead))
	w.number(tagOwed, uint64(s.Owed))
	w.flag(tagFirst, m.first)
	w.text(tagServerName, m.serverName)
	for _, c := range m.certs {
		w.bytes(tagCertificate, c)
	}
}

func (m *movedTLS) read(b []byte) error {
	s := &m.session
	return readFields(b, func(f *field) error {
		switch f.tag {
		case tagSuite:
			s.Suite = uint16(f.number)
		case tagFromPeer:
			s.FromPeer = f.data
		case tagFromPeerSeq:
			s.FromPeerSeq = f.number
		case tagToPeer:
			s.ToPeer = f.data
		case tagToPeerSeq:
			s.ToPeerSeq = f.number
		case tagUnopened:
			s.Unopened = f.data
		case tagSealed:
			s.Sealed = f.data
		case tagAhead:
			s.Ahead = int(f.number)
		case tagOwed:
			s.Owed = uint32(f.number)
		case tagFirst:
			m.first = f.flag()
		case tagServerName:
			m.serverName = f.text()
		case tagCertificate:
			m.certs = append(m.certs, f.data)
		}
		return nil
	})
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
	t := c.broker.opts.Load().TLS
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
