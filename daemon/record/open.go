package record

import (
	"fmt"
	"io"
)

// The only message after the handshake: RFC 8446, section 4.6.3.
const (
	keyUpdate       = 24
	keyUpdateLen    = 5
	updateRequested = 1
)

// maxIdle is how many records without data may follow each other, as in crypto/tls: they
// cost work and bring nothing.
const maxIdle = 16

// Opener takes records apart that came in.
type Opener struct {
	half
	idle  int
	asked bool
	err   error // why it is at its end
}

// NewOpener goes on behind the last record of k, whose secret is copied. The suite is
// one of TLS 1.3, by its number there.
func NewOpener(suite uint16, k Keys) (*Opener, error) {
	o := &Opener{}
	if err := o.begin(suite, k); err != nil {
		return nil, err
	}
	return o, nil
}

// Next returns the length of the record that in begins with, 0 if that is not known yet:
// HeaderLen bytes say it.
func (o *Opener) Next(in []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	if len(in) < HeaderLen {
		return 0, nil
	}
	n := int(in[3])<<8 | int(in[4])
	switch {
	case in[0] != typeApplication:
		return 0, o.fail(UnexpectedMessage, "a record that is not encrypted")
	case in[1] != 3 || in[2] != 3:
		return 0, o.fail(ProtocolVersion, "a record of another version")
	case n > maxSealed:
		return 0, o.fail(RecordOverflow, "a record that is too long")
	}
	return HeaderLen + n, nil
}

// Open takes apart the record that rec is, of the length that Next has told, and returns
// the data in it, which may be none. They lie behind dst's, if it has room for as many bytes as
// rec is long, otherwise in rec, whose content is lost in any case. The error is io.EOF
// when the peer has said that nothing follows, a [ProtocolError], or a [RemoteAlert].
func (o *Opener) Open(dst, rec []byte) ([]byte, error) {
	if o.err != nil {
		return nil, o.err
	}
	sealed := rec[HeaderLen:]
	if cap(dst)-len(dst) < len(sealed)-tagLen {
		dst = sealed[:0]
	}
	if err := o.number(); err != nil {
		o.err = err
		return nil, err
	}
	copy(o.head[:], rec)
	all, err := o.aead.Open(dst, o.nonce[:], sealed, o.head[:])
	if err != nil {
		return nil, o.fail(BadRecordMAC, "a record that is not the peer's, or not the next one")
	}
	inner := all[len(dst):]
	if len(inner) > MaxPlain+1 {
		return nil, o.fail(RecordOverflow, "a record with too much in it")
	}
	end := len(inner) - 1
	for end >= 0 && inner[end] == 0 {
		end--
	}
	if end < 0 {
		return nil, o.fail(UnexpectedMessage, "a record of no type")
	}
	return o.content(inner[end], inner[:end])
}

func (o *Opener) content(typ byte, p []byte) ([]byte, error) {
	if typ == typeApplication && len(p) > 0 {
		o.idle = 0
		return p, nil
	}
	if o.idle++; o.idle > maxIdle {
		return nil, o.fail(UnexpectedMessage, "too many records without data")
	}
	switch typ {
	case typeApplication:
		return nil, nil
	case typeAlert:
		return nil, o.alert(p)
	case typeHandshake:
		return nil, o.handshake(p)
	}
	return nil, o.fail(UnexpectedMessage, fmt.Sprintf("a record of type %d", typ))
}

func (o *Opener) alert(p []byte) error {
	if len(p) != 2 {
		return o.fail(DecodeError, "an alert that is none")
	}
	switch a := Alert(p[1]); a {
	case userCanceled:
		return nil
	case CloseNotify:
		o.err = io.EOF
	default:
		o.err = RemoteAlert(a)
	}
	return o.err
}

func (o *Opener) handshake(p []byte) error {
	switch {
	case len(p) == 0 || p[0] != keyUpdate:
		return o.fail(UnexpectedMessage, "a handshake message out of time")
	case len(p) != keyUpdateLen || p[1] != 0 || p[2] != 0 || p[3] != 1:
		return o.fail(UnexpectedMessage, "a KeyUpdate that does not fill its record")
	case p[4] > updateRequested:
		return o.fail(IllegalParameter, "a KeyUpdate that means nothing")
	}
	o.asked = o.asked || p[4] == updateRequested
	if err := o.update(); err != nil {
		o.err = err
		return err
	}
	return nil
}

// Asked reports whether the peer has asked for another key of ours since the last call.
func (o *Opener) Asked() bool {
	asked := o.asked
	o.asked = false
	return asked
}

// Worn reports whether the peer has used its key often enough, and is to be asked for
// another one.
func (o *Opener) Worn() bool { return o.seq >= o.worn }

func (o *Opener) fail(a Alert, what string) error {
	o.err = &ProtocolError{a, what}
	return o.err
}
