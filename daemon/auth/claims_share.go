package auth

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"

	"github.com/nats-broker/nats-broker/daemon/subject"
)

// SharedAccount is what the messaging core is told of an account that came as a JWT. Limits are as in [Identity].
type SharedAccount struct {
	ID            string
	Connections   int
	Subscriptions int
	Payload       int
	Leafs         int             // leaf node connections
	Services      []SharedService // exported
	Imports       []SharedImport  // those that the exporting accounts agree to
	Mappings      []SharedMapping
	TraceDest     string // where reports of its messages go that are part of a trace; empty: there are none
	TracePercent  int
	JetStream     *SharedStorage // nil: the account has no JetStream
}

// SharedStorage is what an account may store; -1: no limit.
type SharedStorage struct {
	Memory, Disk                   int64
	Streams, Consumers, Pending    int // Pending: unacknowledged messages of a consumer
	MemoryStreamMax, DiskStreamMax int64
	SizeRequired                   bool
	Tiers                          map[string]SharedStorage // by the number of replicas, "R1"; the limits above do not count then
}

// SharedService is how requests to an exported service are answered.
type SharedService struct {
	Subject   string
	Streamed  bool
	Threshold time.Duration // 0: the default
	Latency   string        // subject of samples; empty: none
	Sampling  int           // percent; 0: by header
	Traced    bool          // reports may tell what happens behind it
}

// SharedImport is a stream or service of another account.
type SharedImport struct {
	Service bool
	Account string
	Subject string // there
	Local   string // here; empty: as there
	Share   bool
	Traced  bool // of a stream: reports may tell who gets it
}

// SharedMapping rewrites a subject.
type SharedMapping struct {
	Subject string
	Ways    []SharedWay
}

// SharedWay is one destination of a mapping.
type SharedWay struct {
	Subject string
	Weight  int
	Cluster string
}

// share describes an account to the core, but for its imports.
func (a *ClaimAccount) share() *SharedAccount {
	l := &a.claims.Limits
	s := &SharedAccount{ID: a.ID, Connections: limitOf(l.Conn), Subscriptions: limitOf(l.Subs), Payload: limitOf(l.Payload), Leafs: limitOf(l.LeafNodeConn), JetStream: storageOf(&a.claims.Limits)}
	if t := a.claims.Trace; t != nil && subject.ValidLiteral(t.Destination) && subject.FitsLine(t.Destination) {
		s.TraceDest, s.TracePercent = string(t.Destination), t.Sampling
		if t.Sampling <= 0 || t.Sampling > 100 {
			s.TracePercent = 100
		}
	}
	for _, e := range a.claims.Exports {
		if e.Type != jwt.Service || !subject.ValidStrict(string(e.Subject), false) {
			continue
		}
		out := SharedService{
			Subject: string(e.Subject), Threshold: e.ResponseThreshold, Traced: e.AllowTrace,
			Streamed: e.ResponseType == jwt.ResponseTypeStream || e.ResponseType == jwt.ResponseTypeChunked,
		}
		if e.Latency != nil && !out.Streamed && subject.ValidStrict(string(e.Latency.Results), false) &&
			subject.IsLiteral(string(e.Latency.Results)) {
			out.Latency, out.Sampling = string(e.Latency.Results), max(int(e.Latency.Sampling), 0)
		}
		s.Services = append(s.Services, out)
	}
	sources := make([]string, 0, len(a.claims.Mappings))
	for source := range a.claims.Mappings {
		sources = append(sources, string(source))
	}
	slices.Sort(sources)
	for _, source := range sources {
		m := SharedMapping{Subject: source}
		for _, w := range a.claims.Mappings[jwt.Subject(source)] {
			m.Ways = append(m.Ways, SharedWay{Subject: string(w.Subject), Weight: int(w.GetWeight()), Cluster: w.Cluster})
		}
		s.Mappings = append(s.Mappings, m)
	}
	return s
}

// sharedImport translates an import of claims.
func sharedImport(i *jwt.Import) SharedImport {
	s := SharedImport{Service: i.Type == jwt.Service, Account: i.Account, Subject: string(i.Subject), Share: i.Share, Traced: i.AllowTrace}
	local, to := string(i.LocalSubject), i.GetTo()
	switch {
	case local != "":
		s.Local = local
	case s.Service && to != "":
		s.Subject, s.Local = to, string(i.Subject) // the old form names the local subject first
	case to != "":
		s.Local = strings.TrimSuffix(to, ".") + "." + s.Subject
	}
	return s
}

// local is the subject under which an import shows.
func (i *SharedImport) local() string {
	if i.Local != "" {
		return i.Local
	}
	return i.Subject
}

// grant decides whether an account may import something of this one. until is when an activation that it rests upon
// ends; zero: never.
func (a *ClaimAccount) grant(to string, im *jwt.Import, s *SharedImport, now time.Time) (until time.Time, err error) {
	e := a.exportOf(s)
	if e == nil {
		return until, fmt.Errorf("%s import not authorized", im.Type)
	}
	switch {
	case e.AccountTokenPosition > 0:
		tokens := strings.Split(s.Subject, ".")
		p := int(e.AccountTokenPosition)
		if string(e.Subject) == s.Subject || p > len(tokens) || tokens[p-1] != to {
			return until, fmt.Errorf("%s import not authorized", im.Type)
		}
	case e.TokenReq:
		return a.activated(to, im, e, now)
	}
	return until, nil
}

// exportOf returns the export that an import asks for: the one of the same subject, or else one that covers it.
func (a *ClaimAccount) exportOf(s *SharedImport) *jwt.Export {
	kind := jwt.Stream
	if s.Service {
		kind = jwt.Service
	}
	var covering *jwt.Export
	for _, e := range a.claims.Exports {
		switch {
		case e.Type != kind:
		case string(e.Subject) == s.Subject:
			return e
		case covering == nil && subject.IsSubset(s.Subject, string(e.Subject)):
			covering = e
		}
	}
	return covering
}

// activated checks the activation token of an import: that this account issued it, for that account, kind and subject,
// and that it has neither ended nor been revoked.
func (a *ClaimAccount) activated(to string, im *jwt.Import, e *jwt.Export, now time.Time) (until time.Time, err error) {
	denied := fmt.Errorf("%s import not authorized", im.Type)
	if im.Token == "" {
		return until, denied
	}
	results := jwt.CreateValidationResults()
	im.Validate(to, results)
	if results.IsBlocking(true) {
		return until, denied
	}
	act, err := jwt.DecodeActivationClaims(im.Token)
	if err != nil {
		return until, denied
	}
	if act.IssuerAccount != "" {
		if _, known := a.signers[act.Issuer]; !known || act.IssuerAccount != a.ID {
			return until, denied
		}
	}
	results = jwt.CreateValidationResults()
	act.Validate(results)
	switch {
	case results.IsBlocking(true):
		return until, denied
	case revokedBy(e.Revocations, act.Subject, act.IssuedAt):
		return until, denied
	case act.Expires != 0:
		until = time.Unix(act.Expires, 0)
		if !now.Before(until) {
			return until, denied
		}
	}
	return until, nil
}

// imports says what the accounts import from each other, for finding cycles: by the importing account.
type imports map[string][]SharedImport

// cycles reports whether an import of account a would lead back to it.
func (g imports) cycles(a string, s *SharedImport, exports func(account, subject string) bool) bool {
	if s.Service {
		from := s.local()
		if !subject.IsLiteral(s.Subject) {
			from = starred(from)
		}
		return g.serviceCycles(s.Account, from, map[string]bool{a: true})
	}
	return g.streamCycles(s.Account, starred(s.local()), exports, map[string]bool{a: true}) ||
		g.streamCycles(s.Account, s.Subject, exports, map[string]bool{a: true})
}

// serviceCycles follows a request that reaches account a.
func (g imports) serviceCycles(a, from string, seen map[string]bool) bool {
	for i := range g[a] {
		s := &g[a][i]
		if !s.Service || !subject.Collide(from, s.Subject) {
			continue
		}
		if seen[s.Account] {
			return true
		}
		seen[a] = true
		f := from
		if local := starred(s.local()); subject.IsSubset(local, f) {
			f = local
		}
		if g.serviceCycles(s.Account, f, seen) {
			return true
		}
	}
	return false
}

// streamCycles follows messages back to where account a has them from.
func (g imports) streamCycles(a, to string, exports func(account, subject string) bool, seen map[string]bool) bool {
	if !exports(a, to) {
		return false
	}
	for i := range g[a] {
		s := &g[a][i]
		local := starred(s.local())
		if s.Service || !subject.Collide(to, local) {
			continue
		}
		if seen[s.Account] {
			return true
		}
		seen[a] = true
		t := to
		if subject.IsSubset(local, t) {
			t = local
		}
		if g.streamCycles(s.Account, t, exports, seen) {
			return true
		}
	}
	return false
}

// starred turns references to wildcards ("$1", "{{wildcard(1)}}") back into wildcards.
func starred(s string) string {
	tokens := strings.Split(s, ".")
	for i, t := range tokens {
		if len(t) > 1 && t[0] == '$' && strings.Trim(t[1:], "0123456789") == "" || strings.HasPrefix(t, "{{") {
			tokens[i] = "*"
		}
	}
	return strings.Join(tokens, ".")
}

// storageOf reads what an account may store; nil: nothing.
func storageOf(l *jwt.OperatorLimits) *SharedStorage {
	if !l.IsJSEnabled() {
		return nil
	}
	if len(l.JetStreamTieredLimits) == 0 {
		s := sharedStorage(&l.JetStreamLimits)
		return &s
	}
	s := &SharedStorage{Tiers: map[string]SharedStorage{}}
	for name, t := range l.JetStreamTieredLimits {
		s.Tiers[name] = sharedStorage(&t)
	}
	return s
}

func sharedStorage(l *jwt.JetStreamLimits) SharedStorage {
	return SharedStorage{
		Memory: l.MemoryStorage, Disk: l.DiskStorage, SizeRequired: l.MaxBytesRequired, Streams: int(l.Streams), Consumers: int(l.Consumer),
		Pending: int(orNone(l.MaxAckPending)), MemoryStreamMax: orNone(l.MemoryMaxStreamBytes), DiskStreamMax: orNone(l.DiskMaxStreamBytes),
	}
}

// orNone reads a limit where 0 is none.
func orNone(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}
