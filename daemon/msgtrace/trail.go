package msgtrace

import (
	"strconv"
	"sync/atomic"
	"time"
)

// Trail collects what one server does with one message. Events are added by the goroutine that delivers the message;
// what a stream decides is added by whoever decides, see [Trail.Stored].
type Trail struct {
	// Where the report goes, and how it is packed.
	Dest, Encoding string
	// Only says that the message is to be delivered to nobody.
	Only bool

	hop   string
	parts atomic.Int32 // that may still add something
	in    *Ingress
	hops  int
	req   request
	list  []any
}

// NewTrail begins with a message that has come in: what it asks for, its size, and how it came. Dest is where reports
// go.
func NewTrail(r *Request, dest string, size int, in Ingress) *Trail {
	in.head = head{"in", in.Time}
	t := &Trail{Dest: dest, Encoding: r.Encoding, Only: r.Only, hop: r.Hop, in: &in, req: request{r.Header, size}}
	t.list = append(t.list, t.in)
	t.parts.Store(1)
	return t
}

// Account is the account that the message came in on.
func (t *Trail) Account() string { return t.in.Account }

// Refuse notes why the message goes no further.
func (t *Trail) Refuse(why string) { t.in.Error = why }

// Map notes the subject that the account's mappings have made of the message's.
func (t *Trail) Map(at time.Time, to string) {
	t.list = append(t.list, &mapping{head{"sm", at}, to})
}

// Listen notes that an import of a stream has led the message into an account, under a subject.
func (t *Trail) Listen(at time.Time, account, to string) {
	t.list = append(t.list, &listening{head{"se", at}, account, to})
}

// Service notes that an import of a service leads into an account, from one subject to another.
func (t *Trail) Service(at time.Time, account, from, to string) *Service {
	s := &Service{head{"si", at}, account, from, to}
	t.list = append(t.list, s)
	return s
}

// NextHop numbers a server that the message goes to.
func (t *Trail) NextHop() string {
	t.hops++
	n := strconv.Itoa(t.hops)
	if t.hop != "" {
		n = t.hop + "." + n
	}
	return n
}

// Hops is how many servers the message went to.
func (t *Trail) Hops() int { return t.hops }

// Give notes that somebody was given the message, or why not.
func (t *Trail) Give(at time.Time, e Egress) {
	e.head = head{"eg", at}
	if e.Account == t.in.Account {
		e.Account = ""
	}
	t.list = append(t.list, &e)
}

// Store notes that the message came to a stream. It must be told what the stream decides: [Trail.Stored].
func (t *Trail) Store(at time.Time, stream string) *Stream {
	s := &Stream{head: head{"js", at}, Stream: stream}
	t.list = append(t.list, s)
	t.parts.Add(1)
	return s
}

// Stored notes what the stream has decided. It reports whether that was the last thing to know, as [Trail.Done] does.
func (t *Trail) Stored(s *Stream, d Decision) bool {
	if d.Error == "" {
		s.Time, s.Subject, s.NoInterest = d.Time, d.Subject, d.NoInterest
	}
	s.Error = d.Error
	return t.Done()
}

// Done says that the message is delivered. It reports whether there is nothing else to wait for: then the report is
// complete, and the caller is to publish it.
func (t *Trail) Done() bool { return t.parts.Add(-1) == 0 }
