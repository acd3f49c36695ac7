package daemon

import (
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/monitor"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// responseTypes are /accountz' words for how a service answers.
var responseTypes = map[config.ResponseType]string{
	"": "Singleton", config.Singleton: "Singleton", config.Streamed: "Streamed", config.Chunked: "Chunked",
}

// accountDetail adds to an account's figures what the configuration says of it.
func (d *Daemon) accountDetail(name string, info *monitor.AccountInfo) {
	act := d.active.Load()
	info.LastUpdate = act.loaded.UTC()
	if b := d.operator.book; b != nil {
		if r := b.Report(name); r != nil {
			describeClaims(r, info)
		}
	}
	if js := d.jetStream.server(); js != nil {
		info.JetStream = js.Enabled(name)
	}
	for i := range act.cfg.Options.Accounts {
		if a := &act.cfg.Options.Accounts[i]; a.Name == name {
			describeAccount(act.cfg.Options.Accounts, a, info)
		}
	}
	if !act.cfg.Options.NoSystemAccount {
		describeSystemServices(name, d.broker.System().Name(), info)
	}
}

// describeAccount describes one of all accounts.
func describeAccount(all []config.Account, a *config.Account, info *monitor.AccountInfo) {
	for i := range a.Exports {
		e := &a.Exports[i]
		x := monitor.AccountExport{
			Subject: e.Subject(), Type: "stream", ApprovedAccounts: e.Accounts,
			AllowTrace: e.AllowTrace,
		}
		if e.Service != "" {
			x.Type, x.ResponseType = "service", responseTypes[e.ResponseType]
			x.Latency = configuredLatency(e)
		}
		info.Exports = append(info.Exports, x)
	}
	for i := range a.Imports {
		info.Imports = append(info.Imports, describeImport(all, &a.Imports[i]))
	}
	// Weights are shown as they are configured; nats-server shows them summed up.
	for _, m := range a.Mappings {
		var dests []monitor.MapDest
		for _, d := range m.Destinations {
			dests = append(dests, monitor.MapDest{Subject: d.Subject, Weight: uint8(d.Weight), Cluster: d.Cluster})
		}
		if info.Mappings == nil {
			info.Mappings = make(map[string][]monitor.MapDest)
		}
		info.Mappings[m.Subject] = dests
	}
}

// describeImport names the local subject as it works out: for a stream with a
// prefix that is the prefix and the subject.
func describeImport(all []config.Account, i *config.Import) monitor.AccountImport {
	from, kind := i.Stream, "stream"
	if i.Service.Defined {
		from, kind = i.Service, "service"
	}
	x := monitor.AccountImport{Subject: from.Subject, Account: from.Account, Type: kind, LocalSubject: i.To, Share: i.Share, AllowTrace: i.AllowTrace}
	switch {
	case i.Prefix != "":
		x.LocalSubject = i.Prefix + "." + from.Subject
	case i.To == "":
		x.LocalSubject = from.Subject
	}
	if kind == "service" {
		x.To = x.LocalSubject
		if e := exportFor(all, from); e != nil {
			x.Latency = configuredLatency(e)
		}
	}
	return x
}

// exportFor is the service that an import is of: the one of the same subject, or else
// the first that covers it; nil if there is none.
func exportFor(all []config.Account, from config.ImportSource) (covering *config.Export) {
	for i := range all {
		if all[i].Name != from.Account {
			continue
		}
		for k := range all[i].Exports {
			switch e := &all[i].Exports[k]; {
			case e.Service == from.Subject:
				return e
			case covering == nil && e.Service != "" && subject.IsSubset(from.Subject, e.Service):
				covering = e
			}
		}
	}
	return covering
}

// configuredLatency describes how an export is sampled; nil if it is not.
func configuredLatency(e *config.Export) *monitor.Latency {
	if !e.Latency.Defined {
		return nil
	}
	return shownLatency(e.Latency.Subject, e.Latency.Sampling)
}
