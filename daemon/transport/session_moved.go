package transport

import (
	"errors"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/record"
)

// Session is what an encrypted connection consists of beyond its plain bytes, at rest.
// Who has it can read and write as either side does: it goes to the next process and
// nowhere else. One process may go on with it: a second one would seal other data under
// the same numbers, which gives both away. It refers to memory of the Conn, but for the
// secrets.
type Session struct {
	Suite uint16 // of TLS 1.3, by its number there

	// The traffic secrets in use, from the peer and to it, and the numbers of the next
	// records under them.
	FromPeer, ToPeer       []byte
	FromPeerSeq, ToPeerSeq uint64

	Unopened []byte // read from the peer and not decrypted
	// Sealed is what is encrypted and not written: a part of the records of the first
	// Ahead bytes that are unsent, up to the end of the last one.
	Sealed []byte
	Ahead  int
	Owed   uint32 // what the peer is to be told before the next data
}

// ErrSession means that a session does not hold what belongs to it.
var ErrSession = errors.New("the state of an encrypted connection is damaged")

// Wipe overwrites the secrets.
func (s *Session) Wipe() {
	clear(s.FromPeer)
	clear(s.ToPeer)
}

// describe writes the session down. Nobody reads or writes any more.
func (s *session) describe(ahead int) *Session {
	in, out := s.opener.Keys(), s.sealer.Keys()
	m := &Session{
		Suite: s.suite, FromPeer: in.Secret, FromPeerSeq: in.Seq, ToPeer: out.Secret, ToPeerSeq: out.Seq,
		Unopened: s.input(), Ahead: ahead, Owed: s.owed.Load(),
	}
	if s.blk != nil {
		m.Sealed = s.blk.Bytes()[s.at:s.end]
	}
	return m
}

// restore makes the session anew, and returns how many of the bytes to be sent it has
// encrypted already; with frames between, they know.
func (m *Session) restore(fd int, framed bool) (*session, int, error) {
	if m.Ahead < 0 || !framed && (len(m.Sealed) > 0) != (m.Ahead > 0) || framed && m.Ahead > 0 {
		return nil, 0, ErrSession
	}
	s, err := newSession(fd, m.Suite, record.Keys{Secret: m.FromPeer, Seq: m.FromPeerSeq}, record.Keys{Secret: m.ToPeer, Seq: m.ToPeerSeq})
	if err != nil {
		return nil, 0, err
	}
	s.feed(m.Unopened)
	s.owed.Store(m.Owed)
	if len(m.Sealed) > 0 {
		s.blk = batch.NewBlock(len(m.Sealed))
		s.end = copy(s.blk.Bytes(), m.Sealed)
	}
	return s, m.Ahead, nil
}
