package logging

import (
	"errors"
	"strconv"
	"syscall"
)

// The names of the fields that operators filter by, as journald spells them (upper case, no leading underscore; see
// systemd.journal-fields(7)). JSON lines carry the same names in lower case.
const (
	FieldClientID    = "NATS_CLIENT_ID"   // the connection's number ("cid" of the monitor)
	FieldAccount     = "NATS_ACCOUNT"     // account name
	FieldUser        = "NATS_USER"        // user name as shown by the monitor, never a secret
	FieldSubject     = "NATS_SUBJECT"     // subject concerned
	FieldRemote      = "NATS_REMOTE"      // peer as host:port
	FieldListener    = "NATS_LISTENER"    // listening address concerned
	FieldRoute       = "NATS_ROUTE"       // remote server's id or name
	FieldConfigFile  = "NATS_CONFIG_FILE" // configuration file concerned
	FieldOption      = "NATS_OPTION"      // configuration option concerned
	FieldReason      = "NATS_REASON"      // why, in a few words
	FieldCount       = "NATS_COUNT"       // how many, where one line stands for several
	FieldLost        = "NATS_LOST"        // how many of them not
	FieldCertificate = "NATS_CERTIFICATE" // certificate or key file concerned
	FieldExpires     = "NATS_EXPIRES"     // end of validity, RFC 3339
	FieldCause       = "NATS_CAUSE"       // who or what asked for it
	FieldChanges     = "NATS_CHANGES"     // how many options changed
	FieldStream      = "NATS_STREAM"      // stream concerned
	FieldStoreDir    = "NATS_STORE_DIR"   // folder that streams are kept in
	FieldFree        = "NATS_FREE"        // bytes that are free
	FieldNeed        = "NATS_NEED"        // bytes that have to be
	FieldSink        = "NATS_SINK"        // log destination concerned
	FieldLogFile     = "NATS_LOG_FILE"    // log file concerned
	FieldUID         = "NATS_UID"         // user of a peer on the control socket
	FieldSubsystem   = "NATS_SUBSYSTEM"   // set by the logger itself
	FieldError       = "NATS_ERROR"       // set by [Err]
	FieldErrno       = "ERRNO"            // set by [Err] when the error chain holds a system error number
)

type fieldKind uint8

const (
	kindString fieldKind = iota
	kindInt
	kindUint
	kindError
)

// Field is one structured value beside the human line. It goes to journald, JSON lines and RFC 5424 structured data,
// never into the line itself. Making one does not allocate; the value is rendered only if the line is written.
type Field struct {
	key  string
	str  string
	err  error
	num  uint64
	kind fieldKind
}

// String returns a text field.
func String(key, value string) Field { return Field{key: key, str: value} }

// Int returns a signed field.
func Int(key string, value int64) Field { return Field{key: key, num: uint64(value), kind: kindInt} }

// Uint returns an unsigned field.
func Uint(key string, value uint64) Field { return Field{key: key, num: value, kind: kindUint} }

// Err returns the error's text as [FieldError] and, when err wraps a system error, its number as [FieldErrno]. A nil
// error leaves both out.
func Err(err error) Field { return Field{key: FieldError, err: err, kind: kindError} }

// Key returns the field's journald name.
func (f Field) Key() string { return f.key }

// absent reports a field that is not written at all.
func (f Field) absent() bool { return f.key == "" || (f.kind == kindError && f.err == nil) }

// appendValue renders the value as text.
func (f Field) appendValue(b []byte) []byte {
	switch f.kind {
	case kindInt:
		return strconv.AppendInt(b, int64(f.num), 10)
	case kindUint:
		return strconv.AppendUint(b, f.num, 10)
	case kindError:
		if f.err == nil {
			return b
		}
		return append(b, f.err.Error()...)
	default:
		return append(b, f.str...)
	}
}

// Value returns the value as text.
func (f Field) Value() string {
	if f.kind == kindString {
		return f.str
	}
	return string(f.appendValue(nil))
}

// errno returns the system error number behind an error field.
func (f Field) errno() (syscall.Errno, bool) {
	if f.kind != kindError || f.err == nil {
		return 0, false
	}
	var no syscall.Errno
	if !errors.As(f.err, &no) || no == 0 {
		return 0, false
	}
	return no, true
}
