package msgtrace

import "time"

// Kind is what a message came from, or went to.
type Kind int

// The kinds that are seen (nats-server 2.15.3).
const (
	Client Kind = 0
	Route  Kind = 1
	Leaf   Kind = 4
)

// Why somebody was not given a message (nats-server 2.15.3). That a subscription is closed, or a consumer slow, does not happen
// here: what has ended is in no plan, and nobody is left out for being slow.
const (
	NotSupportedOnly = "Not delivered because remote does not support message tracing"
	NotSupported     = "Message delivered but remote does not support message tracing so no trace event generated from there"
	NoEcho           = "Not delivered because of no echo"
	PublishDenied    = "Not delivered because publish denied for this subject"
	SubscribeDenied  = "Not delivered because subscription denies this subject"
	ClientClosed     = "Not delivered because client is closed"
	LimitExceeded    = "Not delivered because auto-unsubscribe exceeded"
)

// head is what all events have.
type head struct {
	Type string    `json:"type"`
	Time time.Time `json:"ts"`
}

// Ingress is how the message came in.
type Ingress struct {
	head
	Kind    Kind   `json:"kind"`
	ID      uint64 `json:"cid"` // of the connection
	Name    string `json:"name,omitempty"`
	Account string `json:"acc"`
	Subject string `json:"subj"`
	Error   string `json:"error,omitempty"`
}

// Came makes the event of a message that came at some time.
func Came(at time.Time, e Ingress) Ingress {
	e.Time = at
	return e
}

type mapping struct {
	head
	To string `json:"to"`
}

type listening struct {
	head
	Account string `json:"acc"`
	To      string `json:"to"`
}

// Service is an import of a service that the message went by.
type Service struct {
	head
	Account string `json:"acc"`
	From    string `json:"from"`
	To      string `json:"to"`
}

// Stream is a stream that the message came to.
type Stream struct {
	head
	Stream     string `json:"stream"`
	Subject    string `json:"subject,omitempty"`
	NoInterest bool   `json:"nointerest,omitempty"`
	Error      string `json:"error,omitempty"`
}

// Decision is what a stream has decided.
type Decision struct {
	Time       time.Time
	Subject    string // under which the message is stored
	NoInterest bool   // it is not, since no consumer wants it
	Error      string // why it is not; empty: it is
}

// Egress is somebody who was given the message, or was not.
type Egress struct {
	head
	Kind         Kind   `json:"kind"`
	ID           uint64 `json:"cid"`
	Name         string `json:"name,omitempty"`
	Hop          string `json:"hop,omitempty"`
	Account      string `json:"acc,omitempty"` // if it is another than that of the ingress
	Subscription string `json:"sub,omitempty"`
	Queue        string `json:"queue,omitempty"`
	Error        string `json:"error,omitempty"`
}

type request struct {
	Header map[string][]string `json:"header,omitempty"`
	Size   int                 `json:"msgsize,omitempty"`
}

// Report is what is published of a message. Server describes the server, in whatever form it has.
type Report struct {
	Server  any     `json:"server"`
	Request request `json:"request"`
	Hops    int     `json:"hops,omitempty"`
	Events  []any   `json:"events"`
}

// Report returns the report, once all is done.
func (t *Trail) Report(server any) *Report {
	return &Report{server, t.req, t.hops, t.list}
}
