package logging

import (
	"os"
	"path/filepath"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
)

// Format is the shape of lines on standard error and in the file.
type Format uint8

// The formats: nats-server's text lines, or one JSON object per line.
const (
	FormatText Format = iota
	FormatJSON
)

// Options says where lines go and which are written. The zero value is nats-server's without a configuration file,
// but for Time, which nats-server has on: see [DefaultOptions].
//
// Sinks: every sink that is named gets every line. Standard error gets them when no other sink is named, or when Stderr
// asks for it. When standard error is the journal's stream, its lines go to journald natively, with their fields.
type Options struct {
	// Time puts a time stamp on text lines (-T, logtime); UTC writes it in UTC (logtime_utc).
	Time bool
	UTC  bool
	// Debug and Trace are -D and -V: two switches, not a scale. TraceVerbose (-VV) traces the system account too;
	// the broker asks for it with [Manager.TraceVerbose].
	Debug        bool
	Trace        bool
	TraceVerbose bool
	// TraceHeaders traces the headers of messages only (trace_headers).
	TraceHeaders bool
	// MaxTracedLen cuts traced payloads after so many bytes (max_traced_msg_len); 0 is unlimited.
	MaxTracedLen int
	// Levels overrides the switches for single subsystems.
	Levels map[string]Level

	// Stderr writes to standard error beside other sinks; without other sinks it is always written.
	Stderr bool
	// Format of standard error and file (log_format). Journald and syslog have structure of their own.
	Format Format

	// File is the log file's path (-l, log_file); empty for none.
	File string
	// FileLimit rotates the file once it exceeds so many bytes (log_size_limit); 0 never.
	FileLimit int64
	// FileMax is how many files are kept, the current one included (logfile_max_num); 0 keeps all.
	FileMax int

	// Syslog writes to the local daemon through /dev/log (-s, syslog).
	Syslog bool
	// Remote is the URL of a remote syslog receiver (-r, remote_syslog): udp://host:port, tcp://host:port,
	// tls://host:port or unix:///path; empty for none. The default port is 514, with tls 6514.
	Remote string
	// RemoteRFC5424 and RemoteRFC3164 say which format is spoken (syslog_format). With neither it is RFC 5424 over the
	// network, and the old BSD format to a socket of this machine: what listens there reads nothing else.
	RemoteRFC5424 bool
	RemoteRFC3164 bool
	// RemoteTLS is what tls:// trusts and presents.
	RemoteTLS RemoteTLS
	// RemoteQueue bounds the lines waiting for the remote receiver; 0 means 8192. Beyond it lines are dropped and
	// counted.
	RemoteQueue int

	// NoRepeatLimit writes every repetition of the same line, however fast they come.
	NoRepeatLimit bool
	// TailLines is how many lines [Manager.Tail] remembers; 0 means 1000. It is fixed at start.
	TailLines int

	// Identifier is the name in syslog and journal (the TAG, SYSLOG_IDENTIFIER); empty: the base name of argv[0].
	Identifier string
	// Version goes into RFC 5424's origin element.
	Version string
	// Journal is whether standard error is a stream of the journal; NoColor is whether $NO_COLOR is set.
	// [Options.FromEnvironment] sets both.
	Journal bool
	NoColor bool

	// For tests: where the machine's sockets are, what standard error is, who we are.
	seams seams
}

// RemoteTLS holds file names; they are read by New and Prepare, so that a bad one refuses the change.
type RemoteTLS struct {
	CAFile     string // PEM of the authorities trusted; empty: the system's
	CertFile   string // PEM of the certificate presented; empty: none
	KeyFile    string // its key
	ServerName string // name expected in the receiver's certificate; empty: the URL's host
}

// seams replaces parts of the surroundings in tests. Zero values mean the real thing.
type seams struct {
	stderr        *os.File
	pid           int
	devLog        string
	journalSocket string
	hostname      string
	location      *time.Location
}

// DefaultOptions returns what nats-server does when nothing is said: text lines with local time on standard error.
func DefaultOptions() Options { return Options{Time: true} }

// FromEnvironment takes over what the environment says about standard error. lookup is os.Getenv in the daemon.
func (o *Options) FromEnvironment(lookup func(string) string) {
	o.Journal, _ = journal.StderrIsJournalStream() // one that makes no sense is none
	o.NoColor = lookup("NO_COLOR") != ""
}

// withDefaults fills in what zero values stand for.
func (o Options) withDefaults() Options {
	if o.Identifier == "" && len(os.Args) > 0 {
		o.Identifier = filepath.Base(os.Args[0])
	}
	if o.RemoteQueue <= 0 {
		o.RemoteQueue = 8192
	}
	if o.TailLines <= 0 {
		o.TailLines = 1000
	}
	if o.seams.stderr == nil {
		o.seams.stderr = os.Stderr
	}
	if o.seams.pid == 0 {
		o.seams.pid = os.Getpid()
	}
	if o.seams.devLog == "" {
		o.seams.devLog = "/dev/log"
	}
	if o.seams.journalSocket == "" {
		o.seams.journalSocket = "/run/systemd/journal/socket"
	}
	if o.seams.hostname == "" {
		o.seams.hostname, _ = os.Hostname()
	}
	return o
}

// levels returns the set the switches stand for.
func (o Options) levels() levelSet {
	s := setFrom(Info)
	if o.Debug {
		s |= 1 << Debug
	}
	if o.Trace {
		s |= 1 << Trace
	}
	return s
}

// text returns the line format for a sink; colour is the sink's business.
func (o Options) text(colored bool) textFormat {
	return textFormat{pid: o.seams.pid, time: o.Time, utc: o.UTC, colored: colored, location: o.seams.location}
}
