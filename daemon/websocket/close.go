package websocket

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Status codes of close frames: RFC 6455, section 7.4.1.
const (
	CloseNormal        = 1000
	CloseGoingAway     = 1001
	CloseProtocolError = 1002
	CloseBadPayload    = 1007
	ClosePolicy        = 1008
	CloseTooBig        = 1009
	CloseInternal      = 1011
	CloseTLS           = 1015 // nats-server 2.15.3 says it, though it is reserved

	closeNone     = 1005
	closeReserved = 1004
	closeAbnormal = 1006
)

// validStatus reports whether a peer may close with a code.
func validStatus(code int) bool {
	switch code {
	case closeNone, closeReserved, closeAbnormal, CloseTLS:
		return false
	}
	return code >= 1000 && code < 5000 && (code < 1016 || code >= 3000)
}

// AppendClose appends the payload of a close frame. A text that is too long is cut, at the end of a character, and ends
// in dots.
func AppendClose(b []byte, code int, text string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(code))
	const most = MaxControl - 2
	if len(text) <= most {
		return append(b, text...)
	}
	n := most - 3
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return append(append(b, text[:n]...), "..."...)
}

// AnswerClose returns the payload of the close frame that answers one of a peer: the same status and reason, nothing if
// it had none. A frame that is not valid is answered as the error says.
func AnswerClose(payload []byte) ([]byte, error) {
	switch len(payload) {
	case 0:
		return nil, nil
	case 1:
		return nil, &ProtocolError{CloseProtocolError, "close frame payload cannot be 1 byte"}
	}
	code := int(binary.BigEndian.Uint16(payload))
	if !validStatus(code) {
		return nil, &ProtocolError{CloseProtocolError, fmt.Sprintf("invalid close status code %d", code)}
	}
	if !utf8.Valid(payload[2:]) {
		return AppendClose(nil, CloseBadPayload, "invalid utf8 body in close frame"), nil
	}
	return append([]byte(nil), payload...), nil
}

// ProtocolError is what a peer did wrong, with the status and the text of the close frame that tells it so.
type ProtocolError struct {
	Code int
	Text string
}

func (e *ProtocolError) Error() string { return e.Text }
