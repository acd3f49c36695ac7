package broker

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-broker/nats-broker/daemon/proto"
)

// A request may be answered by a client of another server of the cluster. Then each of
// the two servers knows its own half: that of the requestor how long it took in all, that
// of the responder who that is and how long the service itself took. As with nats-server
// 2.15.3, the reply subject of a request that is measured says so, and where the answer
// goes, by two more tokens: "_R_.<account>.<request>.<node>.T". The responder's server
// notes such requests, and tells its half on $SYS.LATENCY.M2.<node> in the system account
// when the answer is published. It may arrive before or after the answer.

const (
	latencyHalf    = "$SYS.LATENCY.M2."
	trackedSuffix  = ".T"
	nodeDigits     = 8
	trackedTailLen = 1 + nodeDigits + len(trackedSuffix)
)

// LatencySubject is where other servers of the cluster send their half of a measurement:
// see [Broker.MeasuredElsewhere].
func (b *Broker) LatencySubject() string { return latencyHalf + b.node }

// NodeName is the short name by which servers of a cluster address each other: eight
// digits of the server's name.
func NodeName(server string) string {
	sum := sha256.Sum256([]byte(server))
	name := sum[:nodeDigits]
	for i, c := range name {
		name[i] = digits62[int(c)%len(digits62)]
	}
	return string(name)
}

// tracked reports whether a subject is the reply subject of a request that is measured on
// another server.
func tracked(subject []byte) bool {
	return len(subject) > len(replyPrefix)+trackedTailLen && string(subject[len(subject)-len(trackedSuffix):]) == trackedSuffix &&
		string(subject[:len(replyPrefix)]) == replyPrefix
}

// responderHalf is the responder's half of a measurement, as nats-server 2.15.3 sends it.
type responderHalf struct {
	Account string         `json:"account"` // of the service
	Request string         `json:"req_id"`  // its reply subject
	M2      serviceLatency `json:"m2"`
}

// noteMeasured notes a request from another server that is measured there, and about to be
// delivered to a service here.
func (a *Account) noteMeasured(f *proto.Frame) bool {
	e := a.exportOf(string(f.Subject))
	if e == anyExport {
		return false
	}
	a.shares.measured.put(string(f.Reply), time.Now(), e.Threshold)
	return true
}

// addMeasured has the answer to a request that is measured elsewhere measured here.
func (s *sender) addMeasured(p *plan) {
	if tracked(asBytes(p.subject)) && s.acc.shares.measured.has(p.subject) {
		p.steps = append(p.steps, measuredStep{s.acc})
	}
}

// measuredStep sends the server of the requestor this server's half of a measurement.
type measuredStep struct{ acc *Account }

func (m measuredStep) deliver(s *sender, _ []byte, f *proto.Frame) bool {
	now := time.Now()
	began, ok := m.acc.shares.measured.take(string(f.Subject))
	system := m.acc.broker.System()
	if !ok || system == nil || s.self == nil {
		return false
	}
	half := responderHalf{Account: m.acc.name, Request: string(f.Subject)}
	l := &half.M2
	l.Status, l.Responder, l.Start = 200, s.self.about(true), began.UTC()
	l.Service = max(now.Sub(began)-l.Responder.RTT, 0)
	l.Total = l.Service + l.Responder.RTT
	text, err := json.Marshal(half)
	if err != nil {
		return false // plain data always encodes
	}
	rest := strings.TrimSuffix(half.Request, trackedSuffix)
	to := latencyHalf + rest[strings.LastIndexByte(rest, '.')+1:]
	go system.PublishOut(to, "", nil, text) // ends when staged; not on this goroutine, which is in the middle of a batch
	return false
}

// halves are the two parts of a measurement, whichever comes first.
type halves struct {
	mu   sync.Mutex // a leaf
	own  *serviceLatency
	told *serviceLatency
	done bool
}

// join adds one half, and returns the whole once both are there.
func (h *halves) join(own, told *serviceLatency) *serviceLatency {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.own == nil {
		h.own = own
	}
	if h.told == nil {
		h.told = told
	}
	if h.done || h.own == nil || h.told == nil {
		return nil
	}
	h.done = true
	return merged(h.own, h.told)
}

// merged is the event of two halves: the whole time is the requestor's server's, the
// service's that of the responder's server, and what is left is the way between them.
func merged(own, told *serviceLatency) *serviceLatency {
	l := *own
	l.Responder, l.Service = told.Responder, max(told.Service, 0)
	took := told.Service
	if l.Responder != nil {
		took += l.Responder.RTT
	}
	l.System = max(own.Service-took, 0)
	return &l
}

// answeredElsewhere notes that a request was answered on another server, whose half it
// waits for. It must be called before the request is forgotten.
func (m *sample) answeredElsewhere(id string) {
	l := m.event()
	l.Status, l.Service = 200, time.Since(m.asked)
	l.Total = m.distance() + l.Service
	m.of.shares.halved.put(id, m, m.export.Threshold)
	if whole := m.halves.join(l, nil); whole != nil {
		m.of.shares.halved.take(id)
		m.publish(whole)
	}
}

// MeasuredElsewhere is told what another server says on [Broker.LatencySubject] about the
// responder to a request that came from here. What belongs to no request is dropped.
func (b *Broker) MeasuredElsewhere(message []byte) error {
	var half responderHalf
	if err := json.Unmarshal(message, &half); err != nil {
		return fmt.Errorf("Error unmarshalling remote latency measurement: %v", err)
	}
	a := b.Account(half.Account)
	if a == nil || half.Account == "" {
		return fmt.Errorf("Could not lookup account %q for latency measurement", half.Account)
	}
	m := a.shares.replies.sampleOf(half.Request)
	if m == nil {
		m, _ = a.shares.halved.take(half.Request)
	}
	if m == nil {
		return nil
	}
	if whole := m.halves.join(nil, &half.M2); whole != nil {
		a.shares.halved.take(half.Request)
		m.publish(whole)
	}
	return nil
}

// trackedName adds to a reply subject what tells other servers to measure.
func (b *Broker) trackedName(name []byte) []byte {
	return append(append(append(name, '.'), b.node...), trackedSuffix...)
}
