package record

import "fmt"

// Alert is a description of an alert: RFC 8446, section 6.
type Alert byte

// The alerts that this side sends.
const (
	CloseNotify       Alert = 0
	UnexpectedMessage Alert = 10
	BadRecordMAC      Alert = 20
	RecordOverflow    Alert = 22
	IllegalParameter  Alert = 47
	DecodeError       Alert = 50
	ProtocolVersion   Alert = 70

	userCanceled Alert = 90
)

// level is 1 for what ends a session in peace, 2 for all else.
func (a Alert) level() byte {
	if a == CloseNotify {
		return 1
	}
	return 2
}

// ProtocolError is what is wrong with what came from the peer, and the alert that tells
// it so.
type ProtocolError struct {
	Alert Alert
	what  string
}

func (e *ProtocolError) Error() string { return fmt.Sprintf("tls: %s (alert %d)", e.what, e.Alert) }

// RemoteAlert is the alert by which the peer has ended the session.
type RemoteAlert Alert

func (a RemoteAlert) Error() string { return fmt.Sprintf("tls: the peer sent alert %d", byte(a)) }
