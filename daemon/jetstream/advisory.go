package jetstream

import (
	"crypto/rand"
	"encoding/json"
	"time"

	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// Advisories are events that JetStream publishes in the account that they are about, if somebody listens.

const (
	advisories   = "$JS.EVENT.ADVISORY."
	advisoryType = "io.nats.jetstream.advisory.v1."
)

// event is what every advisory begins with.
type event struct {
	Type string    `json:"type"`
	ID   string    `json:"id"`
	Time time.Time `json:"timestamp"`
}

func newEvent(kind string) event {
	return event{advisoryType + kind, randomID(), time.Now().UTC()}
}

// randomID returns 22 random letters and digits.
func randomID() string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var b [22]byte
	_, _ = rand.Read(b[:]) // it never fails
	for i := range b {
		b[i] = digits[int(b[i])%len(digits)]
	}
	return string(b[:])
}

// auditEvent tells of a request and its answer.
type auditEvent struct {
	event
	Server   string          `json:"server"`
	Client   json.RawMessage `json:"client"`
	Subject  string          `json:"subject"`
	Request  string          `json:"request,omitempty"`
	Response string          `json:"response"`
	Domain   string          `json:"domain,omitempty"`
}

func (a *account) audit(r *request, answer []byte) {
	if to := advisories + "API"; a.broker.Interested(to) {
		a.advise(to, &auditEvent{
			event: newEvent("api_audit"), Server: a.srv.serverName(), Client: a.asker(r), Subject: r.subject, Request: string(r.body),
			Response: string(answer), Domain: a.srv.options().Domain,
		})
	}
}

// asker describes who sent a request.
func (a *account) asker(r *request) json.RawMessage {
	if r.told != nil && json.Valid(r.told) && (r.client == nil || r.client.AccountName() != a.name()) {
		return r.told // by the import; what a client of the account itself says, nobody has looked at
	}
	if r.client == nil {
		return nil
	}
	i := r.client.About()
	o := a.srv.broker.Options()
	i.Server, i.Cluster = o.ServerName, ""
	if ci := r.client.Info(false); ci != nil {
		i.RTT = ci.RTT
	}
	b, err := json.Marshal(i)
	if err != nil {
		return nil
	}
	return b
}

// streamEvent tells that a stream was made, changed or deleted.
type streamEvent struct {
	event
	Stream string `json:"stream"`
	Action string `json:"action"`
	Domain string `json:"domain,omitempty"`
}

// adviseStream tells of a stream; action is "create", "modify" or "delete".
func (a *account) adviseStream(what, name, action string) {
	if to := advisories + "STREAM." + what + "." + name; a.broker.Interested(to) {
		a.advise(to, &streamEvent{newEvent("stream_action"), name, action, a.srv.options().Domain})
	}
}

// limitEvent tells the system account that requests were dropped.
type limitEvent struct {
	event
	Server  string `json:"server"`
	Domain  string `json:"domain,omitempty"`
	Dropped int    `json:"dropped"`
}

func (s *Server) limitReached(n int) {
	sys, to := s.broker.System(), advisories+"API.LIMIT_REACHED"
	if sys == nil || !sys.Interested(to) {
		return
	}
	if b, err := json.Marshal(&limitEvent{newEvent("api_limit_reached"), s.serverName(), s.options().Domain, n}); err == nil {
		s.work.Go(func() { sys.Publish(to, "", nil, b) }) // this is a publisher's goroutine
	}
}

func (a *account) advise(to string, e any) {
	b, err := json.Marshal(e)
	if err != nil {
		a.srv.log.Error("JetStream advisory: " + err.Error())
		return
	}
	a.broker.Publish(to, "", nil, b)
}

func (s *Server) serverName() string { return s.broker.Options().ServerName }

// info is what the account uses.
func (a *account) info() *api.AccountInfo {
	l, _ := a.allowed()
	i := &api.AccountInfo{Domain: a.srv.options().Domain}
	i.Limits = l
	i.Memory, i.Store = uint64(a.stored[api.Memory].Load()), uint64(a.stored[api.File].Load())
	i.ReservedMemory, i.ReservedStore = uint64(a.reserved(api.Memory, "")), uint64(a.reserved(api.File, ""))
	for _, s := range a.list() {
		i.Streams++
		i.Consumers += s.consumers.count()
	}
	i.API = api.Requests{Level: api.Level, Total: a.answered.Load(), Errors: a.failed.Load()}
	if tiers, _ := a.tiers(); tiers != nil {
		i.Limits, i.Tiers = api.AccountLimits{}, map[string]api.Tier{}
		for name, l := range tiers {
			t := api.Tier{Limits: l}
			if name == tier {
				t = i.Tier
				t.Limits = l
			}
			i.Tiers[name] = t
		}
	}
	return i
}
