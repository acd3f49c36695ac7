package control

import "time"

// The verbs of the daily work, whose questions and answers have forms of their own: see [Ask].
const (
	VerbConnections = "connections"       // list connections: the question is that of /connz, the answer its answer
	VerbClose       = "connections close" // Close, Closed
	VerbSubscribers = "subscribers"       // SubscribersQuery, Subscribers
	VerbMay         = "may"               // MayQuery, May
	VerbChecks      = "health checks"     // ChecksQuery, []HealthCheck
	VerbPause       = "pause"             // Pause, Paused; answered when clients are gone, if it waits for that
	VerbResume      = "resume"            // no question; Paused
	VerbLatency     = "latency"           // Latency; answered as VerbHealth is, for a connection that lasts so long
	VerbReport      = "report"            // no question; ReportFile follow until the end
	VerbMask        = "report mask"       // Text, Text: without the broker's secrets
	VerbWatch       = "watch"             // Watch, Watching; then Watched until the end, the last with End
	VerbScrub       = "store scrub"       // Scrub, Scrubbed; answered at its end
)

// ConnectionsQuery selects and orders connections, in the words of the system account's CONNZ request.
type ConnectionsQuery struct {
	Sort          string `json:"sort,omitempty"`
	Auth          bool   `json:"auth,omitempty"`
	Subscriptions bool   `json:"subscriptions,omitempty"`
	Offset        int    `json:"offset,omitempty"`
	Limit         int    `json:"limit,omitempty"`
	CID           uint64 `json:"cid,omitempty"`
	State         int    `json:"state,omitempty"` // 0 open, 1 closed, 2 all
	User          string `json:"user,omitempty"`
	Account       string `json:"acc,omitempty"`
	FilterSubject string `json:"filter_subject,omitempty"`
}

// Close says which connections to close: those with the numbers, or all of a user, of an account, or of both.
type Close struct {
	CIDs    []uint64 `json:"cids,omitempty"`
	User    string   `json:"user,omitempty"`
	Account string   `json:"account,omitempty"`
	Reason  string   `json:"reason,omitempty"` // what the client is told; empty: nothing
}

// Closed lists the connections that were closed, and numbers that no connection has.
type Closed struct {
	CIDs    []uint64 `json:"closed"`
	Missing []uint64 `json:"missing,omitempty"`
}

// Scrub has everything that streams have in files read and verified.
type Scrub struct {
	Rate int64 `json:"rate,omitempty"` // bytes a second; 0: as the broker likes
}

// Scrubbed is what a scrub did.
type Scrubbed struct {
	Streams int           `json:"streams"`
	Bytes   uint64        `json:"bytes"`
	Lost    uint64        `json:"lost"` // messages that were found to be lost, and had not been before
	Took    time.Duration `json:"took"` // nanoseconds
}

// SubscribersQuery asks who would receive a message.
type SubscribersQuery struct {
	Subject string `json:"subject"`           // literal
	Account string `json:"account,omitempty"` // in which it is published; empty: $G
	Request bool   `json:"request,omitempty"` // it has a reply subject
	Limit   int    `json:"limit,omitempty"`   // at most this many receivers are listed; 0: MaxReceivers
}

// MaxReceivers bounds the receivers that are listed.
const MaxReceivers = 10000

// Subscribers are those who would receive a message.
type Subscribers struct {
	Account   string     `json:"account"`
	Subject   string     `json:"subject"`
	Total     int        `json:"total"` // also those that are not listed
	Receivers []Receiver `json:"receivers"`
}

// Receiver is somebody who would receive a message.
type Receiver struct {
	Kind    string `json:"kind"` // client, stream, server (a part of this one), route, leaf, hub, asker
	Account string `json:"account"`
	Subject string `json:"subject"` // as it is seen there
	Pattern string `json:"subscription,omitempty"`
	Queue   string `json:"queue,omitempty"`
	// Share is how many members there are of which one gets the message; 0: this one gets every message.
	Share    int      `json:"one_of,omitempty"`
	Last     bool     `json:"last,omitempty"` // gets it only if the queue group has nobody nearer
	CID      uint64   `json:"cid,omitempty"`
	SID      string   `json:"sid,omitempty"`
	Name     string   `json:"name,omitempty"` // a client's, a stream's, a server's
	User     string   `json:"user,omitempty"`
	Withheld bool     `json:"withheld,omitempty"` // the client's permissions keep it from it
	Via      []string `json:"via,omitempty"`      // mappings and imports, in order
}

// What MayQuery.Action can be.
const (
	Publish   = "publish"
	Subscribe = "subscribe"
)

// MayQuery asks whether a user may do something.
type MayQuery struct {
	User    string `json:"user"`
	Action  string `json:"action"`
	Subject string `json:"subject"`
	Queue   string `json:"queue,omitempty"` // of a subscription
}

// May says what a user may: one verdict of the configuration, or, where users come from elsewhere, one for each of its
// connections that has rights of its own.
type May struct {
	MayQuery
	Known    bool      `json:"known"` // false: the configuration has no such user, and none is connected
	Verdicts []Verdict `json:"verdicts"`
}

// Verdict is what somebody may, and why.
type Verdict struct {
	May     bool     `json:"may"`
	Why     string   `json:"why"`
	Held    []string `json:"held_back,omitempty"` // subjects of an allowed subscription that are kept from it
	Only    []string `json:"only_on,omitempty"`   // subjects of an allowed subscription that it gets, where that is not all that it asks for
	Account string   `json:"account"`
	CID     uint64   `json:"cid,omitempty"` // of the connection whose rights they are; 0: they are the configuration's
}

// ChecksQuery says from when on something is a warning, or critical.
type ChecksQuery struct {
	Peers         int `json:"peers,omitempty"` // servers expected in the cluster beside this one; 0: as many as routes are configured, but one
	CertWarn      int `json:"cert_warn"`       // days that a certificate has left
	CertCritical  int `json:"cert_critical"`
	LimitWarn     int `json:"limit_warn"` // percent of a limit, or of the disk
	LimitCritical int `json:"limit_critical"`
}

// What HealthCheck.Status can be.
const (
	CheckOK       = "ok"
	CheckWarning  = "warning"
	CheckCritical = "critical"
	CheckUnknown  = "unknown"
)

// HealthCheck is one thing that is well or not.
type HealthCheck struct {
	Name    string   `json:"name"`
	Status  string   `json:"status"`
	Detail  string   `json:"detail"`
	Figures []Figure `json:"figures,omitempty"`
}

// Figure is a number behind a check.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit,omitempty"` // "%", "B", "s"; empty: a count
}

// HealthChecks are the names of the checks that the broker makes, in their order.
func HealthChecks() []string {
	return []string{"state", "listeners", "certificates", "cluster", "leafnodes", "clients", "configuration", "disk"}
}

// Watch says which messages to show, and within which bounds.
type Watch struct {
	Subject string        `json:"subject"`           // pattern
	Account string        `json:"account,omitempty"` // empty: $G
	Bytes   int           `json:"bytes,omitempty"`   // of payload and header that are shown of each; 0: 256
	Rate    int           `json:"rate,omitempty"`    // messages that are shown in a second; 0: 100
	Count   int           `json:"count,omitempty"`   // ends after so many; 0: no such end
	For     time.Duration `json:"for,omitempty"`     // ends after this time; 0: one minute
}

// The bounds of Watch.
const (
	MaxWatchBytes = 4096
	MaxWatchRate  = 1000
	MaxWatchTime  = time.Hour
)

// Watching says which account is looked at.
type Watching struct {
	Account string `json:"account"`
}

// Watched is a message that was seen. What is secret in its content is masked, as far as it can be known; what is asked of
// the server itself is not shown at all.
type Watched struct {
	Time    time.Time `json:"time"`
	Subject string    `json:"subject,omitempty"`
	Reply   string    `json:"reply,omitempty"`
	From    string    `json:"from,omitempty"` // client, server, stream, route, leaf, hub
	CID     uint64    `json:"cid,omitempty"`  // of the client that published it
	Header  string    `json:"header,omitempty"`
	Payload string    `json:"payload,omitempty"`
	Binary  bool      `json:"binary,omitempty"` // Payload is in base64
	Hidden  bool      `json:"hidden,omitempty"` // header and payload are left out, since they may hold secrets
	// HeaderSize and Size are those of the whole header and payload, in bytes.
	HeaderSize int       `json:"header_size,omitempty"`
	Size       int       `json:"size"`
	End        *WatchEnd `json:"end,omitempty"` // the last line: no message
}

// WatchEnd sums up what was seen.
type WatchEnd struct {
	Seen   uint64 `json:"seen"`
	Shown  uint64 `json:"shown"`
	Missed uint64 `json:"missed"` // came faster than they may be shown
	Why    string `json:"why"`
}

// ReportFile is a part of a support bundle. Secrets are masked in it.
type ReportFile struct {
	Name    string `json:"name"`
	About   string `json:"about"` // what it is, in a few words
	Text    string `json:"text,omitempty"`
	Missing string `json:"missing,omitempty"` // why there is no text
}

// Text is text of the machine, about this broker.
type Text struct {
	Text string `json:"text"`
}

// MaxText is how long Text may be, in bytes: as JSON it may take six times that.
const MaxText = 8 << 10

// Pause says how clients are moved away.
type Pause struct {
	Keep bool `json:"keep,omitempty"` // those that are connected stay, though they are told
	// Grace is how long they have until the first is closed, Spread over which time they are closed. 0: as lame duck mode
	// is configured.
	Grace  time.Duration `json:"grace,omitempty"`
	Spread time.Duration `json:"spread,omitempty"`
	Wait   bool          `json:"wait,omitempty"` // answer when they are gone
}

// Paused is the outcome of a pause, and of its end.
type Paused struct {
	State   string `json:"state"`
	Clients int    `json:"clients"` // that are connected
}

// Latency says for how long round trips are to be measured.
type Latency struct {
	For time.Duration `json:"for"`
}

// MaxLatency bounds it.
const MaxLatency = time.Hour
