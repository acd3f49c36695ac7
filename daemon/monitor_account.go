package daemon

import (
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/monitor"
)

// responseTypes are /accountz' words for how a service answers.
var responseTypes = map[config.ResponseType]string{
	"": "Singleton", config.Singleton: "Singleton", config.Streamed: "Streamed", config.Chunked: "Chunked",
}

// accountDetail adds to an account's figures what the configuration says of it.
func (d *Daemon) accountDetail(name string, info *monitor.AccountInfo) {
	act := d.active.Load()
	info.LastUpdate = act.loaded.UTC()
	for i := range act.cfg.Options.Accounts {
		if a := &act.cfg.Options.Accounts[i]; a.Name == name {
			describeAccount(a, info)
		}
	}
	if !act.cfg.Options.NoSystemAccount {
		describeSystemServices(name, d.broker.System().Name(), info)
	}
}

func describeAccount(a *config.Account, info *monitor.AccountInfo) {
	for i := range a.Exports {
		e := &a.Exports[i]
		x := monitor.AccountExport{
			Subject: e.Subject(), Type: "stream", ApprovedAccounts: e.Accounts,
			AllowTrace: e.AllowTrace,
		}
		if e.Service != "" {
			x.Type, x.ResponseType = "service", responseTypes[e.ResponseType]
			if e.Latency.Defined {
				x.Latency = &monitor.Latency{Sampling: e.Latency.Sampling, Results: e.Latency.Subject}
			}
		}
		info.Exports = append(info.Exports, x)
	}
	for i := range a.Imports {
		info.Imports = append(info.Imports, describeImport(&a.Imports[i]))
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
func describeImport(i *config.Import) monitor.AccountImport {
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
	}
	return x
}
