package broker

import (
	"net"
	"net/netip"

	"github.com/nats-broker/nats-broker/daemon/fields"
)

// What is handed over is written in tagged fields (package fields), so that versions of
// the program that are not the same read each other's. testdata/handover holds what
// released versions wrote.

// moved is what one process tells the next, but for the connections.
type moved struct {
	id, xkey string // the server's
	lastCID  uint64
	total    uint64 // connections ever
	traffic  Traffic
	slow     int64
	stale    int64
	told     []byte // INFO as clients know it
	accounts []movedAccount
	clients  [][]byte // each a [movedClient]
}

// movedAccount is an account's figures, and the requests to its services that wait
// for an answer.
type movedAccount struct {
	name    string
	total   uint64
	slow    int64
	traffic Traffic
	prefix  string // of the reply subjects
	classes []movedClass
	replies []movedReply
}

// movedClass is a class of requests, see [replyClass]; its place says which.
type movedClass struct {
	threshold int64
	now       int
}

// movedReply is one request that may still be answered.
type movedReply struct {
	id, account, subject string
	export               string
}

// movedClient is one connection.
type movedClient struct {
	cid, socket        uint64
	network, remote    string
	start, last, heard int64 // unix nanoseconds
	nonce              string
	connected, ponged  bool
	connect            *ConnectOptions // nil: none yet
	account            string
	proof              []byte // the authenticator's
	traffic            Traffic
	pings              uint64 // not answered
	pinged, rtt        int64
	unread             []byte
	unsent             []byte       // read from a state
	toSend             int          // its length, where it is written by somebody else
	tls                *movedTLS    // nil: not encrypted
	frames             *movedFrames // nil: not of WebSocket
	door, via          string       // that it came by; empty: that which the options describe
	subs               []movedSub
	answers            []movedAnswer
}

type movedSub struct {
	subject, sid, queue string
	got, max            int64
}

// movedAnswer is a message that may be answered.
type movedAnswer struct {
	reply string
	asked int64
	n     int
}

// tagClient is the tag of a connection in the whole.
const tagClient = 10

// Fields implements [fields.Record].
func (m *moved) Fields(f *fields.Codec) {
	f.Text(1, &m.id)
	f.Text(2, &m.xkey)
	fields.Number(f, 3, &m.lastCID)
	fields.Number(f, 4, &m.total)
	f.Group(5, &m.traffic)
	fields.Number(f, 6, &m.slow)
	fields.Number(f, 7, &m.stale)
	f.Bytes(8, &m.told)
	fields.List(f, 9, &m.accounts)
	f.Blocks(tagClient, &m.clients)
}

// Fields implements [fields.Record].
func (t *Traffic) Fields(f *fields.Codec) {
	fields.Number(f, 1, &t.InMsgs)
	fields.Number(f, 2, &t.InBytes)
	fields.Number(f, 3, &t.OutMsgs)
	fields.Number(f, 4, &t.OutBytes)
}

func (a *movedAccount) Fields(f *fields.Codec) {
	fields.Number(f, 4, &a.total)
	f.Group(5, &a.traffic)
	fields.Number(f, 6, &a.slow)
	f.Text(20, &a.name)
	f.Text(21, &a.prefix)
	fields.List(f, 22, &a.replies)
	fields.List(f, 27, &a.classes)
}

func (r *movedReply) Fields(f *fields.Codec) {
	f.Text(23, &r.id)
	f.Text(24, &r.account)
	f.Text(25, &r.subject)
	f.Text(26, &r.export)
}

func (c *movedClass) Fields(f *fields.Codec) {
	fields.Number(f, 28, &c.threshold)
	fields.Number(f, 29, &c.now)
}

// Fields implements [fields.Record]. The sockets of encrypted connections, and those of
// WebSocket, have tags of their own: a version that does not know tag 22, or 24, would go
// on in plain, but finds no socket and closes the connection.
func (c *movedClient) Fields(f *fields.Codec) {
	plain, encrypted, framed := c.socket, uint64(0), uint64(0)
	switch {
	case c.frames != nil:
		plain, framed = 0, c.socket
	case c.tls != nil:
		plain, encrypted = 0, c.socket
	}
	fields.Number(f, 1, &c.cid)
	fields.Number(f, 2, &plain)
	f.Text(3, &c.network)
	f.Text(4, &c.remote)
	fields.Number(f, 5, &c.start)
	fields.Number(f, 6, &c.last)
	fields.Number(f, 7, &c.heard)
	f.Text(8, &c.nonce)
	f.Flag(9, &c.connected)
	f.Flag(10, &c.ponged)
	fields.Optional(f, 11, &c.connect)
	f.Text(12, &c.account)
	f.Bytes(13, &c.proof)
	f.Group(14, &c.traffic)
	fields.Number(f, 15, &c.pings)
	fields.Number(f, 16, &c.pinged)
	fields.Number(f, 17, &c.rtt)
	f.Bytes(18, &c.unread)
	f.Gap(19, &c.unsent, c.toSend)
	fields.List(f, 20, &c.subs)
	fields.List(f, 21, &c.answers)
	fields.Optional(f, 22, &c.tls)
	fields.Number(f, 23, &encrypted)
	fields.Optional(f, 24, &c.frames)
	f.Text(25, &c.door)
	f.Text(26, &c.via)
	fields.Number(f, 27, &framed)
	switch c.socket = plain; {
	case c.frames != nil:
		c.socket = framed
	case c.tls != nil:
		c.socket = encrypted
	}
}

func (s *movedSub) Fields(f *fields.Codec) {
	f.Text(1, &s.subject)
	f.Text(2, &s.sid)
	f.Text(3, &s.queue)
	fields.Number(f, 4, &s.got)
	fields.Number(f, 5, &s.max)
}

func (a *movedAnswer) Fields(f *fields.Codec) {
	f.Text(1, &a.reply)
	fields.Number(f, 6, &a.asked)
	fields.Number(f, 7, &a.n)
}

// Fields implements [fields.Record].
func (o *ConnectOptions) Fields(f *fields.Codec) {
	f.Text(1, &o.Nkey)
	f.Text(2, &o.JWT)
	f.Text(3, &o.Sig)
	f.Text(4, &o.Token)
	f.Text(5, &o.User)
	f.Text(6, &o.Pass)
	f.Text(7, &o.Name)
	f.Text(8, &o.Lang)
	f.Text(9, &o.Version)
	f.Text(10, &o.Account)
	f.Text(11, &o.ProxySig)
	f.Flag(50, &o.Echo)
	f.Flag(51, &o.Verbose)
	f.Flag(52, &o.Pedantic)
	f.Flag(53, &o.TLSRequired)
	f.Flag(54, &o.NewAccount)
	f.Flag(55, &o.Headers)
	f.Flag(56, &o.NoResponders)
	fields.Number(f, 100, &o.Protocol)
}

// addr is the peer's address.
func (c *movedClient) addr() net.Addr {
	if c.network == "tcp" {
		if a, err := netip.ParseAddrPort(c.remote); err == nil {
			return net.TCPAddrFromAddrPort(a)
		}
	}
	return &net.UnixAddr{Name: c.remote, Net: "unix"}
}
