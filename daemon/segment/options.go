package segment

import (
	"crypto/rand"

	"github.com/nats-broker/nats-broker/daemon/stream"
)

// Options say how a [Log] keeps its records. The zero value is ready.
type Options struct {
	// Node is what logs share; nil: this one has its own.
	Node *Node

	// Segment is how large a file becomes. Default: a sixteenth of what the log holds, but 4 MiB at
	// least and 64 MiB at most, so that a small log takes little room that is not its messages'.
	Segment int64

	// Tail is how many bytes of records wait in memory for a file. Default 1 MiB. When they cannot
	// be written it grows to four times as much, and no further.
	Tail int

	// Rewrite is the share of a file that lives below which the file is written anew. Default 0.33;
	// 0.5 needs less room on the disk and more writing.
	Rewrite float64

	// Compress has pages written compressed, where that makes them smaller; see [Log.SetCompress].
	Compress bool

	// Changed is told when the bytes in memory that are not of the Node have changed: records
	// that wait for a file, and the table of subjects. It must not call the log. nil: nobody.
	Changed func(tail, table int64)

	// Closed is told when the log has been closed. nil: nobody.
	Closed func()

	// Report is told of what is wrong with the log's files, each thing once. It must not call the
	// log. nil: nobody.
	Report func(Report)

	// Random fills a key; nil: from the system.
	Random func([]byte)
}

// Report is something that is wrong with a log's files.
type Report struct {
	What string // for the log: a sentence's beginning, without a dot
	File string
	Lost stream.Range // the messages that it is about, or 0 to 0
	Err  error
}

// Unreadable is what a Report says of messages that are lost.
const Unreadable = "messages cannot be read"

func (o *Options) defaults() {
	if o.Node == nil {
		o.Node = NewNode(NodeOptions{})
	}
	if o.Tail == 0 {
		o.Tail = 1 << 20
	}
	if o.Rewrite == 0 {
		o.Rewrite = 0.33
	}
	if o.Changed == nil {
		o.Changed = func(int64, int64) {}
	}
	if o.Closed == nil {
		o.Closed = func() {}
	}
	if o.Report == nil {
		o.Report = func(Report) {}
	}
	if o.Random == nil {
		o.Random = func(b []byte) { rand.Read(b) } //nolint:errcheck // never fails
	}
}

// segment returns how large a file becomes now.
func (l *Log) segment() int64 {
	if l.o.Segment > 0 {
		return l.o.Segment
	}
	return min(max(int64(l.bytes/16), 4<<20), 64<<20)
}
