package logging

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// MessageID identifies a kind of line: a state an operator meets. It selects the entry of the message catalogue that
// `journalctl -x` shows under the line. The zero value is a line without an entry.
type MessageID uint16

// The catalogue's ids. Each has its row in the table of catalog_table.go.
const (
	NoID MessageID = iota
	ReloadRefused
	ReloadApplied
	LastGoodInUse
	ConfigWatchFailed
	ListenerFailed
	LameDuckEntered
	SlowConsumer
	FilesExhausted
	CertificateExpiring
	CertificateExpired
	CertificateReloadRefused
	RouteRefused
	RouteLost
	AuthenticationFailed
	AuthenticationThrottled
	PermissionsViolation
	ConnectionPanic
	LogLinesDropped
	LogSinkUnreachable
	LogRotationFailed
	HandoverLeft
	HandoverTaken
	HandoverFailed
	OpenToAll
	StorageFull
	StorageFailed
	StorageStuck
	StreamFailed
	MessagesLost
	ControlRefused
	MessagesWatched
	BrokerPaused
	BrokerResumed

	numMessageIDs
)

// valid reports an id with a row in the table.
func (id MessageID) valid() bool { return id > NoID && id < numMessageIDs }

// Name returns the id's short name as it appears in JSON lines and as RFC 5424's MSGID ("reload-refused"); empty for
// [NoID].
func (id MessageID) Name() string {
	if !id.valid() {
		return ""
	}
	return catalogue[id].name
}

// UUID returns the id's 128-bit number as 32 hexadecimal digits, which is journald's MESSAGE_ID; empty for [NoID].
func (id MessageID) UUID() string {
	if !id.valid() {
		return ""
	}
	return catalogue[id].uuid
}

// Fields returns the names of the fields that each line of the kind carries. The slice must not be changed.
func (id MessageID) Fields() []string {
	if !id.valid() {
		return nil
	}
	return catalogue[id].fields
}

// WriteCatalog writes every entry in the source format of journald's message catalogue.
// https://systemd.io/CATALOG
func WriteCatalog(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, "# Message catalogue of nats-broker, shown by journalctl -x.\n# Generated from daemon/logging; do not edit.\n")
	for id := NoID + 1; id < numMessageIDs; id++ {
		e := catalogue[id]
		fmt.Fprintf(b, "\n-- %s\nSubject: %s\nDefined-By: nats-broker\n", e.uuid, e.subject)
		fmt.Fprintf(b, "Support: https://github.com/nats-broker/nats-broker/issues\nDocumentation: man:nats-broker(8)\n\n")
		writeParagraph(b, e.explain)
		b.WriteByte('\n')
		writeParagraph(b, e.remedy)
	}
	return b.Flush()
}

// writeParagraph breaks text at words, so that no line is longer than a terminal is wide.
func writeParagraph(b *bufio.Writer, text string) {
	const width = 78
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
		case column+1+len(word) > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	b.WriteByte('\n')
}
