package control

import (
	"context"
	"encoding/json"
	"time"
)

// Request is what a verb asks for.
type Request struct {
	Verb string `json:"verb"` // one of the Verb constants
	// Check makes VerbReload only look at the files: nothing changes.
	Check bool `json:"check,omitempty"`
	// Levels are VerbLogLevel's assignments, subsystem to level; the subsystem
	// "*" means all. Empty: only report the levels.
	Levels map[string]string `json:"levels,omitempty"`
	// Binary is the program of VerbUpgrade; empty: the one at the running one's path.
	Binary string `json:"binary,omitempty"`
	// Ask is what a verb wants to know or to do, in a form of its own: see [Ask].
	Ask json.RawMessage `json:"ask,omitempty"`
}

// Ask makes the request of a verb whose question has a form of its own.
func Ask(verb string, question any) (Request, error) {
	text, err := json.Marshal(question)
	return Request{Verb: verb, Ask: text}, err
}

// Answered is a response whose answer has a form of its own.
func Answered(answer any) Response {
	text, err := json.Marshal(answer)
	if err != nil {
		return Response{Error: "cannot encode the answer: " + err.Error()}
	}
	return Response{OK: true, Answer: text}
}

// The verbs a daemon understands.
const (
	VerbStatus   = "status"    // who runs, how it is, with which configuration
	VerbReload   = "reload"    // read the configuration again and apply it, or refuse it whole
	VerbStop     = "stop"      // graceful stop; answered when clients are gone
	VerbDrain    = "drain"     // lame duck mode; answered when clients are gone
	VerbLogLevel = "log-level" // change levels live
	VerbUpgrade  = "upgrade"   // another process takes over, with the connections; answered when it serves
	VerbHealth   = "health"    // where and as whom a health check may connect
)

// Response is the outcome of a Request.
type Response struct {
	OK bool `json:"ok"`
	// Error says why OK is false, in one line.
	Error string `json:"error,omitempty"`
	// Detail holds the long form of Error when there is one: for a refused
	// configuration every mistake with its place, ready to be printed.
	Detail  string            `json:"detail,omitempty"`
	Reload  *Reload           `json:"reload,omitempty"`
	Status  *Status           `json:"status,omitempty"`
	Levels  map[string]string `json:"levels,omitempty"`
	Health  *Health           `json:"health,omitempty"`
	Upgrade *Upgrade          `json:"upgrade,omitempty"`
	Answer  json.RawMessage   `json:"answer,omitempty"` // to Request.Ask
	// Follow is what goes on after the response: it says values, a line of JSON each, until it returns. Its context
	// ends when the peer hangs up and when the server stops; an error of say means that the peer does not read.
	Follow func(ctx context.Context, say func(v any) error) `json:"-"`
}

// Upgrade is the report of an upgrade.
type Upgrade struct {
	PID         int            `json:"pid"`     // of the process that serves now
	Version     string         `json:"version"` // its program's
	Connections int            `json:"connections"`
	Lost        map[string]int `json:"lost,omitempty"` // connections that were not kept, by reason
}

// Reload is the report of a reload.
type Reload struct {
	Changes  []Change `json:"changes"`
	Warnings []string `json:"warnings,omitempty"`
	File     string   `json:"file,omitempty"`
	Digest   string   `json:"digest,omitempty"`
	Files    []string `json:"files,omitempty"` // every file read
	Checked  bool     `json:"checked,omitempty"`
}

// Change is one option that differs. Values are as the configuration writes
// them, secrets masked.
type Change struct {
	Option string `json:"option"`
	Old    string `json:"old"`
	New    string `json:"new"`
	Class  string `json:"class"` // "live", "new connections", "restart"
	Where  string `json:"where,omitempty"`
}

// States of a daemon, from Status.State.
const (
	StateStarting = "starting"
	StateRunning  = "running"
	StatePaused   = "paused"
	StateDraining = "draining"
	StateStopping = "stopping"
)

// Status describes a running daemon.
type Status struct {
	State      string            `json:"state"`
	Text       string            `json:"text"`               // the line systemctl status shows
	Problems   []string          `json:"problems,omitempty"` // why `nats-broker status` exits 1
	Warnings   []string          `json:"warnings,omitempty"` // what one should know and may want so
	PID        int               `json:"pid"`
	Version    string            `json:"version"`
	ServerName string            `json:"server_name"`
	ServerID   string            `json:"server_id"`
	Started    time.Time         `json:"started"`
	Listeners  []Listener        `json:"listeners"`
	Config     Config            `json:"config"`
	Traffic    Traffic           `json:"traffic"`
	Streams    *Streams          `json:"streams,omitempty"` // nil: there is no JetStream
	Limits     Limits            `json:"limits"`
	Levels     map[string]string `json:"log_levels"`
	LogDrops   uint64            `json:"log_drops,omitempty"` // lines no log sink could take
}

// Listener is an address the daemon accepts on.
type Listener struct {
	Name      string `json:"name"` // client, monitor, cluster, profile
	Addr      string `json:"addr"`
	Inherited bool   `json:"inherited,omitempty"` // from socket activation
	URL       string `json:"url,omitempty"`       // of the monitor: where this machine reaches it
}

// Config tells which configuration is in effect.
type Config struct {
	File     string     `json:"file,omitempty"`
	Digest   string     `json:"digest,omitempty"`
	Files    []string   `json:"files,omitempty"`
	Loaded   time.Time  `json:"loaded"`
	Watching bool       `json:"watching"`
	LastGood bool       `json:"last_good,omitempty"` // serving with the copy of the last good one
	Refused  *time.Time `json:"refused,omitempty"`   // when a newer one was refused
	Error    string     `json:"error,omitempty"`     // why it was refused
}

// Traffic is the state of the core. Rates are per second over the last few
// seconds.
type Traffic struct {
	Clients       int     `json:"clients"`
	Routes        int     `json:"routes"`
	Subscriptions uint64  `json:"subscriptions"`
	SlowConsumers uint64  `json:"slow_consumers"`
	InMsgs        uint64  `json:"in_msgs"`
	OutMsgs       uint64  `json:"out_msgs"`
	InBytes       uint64  `json:"in_bytes"`
	OutBytes      uint64  `json:"out_bytes"`
	InMsgsRate    float64 `json:"in_msgs_rate"`
	OutMsgsRate   float64 `json:"out_msgs_rate"`
}

// Streams are those of JetStream. Sizes are in bytes.
type Streams struct {
	Folder     string `json:"folder,omitempty"` // of those in files
	Streams    int    `json:"streams"`
	Consumers  int    `json:"consumers"`
	Messages   uint64 `json:"messages"`
	Bytes      uint64 `json:"bytes"`
	Memory     uint64 `json:"memory"` // used, and how much may be
	MaxMemory  int64  `json:"max_memory"`
	Storage    uint64 `json:"storage"`
	MaxStorage int64  `json:"max_storage"`
	Free       uint64 `json:"free"`    // on the disk
	Need       uint64 `json:"need"`    // of it, for messages to be taken
	Lost       uint64 `json:"lost"`    // messages that were stored and cannot be read
	Refused    uint64 `json:"refused"` // messages that were not stored and nobody was told, since the start
	Waiting    uint64 `json:"waiting"` // messages that are taken and wait for their commit
	Resting    int    `json:"resting"` // consumers that wait for a page that cannot be read for now
	Requests   uint64 `json:"requests"`
	Errors     uint64 `json:"errors"` // of them
}

// Limits are those of the process.
type Limits struct {
	Files      uint64 `json:"files"`                // RLIMIT_NOFILE in effect
	Memory     int64  `json:"memory,omitempty"`     // GOMEMLIMIT in bytes, 0: none
	Processors int    `json:"processors,omitempty"` // GOMAXPROCS
}

// Health tells a health check how to reach the client port.
type Health struct {
	Addrs []string `json:"addrs"` // host:port or unix path of each client listener, dialable from this host
	TLS   bool     `json:"tls,omitempty"`
	First bool     `json:"tls_first,omitempty"` // the handshake comes before INFO, however late it is
	// User and Token are good for one connection within a few seconds, limited
	// to Subject; empty when clients need no credentials.
	User    string `json:"user,omitempty"`
	Token   string `json:"token,omitempty"`
	Subject string `json:"subject,omitempty"`
}
