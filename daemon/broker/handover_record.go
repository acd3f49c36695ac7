package broker

import (
	"net"
	"net/netip"
)

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
	unread, unsent     []byte
	tls                *movedTLS // nil: not encrypted
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

// Tags of the whole.
const (
	tagID = iota + 1
	tagXKey
	tagLastCID
	tagTotal
	tagTraffic
	tagSlow
	tagStale
	tagTold
	tagAccount
	tagClient
)

// Tags of an account; those it shares with the whole are the same.
const (
	tagName = iota + 20
	tagReplyPrefix
	tagReply
	tagReplyID
	tagReplyTo
	tagReplySubject
	tagReplyExport
	tagReplyClass
	tagReplyThreshold
	tagReplyNow
)

// Tags of a connection.
const (
	tagCID = iota + 1
	tagSocket
	tagNetwork
	tagRemote
	tagStart
	tagLast
	tagHeard
	tagNonce
	tagConnected
	tagPonged
	tagConnect
	tagAccountName
	tagProof
	tagClientTraffic
	tagPings
	tagPinged
	tagRTT
	tagUnread
	tagUnsent
	tagSub
	tagAnswer
	tagTLS
	// tagTLSSocket is tagSocket of an encrypted connection. A version that does not know
	// tagTLS would go on in plain: it finds no socket, and closes the connection.
	tagTLSSocket
)

// Tags of a subscription and of an answer.
const (
	tagSubject = iota + 1
	tagSID
	tagQueue
	tagGot
	tagMax
	tagAsked
	tagCount
)

func (t *Traffic) write(w *fieldWriter) {
	w.number(1, uint64(t.InMsgs))
	w.number(2, uint64(t.InBytes))
	w.number(3, uint64(t.OutMsgs))
	w.number(4, uint64(t.OutBytes))
}

func (t *Traffic) read(b []byte) error {
	return readFields(b, func(f *field) error {
		switch f.tag {
		case 1:
			t.InMsgs = int64(f.number)
		case 2:
			t.InBytes = int64(f.number)
		case 3:
			t.OutMsgs = int64(f.number)
		case 4:
			t.OutBytes = int64(f.number)
		}
		return nil
	})
}

// connectTexts and connectFlags are the fields of CONNECT, in the order of their tags:
// texts from 1, flags from 50. A new one is added at the end.
func (o *ConnectOptions) connectTexts() []*string {
	return []*string{&o.Nkey, &o.JWT, &o.Sig, &o.Token, &o.User, &o.Pass, &o.Name, &o.Lang, &o.Version, &o.Account, &o.ProxySig}
}

func (o *ConnectOptions) connectFlags() []*bool {
	return []*bool{&o.Echo, &o.Verbose, &o.Pedantic, &o.TLSRequired, &o.NewAccount, &o.Headers, &o.NoResponders}
}

const (
	tagConnectFlags    = 50
	tagConnectProtocol = 100
)

func (o *ConnectOptions) write(w *fieldWriter) {
	for i, s := range o.connectTexts() {
		w.text(1+i, *s)
	}
	for i, b := range o.connectFlags() {
		w.flag(tagConnectFlags+i, *b)
	}
	w.number(tagConnectProtocol, uint64(o.Protocol))
}

func (o *ConnectOptions) read(b []byte) error {
	texts, flags := o.connectTexts(), o.connectFlags()
	return readFields(b, func(f *field) error {
		switch {
		case f.tag >= 1 && f.tag <= len(texts):
			*texts[f.tag-1] = f.text()
		case f.tag >= tagConnectFlags && f.tag < tagConnectFlags+len(flags):
			*flags[f.tag-tagConnectFlags] = f.flag()
		case f.tag == tagConnectProtocol:
			o.Protocol = int(f.number)
		}
		return nil
	})
}

// write writes the connection but for what is unsent, which the caller appends: its
// length is n.
func (c *movedClient) write(w *fieldWriter) {
	w.number(tagCID, c.cid)
	if c.tls == nil {
		w.number(tagSocket, c.socket)
	} else {
		w.number(tagTLSSocket, c.socket)
		w.group(tagTLS, c.tls.write)
	}
	w.text(tagNetwork, c.network)
	w.text(tagRemote, c.remote)
	w.number(tagStart, uint64(c.start))
	w.number(tagLast, uint64(c.last))
	w.number(tagHeard, uint64(c.heard))
	w.text(tagNonce, c.nonce)
	w.flag(tagConnected, c.connected)
	w.flag(tagPonged, c.ponged)
	if c.connect != nil {
		w.group(tagConnect, c.connect.write)
	}
	w.text(tagAccountName, c.account)
	w.bytes(tagProof, c.proof)
	w.group(tagClientTraffic, c.traffic.write)
	w.number(tagPings, c.pings)
	w.number(tagPinged, uint64(c.pinged))
	w.number(tagRTT, uint64(c.rtt))
	w.bytes(tagUnread, c.unread)
	for i := range c.subs {
		w.group(tagSub, c.subs[i].write)
	}
	for i := range c.answers {
		a := &c.answers[i]
		w.group(tagAnswer, func(w *fieldWriter) {
			w.text(tagSubject, a.reply)
			w.number(tagAsked, uint64(a.asked))
			w.number(tagCount, uint64(a.n))
		})
	}
}

func (s *movedSub) write(w *fieldWriter) {
	w.text(tagSubject, s.subject)
	w.text(tagSID, s.sid)
	w.text(tagQueue, s.queue)
	w.number(tagGot, uint64(s.got))
	w.number(tagMax, uint64(s.max))
}

func (c *movedClient) read(b []byte) error {
	var tlsSocket uint64
	err := readFields(b, func(f *field) error {
		switch f.tag {
		case tagCID:
			c.cid = f.number
		case tagSocket:
			c.socket = f.number
		case tagNetwork:
			c.network = f.text()
		case tagRemote:
			c.remote = f.text()
		case tagStart:
			c.start = int64(f.number)
		case tagLast:
			c.last = int64(f.number)
		case tagHeard:
			c.heard = int64(f.number)
		case tagNonce:
			c.nonce = f.text()
		case tagConnected:
			c.connected = f.flag()
		case tagPonged:
			c.ponged = f.flag()
		case tagConnect:
			c.connect = new(ConnectOptions)
			return c.connect.read(f.data)
		case tagAccountName:
			c.account = f.text()
		case tagProof:
			c.proof = f.data
		case tagClientTraffic:
			return c.traffic.read(f.data)
		case tagPings:
			c.pings = f.number
		case tagPinged:
			c.pinged = int64(f.number)
		case tagRTT:
			c.rtt = int64(f.number)
		case tagUnread:
			c.unread = f.data
		case tagUnsent:
			c.unsent = f.data
		case tagSub:
			return c.readSub(f.data)
		case tagAnswer:
			return c.readAnswer(f.data)
		case tagTLS:
			c.tls = &movedTLS{}
			return c.tls.read(f.data)
		case tagTLSSocket:
			tlsSocket = f.number
		}
		return nil
	})
	if c.tls != nil {
		c.socket = tlsSocket
	}
	return err
}

func (c *movedClient) readSub(b []byte) error {
	var s movedSub
	err := readFields(b, func(f *field) error {
		switch f.tag {
		case tagSubject:
			s.subject = f.text()
		case tagSID:
			s.sid = f.text()
		case tagQueue:
			s.queue = f.text()
		case tagGot:
			s.got = int64(f.number)
		case tagMax:
			s.max = int64(f.number)
		}
		return nil
	})
	c.subs = append(c.subs, s)
	return err
}

func (c *movedClient) readAnswer(b []byte) error {
	var a movedAnswer
	err := readFields(b, func(f *field) error {
		switch f.tag {
		case tagSubject:
			a.reply = f.text()
		case tagAsked:
			a.asked = int64(f.number)
		case tagCount:
			a.n = int(f.number)
		}
		return nil
	})
	c.answers = append(c.answers, a)
	return err
}

func (a *movedAccount) write(w *fieldWriter) {
	w.text(tagName, a.name)
	w.number(tagTotal, a.total)
	w.number(tagSlow, uint64(a.slow))
	w.group(tagTraffic, a.traffic.write)
	w.text(tagReplyPrefix, a.prefix)
	for _, c := range a.classes {
		w.group(tagReplyClass, func(w *fieldWriter) {
			w.number(tagReplyThreshold, uint64(c.threshold))
			w.number(tagReplyNow, uint64(c.now))
		})
	}
	for i := range a.replies {
		r := &a.replies[i]
		w.group(tagReply, func(w *fieldWriter) {
			w.text(tagReplyID, r.id)
			w.text(tagReplyTo, r.account)
			w.text(tagReplySubject, r.subject)
			w.text(tagReplyExport, r.export)
		})
	}
}

func (a *movedAccount) read(b []byte) error {
	return readFields(b, func(f *field) error {
		switch f.tag {
		case tagName:
			a.name = f.text()
		case tagTotal:
			a.total = f.number
		case tagSlow:
			a.slow = int64(f.number)
		case tagTraffic:
			return a.traffic.read(f.data)
		case tagReplyPrefix:
			a.prefix = f.text()
		case tagReplyClass:
			return a.readClass(f.data)
		case tagReply:
			return a.readReply(f.data)
		}
		return nil
	})
}

func (a *movedAccount) readClass(b []byte) error {
	var c movedClass
	err := readFields(b, func(f *field) error {
		switch f.tag {
		case tagReplyThreshold:
			c.threshold = int64(f.number)
		case tagReplyNow:
			c.now = int(f.number % replyGens)
		}
		return nil
	})
	a.classes = append(a.classes, c)
	return err
}

func (a *movedAccount) readReply(b []byte) error {
	var r movedReply
	err := readFields(b, func(f *field) error {
		switch f.tag {
		case tagReplyID:
			r.id = f.text()
		case tagReplyTo:
			r.account = f.text()
		case tagReplySubject:
			r.subject = f.text()
		case tagReplyExport:
			r.export = f.text()
		}
		return nil
	})
	a.replies = append(a.replies, r)
	return err
}

func (m *moved) write(w *fieldWriter) {
	w.text(tagID, m.id)
	w.text(tagXKey, m.xkey)
	w.number(tagLastCID, m.lastCID)
	w.number(tagTotal, m.total)
	w.group(tagTraffic, m.traffic.write)
	w.number(tagSlow, uint64(m.slow))
	w.number(tagStale, uint64(m.stale))
	w.bytes(tagTold, m.told)
	for i := range m.accounts {
		w.group(tagAccount, m.accounts[i].write)
	}
}

// readMoved reads a whole state. client is called for each connection, in their order.
func readMoved(b []byte, client func([]byte) error) (*moved, error) {
	m := &moved{}
	err := readFields(b, func(f *field) error {
		switch f.tag {
		case tagID:
			m.id = f.text()
		case tagXKey:
			m.xkey = f.text()
		case tagLastCID:
			m.lastCID = f.number
		case tagTotal:
			m.total = f.number
		case tagTraffic:
			return m.traffic.read(f.data)
		case tagSlow:
			m.slow = int64(f.number)
		case tagStale:
			m.stale = int64(f.number)
		case tagTold:
			m.told = f.data
		case tagAccount:
			var a movedAccount
			err := a.read(f.data)
			m.accounts = append(m.accounts, a)
			return err
		case tagClient:
			return client(f.data)
		}
		return nil
	})
	return m, err
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
