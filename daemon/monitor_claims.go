package daemon

import (
	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/monitor"
)

// describeClaims adds to an account's figures what its JWT says.
func describeClaims(r *auth.AccountReport, info *monitor.AccountInfo) {
	info.LastUpdate, info.Expired, info.Complete = r.Updated.UTC(), r.Expired, r.Complete
	info.JWT, info.Claim, info.IssuerKey = r.Text, r.Claims, r.Issuer
	info.Tags, info.RevokedUser = r.Tags, r.Revoked
	for _, i := range r.Issues {
		info.Validation = append(info.Validation, monitor.ClaimIssue{Description: i.Text, Blocking: i.Blocking, Time: i.Time})
	}
	for i := range r.Exports {
		info.Exports = append(info.Exports, claimedExport(&r.Exports[i]))
	}
	for i := range r.Imports {
		info.Imports = append(info.Imports, claimedImport(&r.Imports[i]))
	}
	for _, m := range r.Mappings {
		var dests []monitor.MapDest
		for _, w := range m.Ways {
			dests = append(dests, monitor.MapDest{Subject: w.Subject, Weight: uint8(w.Weight), Cluster: w.Cluster})
		}
		if info.Mappings == nil {
			info.Mappings = make(map[string][]monitor.MapDest)
		}
		info.Mappings[m.Subject] = dests
	}
}

func claimedExport(e *auth.ReportedExport) monitor.AccountExport {
	x := monitor.AccountExport{Subject: e.Subject, Type: "stream", TokenReq: e.TokenReq, RevokedAct: e.Revoked}
	if e.Service {
		x.Type, x.ResponseType = "service", e.Response
	}
	x.Latency = shownLatency(e.Latency, e.Sampling)
	return x
}

// shownLatency describes sampling; nil if there is none.
func shownLatency(results string, sampling int) *monitor.Latency {
	if results == "" {
		return nil
	}
	return &monitor.Latency{Sampling: monitor.Sampling(sampling), Results: results}
}

func claimedImport(i *auth.ReportedImport) monitor.AccountImport {
	x := monitor.AccountImport{Subject: i.Subject, Account: i.Account, Type: "stream", LocalSubject: i.Local, Share: i.Share}
	if x.LocalSubject == "" {
		x.LocalSubject = i.Subject
	}
	if i.Service {
		x.Type, x.To = "service", x.LocalSubject
		x.Latency = shownLatency(i.Latency, i.Sampling)
	}
	return x
}
