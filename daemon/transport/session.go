package transport

import (
	"bytes"
	"crypto/fips140"
	"crypto/tls"
	"encoding/hex"
	"io"
	"sync/atomic"
	"syscall"

	"github.com/nats-broker/nats-broker/daemon/batch"
	"github.com/nats-broker/nats-broker/daemon/record"
)

// session is a TLS 1.3 connection after its handshake: the source that decrypts and the
// filter that encrypts. Other than with crypto/tls, all of it can be written down and
// given to another process, see [Session].
//
// The reader has the one direction and the queue's one writer the other. What the reader
// wants to be said it leaves to the writer, in owed: a KeyUpdate has to come before the
// next data only, and an alert at the end.
type session struct {
	suite  uint16
	intake // what is not decrypted
	opener *record.Opener
	plain  []byte // decrypted, and not read: a part of the intake's block
	begged bool   // the peer was asked for another key, and has not changed it

	owed atomic.Uint32 // what the writer is to say
	last atomic.Uint32 // the alert to end with

	sealer *record.Sealer
	blk    *batch.Block // encrypted, and not written; nil while that is nothing
	at     int
	end    int
}

// What the writer owes.
const (
	owesUpdate  = 1 << iota // another key, since the peer asked for one
	owesRequest             // the same, and the request for another one of the peer
)

// sealPiece is how much is encrypted before the wire is asked how much it takes: as many
// full records as a block holds.
const sealPiece = batch.Read - 256

func newSession(fd int, suite uint16, in, out record.Keys) (*session, error) {
	s := &session{suite: suite, intake: intake{fd: fd}}
	var err error
	if s.opener, err = record.NewOpener(suite, in); err != nil {
		return nil, err
	}
	if s.sealer, err = record.NewSealer(suite, out); err != nil {
		return nil, err
	}
	return s, nil
}

// Read decrypts what has come, as much as fits. Without data it fails with
// os.ErrDeadlineExceeded.
func (s *session) Read(p []byte) (n int, err error) {
	defer s.note(&err)
	for {
		if len(s.plain) > 0 {
			k := copy(p[n:], s.plain)
			n, s.plain = n+k, s.plain[k:]
			if len(s.plain) > 0 {
				return n, nil
			}
		}
		in := s.input()
		size, err := s.opener.Next(in)
		switch {
		case err != nil && n == 0:
			return 0, err
		case err != nil || n > 0 && (size == 0 || size > len(in) || size > len(p)-n):
			return n, nil // the rest comes with the next call
		case size == 0 || size > len(in):
			if err := s.fill(max(size, record.HeaderLen)); err != nil {
				return 0, s.cutOff(err)
			}
			continue
		}
		s.from += size
		dst, fits := p[n:n:len(p)], size <= len(p)-n
		if !fits {
			dst = nil
		}
		data, err := s.opener.Open(dst, in[:size])
		switch {
		case err != nil && n == 0:
			return 0, err
		case err != nil:
			return n, nil // the error comes with the next call
		case fits:
			n += len(data)
		default:
			s.plain = data
		}
	}
}

// cutOff tells an end in the middle of a record from one between two.
func (s *session) cutOff(err error) error {
	if err == io.EOF && s.from < s.to {
		return io.ErrUnexpectedEOF
	}
	return err
}

// note leaves to the writer what there is to say after a Read.
func (s *session) note(err *error) {
	if s.opener.Asked() {
		s.owed.Or(owesUpdate)
	}
	if worn := s.opener.Worn(); worn != s.begged {
		s.begged = worn
		if worn {
			s.owed.Or(owesRequest)
		}
	}
	if e, ok := (*err).(*record.ProtocolError); ok {
		s.last.Store(uint32(e.Alert))
	}
}

func (s *session) piece() int { return sealPiece }

func (s *session) take(p []byte) (err error) {
	s.blk = batch.NewBlock(record.Room(len(p)))
	b := s.blk.Bytes()[:0]
	if owed := s.owed.Swap(0); owed != 0 {
		if b, err = s.sealer.Update(b, owed&owesRequest != 0); err != nil {
			return err
		}
	}
	b, err = s.sealer.Seal(b, p)
	s.at, s.end = 0, len(b)
	return err
}

func (s *session) flush() syscall.Errno {
	for s.at < s.end {
		n, errno := writeNow(s.fd, s.blk.Bytes()[s.at:s.end])
		s.at += n
		if errno != 0 {
			return errno
		}
	}
	if s.blk != nil {
		s.blk.Release()
		s.blk, s.at, s.end = nil, 0, 0
	}
	return 0
}

func (s *session) slow(int64) bool { return false }

// farewell tells the peer that nothing follows, or what was wrong, unless it is in the
// middle of a record that it does not take. Nobody reads or writes any more.
func (s *session) farewell() {
	if s.flush() == 0 {
		var b [64]byte
		if rec, err := s.sealer.Alert(b[:0], record.Alert(s.last.Load())); err == nil {
			_, _ = writeNow(s.fd, rec) // whoever does not take it misses nothing
		}
	}
	s.forget()
}

// forget overwrites the keys.
func (s *session) forget() {
	s.opener.Wipe()
	s.sealer.Wipe()
}

// keyLog takes the secrets of one handshake from crypto/tls, which says them to nobody
// else. They go nowhere but into the session.
type keyLog struct {
	client, server []byte
	tickets        *ticketing // nil: none are sent
}

// Write takes one line of the NSS key log: label, client random, secret.
func (k *keyLog) Write(p []byte) (int, error) {
	f := bytes.Fields(p)
	if len(f) != 3 {
		return len(p), nil
	}
	var to *[]byte
	switch string(f[0]) {
	case "CLIENT_TRAFFIC_SECRET_0":
		to = &k.client
	case "SERVER_TRAFFIC_SECRET_0":
		to = &k.server
	default:
		return len(p), nil
	}
	*to = make([]byte, hex.DecodedLen(len(f[2])))
	if _, err := hex.Decode(*to, f[2]); err != nil {
		*to = nil
	}
	return len(p), nil
}

// session makes the accepting side's session of a handshake that is done, nil if
// crypto/tls is to go on with it: it is not TLS 1.3.
func (k *keyLog) session(fd int, state *tls.ConnectionState) *session {
	if k == nil || state.Version != tls.VersionTLS13 {
		return nil
	}
	in, out := record.Keys{Secret: k.client}, record.Keys{Secret: k.server}
	if k.tickets != nil {
		out.Seq = k.tickets.sent
	}
	s, err := newSession(fd, state.CipherSuite, in, out)
	in.Wipe()
	out.Wipe()
	if err != nil {
		return nil // a suite that is newer than this program
	}
	return s
}

// carries prepares a handshake for a session that can be carried to another process: its secrets are kept. The first
// record from the peer is number 0, and the first to it comes behind the tickets, which are sent under the same key.
func (t *TLS) carries(c *tls.Config, tickets *ticketing) *keyLog {
	if !t.opts.Carry || fips140.Enabled() { // where crypto/tls must count the nonces
		return nil
	}
	k := &keyLog{tickets: tickets}
	c.KeyLogWriter = k
	return k
}
