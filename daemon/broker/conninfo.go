package broker

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"strings"
	"time"
)

// ConnInfo describes a connection, open or closed.
type ConnInfo struct {
	CID                 uint64
	Kind, Type          string // "Client", "nats"
	IP                  string
	Port                int
	Start, LastActivity time.Time
	Stop                time.Time     // of a closed one
	Reason              string        // why it was closed
	RTT                 time.Duration // 0: not measured yet
	Pending             int64         // bytes waiting to be written
	Traffic
	NumSubs             int
	Name, Lang, Version string // as the client says
	Account             string
	User                string // as authenticated
	IssuerKey, NameTag  string
	ProxyKey            string // of the trusted proxy it came through
	Tags                []string
	JWT                 string
	TLS                 *TLSInfo  // nil: not encrypted; shared, not to be changed
	Subs                []SubInfo // if asked for
}

// TLSInfo describes a connection's encryption. It is made once, after the
// handshake, and holds on to no certificate.
type TLSInfo struct {
	Version, Cipher string // "1.3", "TLS_AES_128_GCM_SHA256"
	First           bool   // the handshake came before INFO
	Peer            []PeerCert
}

// PeerCert names a certificate the client has shown; the checksums are SHA-256
// in hex, of the public key and of the whole.
type PeerCert struct{ Subject, SPKI, Sum string }

func newTLSInfo(cs *tls.ConnectionState, first bool) *TLSInfo {
	i := &TLSInfo{Version: strings.TrimPrefix(tls.VersionName(cs.Version), "TLS "), Cipher: tls.CipherSuiteName(cs.CipherSuite), First: first}
	for _, cert := range cs.PeerCertificates {
		spki, whole := sha256.Sum256(cert.RawSubjectPublicKeyInfo), sha256.Sum256(cert.Raw)
		i.Peer = append(i.Peer, PeerCert{cert.Subject.String(), hex.EncodeToString(spki[:]), hex.EncodeToString(whole[:])})
	}
	return i
}

// SubInfo describes a subscription.
type SubInfo struct {
	Account, Subject, Queue, SID string
	Msgs, Max                    int64
	CID                          uint64
}

// Info describes the connection as it is, with its subscriptions if subs.
func (c *Client) Info(subs bool) *ConnInfo {
	ci := &ConnInfo{}
	c.Describe(ci)
	if subs {
		ci.Subs = c.Subscriptions(noLimit)
	}
	return ci
}

// Subscriptions describes the connection's subscriptions, at most so many.
func (c *Client) Subscriptions(most int) []SubInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]SubInfo, 0, min(c.subs.n, most))
	c.subs.all(func(s *Subscription) bool {
		if len(list) < most {
			list = append(list, s.info(c.acc))
		}
		return len(list) < most
	})
	return list
}

// EachSubscription describes the connection's subscriptions one after the other, without allocating, until f returns
// false; counted ones with the messages they got, which takes a look-up each. f is called with the connection's lock
// held, and must not wait or come back to the broker; the description is its to read until it returns.
func (c *Client) EachSubscription(counted bool, f func(*SubInfo) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var i SubInfo
	c.subs.all(func(s *Subscription) bool {
		i = s.named(c.acc)
		if counted {
			i.Msgs = s.delivered(c.acc.index)
		}
		return f(&i)
	})
}

// Describe fills in everything but the subscriptions, without allocating.
func (c *Client) Describe(ci *ConnInfo) {
	out := c.Out.Stats()
	c.mu.Lock()
	defer c.mu.Unlock()
	*ci = ConnInfo{} // field by field: the goroutine that ends a connection has 2 KiB of stack, and no room for a second one
	ci.CID, ci.Kind, ci.Type, ci.IP, ci.Port, ci.Start = c.cid, "Client", c.by.door.Type, c.ip, int(c.port), c.start
	ci.LastActivity, ci.RTT, ci.Pending = time.Unix(0, c.last.Load()), c.ping.rtt, out.Pending
	ci.InMsgs, ci.InBytes, ci.OutMsgs, ci.OutBytes = c.inMsgs.Load(), c.inBytes.Load(), int64(out.Msgs), int64(out.Bytes)
	ci.NumSubs, ci.Account, ci.TLS = c.subs.n, c.acc.name, c.tlsInfo
	if o := c.connect; o != nil {
		ci.Name, ci.Lang, ci.Version, ci.JWT = o.Name, o.Lang, o.Version, unsigned(o.JWT)
	}
	if w := c.who; w != nil {
		ci.User, ci.IssuerKey, ci.NameTag, ci.Tags, ci.ProxyKey = w.User, w.IssuerKey, w.NameTag, w.Tags, w.ProxyKey
	}
}

// info describes the subscription.
func (s *Subscription) info(a *Account) SubInfo {
	i := s.named(a)
	i.Msgs = s.delivered(a.index)
	return i
}

// named is info without the messages it got.
func (s *Subscription) named(a *Account) SubInfo {
	i := SubInfo{Account: a.name, Subject: s.Subject(), Queue: s.Queue(), SID: s.SID(), Max: s.max()}
	if s.client != nil {
		i.CID = s.client.cid
	}
	return i
}

// unsigned returns a JWT up to its signature: what it says can be read, but nobody can log in by it, as they could by
// that of a bearer. nats-server 2.15.3 shows the whole.
func unsigned(token string) string {
	return token[:strings.LastIndexByte(token, '.')+1]
}
