package broker

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/proto"
)

// latencyType names the schema of the event, which tools look for.
const latencyType = "io.nats.server.metric.v1.service_latency"

// serviceLatency is the event about one request, as nats-server 2.15.3 publishes
// it. Durations are nanoseconds.
type serviceLatency struct {
	Type      string        `json:"type"`
	ID        string        `json:"id"`
	Time      time.Time     `json:"timestamp"`
	Status    int           `json:"status"`
	Error     string        `json:"description,omitempty"`
	Requestor *ClientInfo   `json:"requestor,omitempty"`
	Responder *ClientInfo   `json:"responder,omitempty"`
	Header    http.Header   `json:"header,omitempty"` // what asked for the sample
	Start     time.Time     `json:"start"`
	Service   time.Duration `json:"service"`
	System    time.Duration `json:"system"`
	Total     time.Duration `json:"total"`
}

// Outcomes of requests that have no answer to measure.
var (
	badRequest     = outcome{400, "Bad Request"} // without a reply subject
	nobodyWaits    = outcome{408, "Request Timeout"}
	nobodyServes   = outcome{503, "Service Unavailable"}
	serviceTimeout = outcome{504, "Service Timeout"}
)

type outcome struct {
	status int
	text   string
}

// sample is a request that is measured.
type sample struct {
	of     *Account // of the service
	export *serviceExport
	asker  *ClientInfo
	header http.Header // what asked for the sample; nil for the percentage
	asked  time.Time
	halves halves // if the answer comes from another server

	// Where the answer is waited for, see [waiting]; from is nil if nobody looks.
	from    *Account
	reply   string
	request openRequest
}

// sampled decides whether a request is measured, nil if it is not.
func (st *serviceStep) sampled(f *proto.Frame) *sample {
	l := st.export.Latency
	if l == nil {
		return nil
	}
	var header http.Header
	if l.Percent <= 0 || rand.IntN(100) >= l.Percent {
		if f.Hdr <= 0 {
			return nil
		}
		var ok bool
		if header, ok = traced(f.Body[:f.Hdr]); !ok {
			return nil
		}
	}
	m := &sample{of: st.im.to, export: st.export, header: header, asked: time.Now()}
	if st.told != nil {
		m.asker = st.told.who
	}
	return m
}

// answered publishes how long a request took, now that its answer has passed.
func (m *sample) answered(s *sender) {
	if s.self == nil {
		return // by a part of this broker, or on another server: see answeredElsewhere
	}
	now := time.Now()
	l := m.event()
	l.Status, l.Responder, l.Service = 200, s.self.about(true), now.Sub(m.asked)
	l.Total = m.distance() + l.Service
	if l.Responder.RTT > 0 {
		l.System = time.Since(now)
		l.Total += l.System
		l.Service = max(l.Service-l.Responder.RTT, 0)
	}
	m.publish(l)
}

// failed publishes that a request has no answer.
func (m *sample) failed(o outcome) {
	m.ends()
	l := m.event()
	l.Status, l.Error = o.status, o.text
	m.publish(l)
}

func (m *sample) event() *serviceLatency {
	return &serviceLatency{
		Type: latencyType, ID: string(random62(random62(nil, 10), 10)), Time: time.Now().UTC(),
		Requestor: m.asker, Header: m.header, Start: m.asked.Add(-m.distance()).UTC(),
	}
}

// distance is the time that a message takes to the requestor and back.
func (m *sample) distance() time.Duration {
	if m.asker == nil {
		return 0
	}
	return m.asker.RTT
}

func (m *sample) publish(l *serviceLatency) {
	text, err := json.Marshal(l)
	if err != nil {
		return // plain data always encodes
	}
	go m.of.Publish(m.export.Latency.Subject, "", nil, text) // ends when staged; not on this goroutine, which is in the middle of a batch
}

// The headers of distributed tracing that ask for a sample, and those that are shown with them.
const (
	headerUber        = "Uber-Trace-Id"
	prefixUber        = "Uberctx-"
	headerB3          = "B3"
	headerB3Sampled   = "X-B3-Sampled"
	headerTraceParent = "Traceparent"
)

var (
	headersB3    = []string{headerB3Sampled, "X-B3-Traceid", "X-B3-Parentspanid", "X-B3-Spanid"}
	headersTrace = []string{headerTraceParent, "Tracestate"}
)

// traced reports whether a header asks for a sample, in one of the spellings of
// distributed tracing: Jaeger, Zipkin (B3, one header or several), W3C. It returns
// the fields that say so.
func traced(header []byte) (http.Header, bool) {
	_, fields, _ := bytes.Cut(header, []byte("\r\n"))
	h, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(fields))).ReadMIMEHeader()
	if err != nil && len(h) == 0 {
		return nil, false
	}
	first := func(name string) (string, bool) {
		if v := h[name]; len(v) > 0 {
			return v[0], true
		}
		return "", false
	}
	if v, ok := first(headerUber); ok {
		return pick(h, []string{headerUber}, prefixUber), lastFieldOdd(strings.Split(v, ":"))
	}
	if v, ok := first(headerB3Sampled); ok && (v == "0" || v == "1") {
		return pick(h, headersB3, ""), v == "1"
	}
	if _, ok := first(headersB3[1]); ok {
		return pick(h, headersB3, ""), true
	}
	if v, ok := first(headerB3); ok {
		parts := strings.Split(v, "-")
		return pick(h, []string{headerB3}, ""), !(len(parts) > 2 && parts[2] == "0" || len(parts) == 1 && parts[0] == "0")
	}
	if v, ok := first(headerTraceParent); ok {
		return pick(h, headersTrace, ""), lastFieldOdd(strings.Split(v, "-"))
	}
	return nil, false
}

// pick returns the fields of a header that have one of the names, or a name with the prefix, if that is not empty.
func pick(h textproto.MIMEHeader, names []string, prefix string) http.Header {
	out := http.Header{}
	for k, v := range h {
		if slices.Contains(names, k) || prefix != "" && strings.HasPrefix(k, prefix) {
			out[k] = v
		}
	}
	return out
}

// lastFieldOdd reports whether the fourth of four fields is a hexadecimal number
// whose lowest bit, the sampled flag, is set.
func lastFieldOdd(fields []string) bool {
	if len(fields) != 4 || len(fields[3]) > 2 {
		return false
	}
	n, err := strconv.ParseUint(fields[3], 16, 8)
	return err == nil && n&1 == 1
}
