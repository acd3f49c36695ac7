package broker

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/proto"
)

// latencyType names the schema of the event, which tools look for.
const latencyType = "io.nats.server.metric.v1.service_latency"

// serviceLatency is the event about one request, as nats-server 2.15.2 publishes
// it. Durations are nanoseconds.
type serviceLatency struct {
	Type      string        `json:"type"`
	ID        string        `json:"id"`
	Time      time.Time     `json:"timestamp"`
	Status    int           `json:"status"`
	Requestor *ClientInfo   `json:"requestor,omitempty"`
	Responder *ClientInfo   `json:"responder,omitempty"`
	Start     time.Time     `json:"start"`
	Service   time.Duration `json:"service"`
	System    time.Duration `json:"system"`
	Total     time.Duration `json:"total"`
}

// measure publishes how long a request took, now that its answer has passed.
func (r *reply) measure(s *sender) {
	if s.self == nil {
		return // answered on another server, which knows the responder
	}
	acc, now := s.acc, time.Now()
	l := &serviceLatency{
		Type: latencyType, ID: string(random62(random62(nil, 10), 10)), Time: now.UTC(), Status: 200,
		Requestor: r.asker, Responder: s.self.about(true), Service: now.Sub(r.asked),
	}
	var distance time.Duration
	if r.asker != nil {
		distance = r.asker.RTT
	}
	l.Start = r.asked.Add(-distance).UTC()
	l.Total = distance + l.Service
	if l.Responder.RTT > 0 {
		l.System = time.Since(now)
		l.Total += l.System
		l.Service = max(l.Service-l.Responder.RTT, 0)
	}
	text, err := json.Marshal(l)
	if err != nil {
		return // plain data always encodes
	}
	to := r.export.Latency.Subject
	go acc.Publish(to, "", nil, text) // ends when staged; not on this goroutine, which is in the middle of a batch
}

// samples decides whether a request is measured.
func (l *LatencySampling) samples(f *proto.Frame) bool {
	if l.Percent > 0 && rand.IntN(100) < l.Percent {
		return true
	}
	return f.Hdr > 0 && traced(string(f.Body[:f.Hdr]))
}

// traced reports whether a header asks for a sample, in one of the spellings of
// distributed tracing: Jaeger, Zipkin (B3, one header or several), W3C.
func traced(header string) bool {
	get := func(name string) (string, bool) {
		at := cutHeader(header, name)
		if at.from == at.to {
			return "", false
		}
		return strings.TrimSpace(header[at.from+len(name)+1 : at.to]), true
	}
	if v, ok := get("Uber-Trace-Id"); ok {
		return lastFieldOdd(strings.Split(v, ":"))
	}
	if v, ok := get("X-B3-Sampled"); ok && (v == "0" || v == "1") {
		return v == "1"
	}
	if _, ok := get("X-B3-TraceId"); ok {
		return true
	}
	if v, ok := get("B3"); ok {
		parts := strings.Split(v, "-")
		return !(len(parts) > 2 && parts[2] == "0" || len(parts) == 1 && parts[0] == "0")
	}
	if v, ok := get("traceparent"); ok {
		return lastFieldOdd(strings.Split(v, "-"))
	}
	return false
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
