package system

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Maker makes the content of a message once it is its turn to be sent: si then has
// the sequence number and time it is sent under. It runs on the outbox' goroutine and
// must be quick. What it returns is encoded as JSON, unless it is a []byte or a
// string, which go as they are, or nil, for an empty message.
type Maker func(si ServerInfo) any

// outgoing is a message to be sent.
type outgoing struct {
	account  *broker.Account // nil: the system account
	subject  string
	reply    string
	make     Maker
	encoding string // of the content: "gzip", "snappy", "identity"; empty: not asked for
}

// outbox sends what the server has to say, in order. Answers may be large, and who
// makes them can wait: few of them are queued. Events are small, and nobody waits.
type outbox struct {
	events  chan outgoing
	answers chan outgoing
	dropped atomic.Uint64
	seq     uint64    // the goroutine's
	told    time.Time // when drops were logged last; the goroutine's
}

func newOutbox() *outbox {
	return &outbox{events: make(chan outgoing, maxEvents), answers: make(chan outgoing, maxAnswers), seq: 1}
}

// offer queues an event, or drops it if there is no room. It never blocks.
func (o *outbox) offer(m outgoing) bool {
	select {
	case o.events <- m:
		return true
	default:
		o.dropped.Add(1)
		return false
	}
}

// put queues an answer and waits for room. It reports whether it could before
// stopping was closed.
func (o *outbox) put(m outgoing, stopping <-chan struct{}) bool {
	select {
	case o.answers <- m:
		return true
	case <-stopping:
		return false
	}
}

// send empties the outbox until silent is closed, and then sends what is left.
func (s *Service) send(silent <-chan struct{}) {
	for {
		select {
		case m := <-s.out.events:
			s.sendOne(&m)
		case m := <-s.out.answers:
			s.sendOne(&m)
		case <-silent:
			s.sendRest()
			return
		}
	}
}

func (s *Service) sendRest() {
	for {
		select {
		case m := <-s.out.events:
			s.sendOne(&m)
		case m := <-s.out.answers:
			s.sendOne(&m)
		default:
			return
		}
	}
}

// sendOne sends a message if anybody wants it; otherwise it is not made.
func (s *Service) sendOne(m *outgoing) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error(fmt.Sprintf("System account: message on %q failed: %v", m.subject, p))
		}
	}()
	a := m.account
	if a == nil {
		a = s.in.Load()
	}
	if !a.Interested(m.subject) {
		return
	}
	si := s.identity()
	s.out.seq++
	si.Seq, si.Time = s.out.seq, time.Now().UTC()
	body, err := encode(m.make(si))
	if err != nil {
		s.log.Error(fmt.Sprintf("System account: message on %q: %v", m.subject, err), logging.Err(err))
		return
	}
	var header []byte
	if len(body) > 0 && m.encoding != "" {
		body = compress(body, m.encoding)
		header = []byte("NATS/1.0\r\nContent-Encoding: " + m.encoding + "\r\n\r\n")
	}
	a.Publish(m.subject, m.reply, header, body)
	s.tellDrops()
}

func (s *Service) tellDrops() {
	o := s.out
	if o.dropped.Load() == 0 || time.Since(o.told) < dropsEvery {
		return
	}
	o.told = time.Now()
	n := o.dropped.Swap(0)
	s.log.Warn(fmt.Sprintf("System account: %d event(s) dropped: they come faster than they are sent", n), logging.Uint(logging.FieldCount, n))
}

func encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []byte:
		return v, nil
	case string:
		return []byte(v), nil
	}
	return json.Marshal(v)
}

// The encodings of answers.
const (
	gzipEncoding   = "gzip"
	snappyEncoding = "snappy"
	plainEncoding  = "identity"
)

func compress(b []byte, encoding string) []byte {
	var out bytes.Buffer
	switch encoding {
	case gzipEncoding:
		w := gzip.NewWriter(&out)
		_, _ = w.Write(b) // into memory
		_ = w.Close()
	case snappyEncoding:
		w := s2.NewWriter(&out, s2.WriterSnappyCompat(), s2.WriterConcurrency(1))
		_, _ = w.Write(b)
		_ = w.Close()
	default:
		return b
	}
	return out.Bytes()
}

// accepted is the encoding that a request's header asks for; empty for none. S2 and
// snappy go before gzip, whatever the order; what is not known is answered as it is.
func accepted(header []byte) string {
	value, ok := field(header, "Accept-Encoding")
	if !ok || value == "" {
		return ""
	}
	value = strings.ToLower(value)
	switch {
	case strings.Contains(value, "snappy"), strings.Contains(value, "s2"):
		return snappyEncoding
	case strings.Contains(value, "gzip"):
		return gzipEncoding
	}
	return plainEncoding
}

// field returns the value of a header field.
func field(header []byte, name string) (value string, ok bool) {
	for line := range bytes.Lines(header) {
		key, v, found := bytes.Cut(line, []byte(":"))
		if found && strings.EqualFold(string(key), name) {
			return string(bytes.TrimSpace(v)), true
		}
	}
	return "", false
}
