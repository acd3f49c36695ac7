package auth

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
)

// AccountReport is an account of the book as monitoring shows it. Nothing in it opens a door: the JWT and the tokens
// within it end before their signatures.
type AccountReport struct {
	Name    string // as people call it; empty: the JWT has none
	Tags    []string
	Issuer  string // the operator's key that signed it
	Text    string // the JWT without its signature
	Claims  json.RawMessage
	Issues  []ClaimIssue
	Revoked map[string]time.Time // user key, or "*" -> what was issued until then is refused; nil: none
	Exports []ReportedExport
	Imports []ReportedImport // those that are granted
	// Mappings are all that the claims have.
	Mappings []SharedMapping
	Updated  time.Time
	Expired  bool // or deleted
	Complete bool // every import is granted
}

// ClaimIssue is something that the validation of claims has to say.
type ClaimIssue struct {
	Text     string
	Blocking bool
	Time     bool // it depends on the time
}

// ReportedExport is a stream or service that an account offers.
type ReportedExport struct {
	Subject  string
	Service  bool
	TokenReq bool   // only for those who have an activation
	Response string // of a service: "Singleton", "Streamed" or "Chunked"
	Latency  string // subject of samples; empty: none
	Sampling int    // percent; 0: by header
	Revoked  map[string]time.Time
}

// ReportedImport is a stream or service of another account, and how requests are sampled there.
type ReportedImport struct {
	SharedImport
	Latency  string // subject of samples; empty: none
	Sampling int    // percent; 0: by header
}

// Report describes an account of the book; nil if it is not in it.
func (b *Book) Report(id string) *AccountReport {
	v, ok := b.accounts.Load(id)
	if !ok {
		return nil
	}
	e := v.(*page)
	b.turn.Lock()
	a := e.now.Load()
	if a == nil { // is being entered
		b.turn.Unlock()
		return nil
	}
	r := &AccountReport{
		Updated: e.updated, Expired: e.ended.Load(), Complete: !e.incomplete,
	}
	granted := slices.Clone(b.granted[id])
	b.turn.Unlock()
	for i := range granted {
		r.Imports = append(r.Imports, b.reportedImport(&granted[i]))
	}
	r.Name, r.Tags, r.Issuer = a.Name, a.Tags, a.Issuer
	r.Text, r.Claims = a.shown()
	r.Revoked = moments(a.claims.Revocations)
	r.Mappings = a.share().Mappings
	results := jwt.CreateValidationResults()
	a.signed.Validate(results)
	for _, i := range results.Issues {
		r.Issues = append(r.Issues, ClaimIssue{i.Description, i.Blocking, i.TimeCheck})
	}
	for _, x := range a.claims.Exports {
		r.Exports = append(r.Exports, reportedExport(x))
	}
	return r
}

func (b *Book) reportedImport(s *SharedImport) ReportedImport {
	r := ReportedImport{SharedImport: *s}
	if from := b.Known(s.Account); from != nil && s.Service {
		if e := from.exportOf(s); e != nil {
			x := reportedExport(e)
			r.Latency, r.Sampling = x.Latency, x.Sampling
		}
	}
	return r
}

func reportedExport(e *jwt.Export) ReportedExport {
	r := ReportedExport{Subject: string(e.Subject), Service: e.Type == jwt.Service, TokenReq: e.TokenReq, Revoked: moments(e.Revocations)}
	if !r.Service {
		return r
	}
	switch e.ResponseType {
	case jwt.ResponseTypeStream:
		r.Response = "Streamed"
	case jwt.ResponseTypeChunked:
		r.Response = "Chunked"
	default:
		r.Response = "Singleton"
		if e.Latency != nil {
			r.Latency, r.Sampling = string(e.Latency.Results), int(e.Latency.Sampling)
		}
	}
	return r
}

// shown is the JWT and what it says, without signatures: its own, and those of the activations that came with it.
func (a *ClaimAccount) shown() (string, json.RawMessage) {
	c := *a.signed
	c.Imports = make(jwt.Imports, len(a.signed.Imports))
	tokens := false
	for i, im := range a.signed.Imports {
		shown := *im
		shown.Token = Unsigned(im.Token)
		c.Imports[i] = &shown
		tokens = tokens || im.Token != ""
	}
	claims, err := json.Marshal(&c)
	if err != nil {
		return "", nil // a number that JSON cannot say; there is nothing of use to show
	}
	text := Unsigned(a.Text)
	if head, _, ok := strings.Cut(text, "."); ok && tokens {
		text = head + "." + base64.RawURLEncoding.EncodeToString(claims) + "."
	}
	return text, claims
}

// Unsigned is a JWT up to its signature: what it says can be read, and it proves nothing. What is no JWT becomes empty.
func Unsigned(token string) string { return token[:strings.LastIndexByte(token, '.')+1] }

// moments translates revocations; nil if there are none.
func moments(list jwt.RevocationList) map[string]time.Time {
	var m map[string]time.Time
	for key, at := range list {
		if m == nil {
			m = make(map[string]time.Time, len(list))
		}
		m[key] = time.Unix(at, 0)
	}
	return m
}
