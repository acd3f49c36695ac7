package daemon

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// accountOptions translates accounts, what they share and how they map
// subjects. The global and the system account are always among them: others may
// import from there.
func accountOptions(o *config.Options) []broker.AccountOptions {
	if o.Operator.Enabled() {
		return operatorAccounts(o)
	}
	list := make([]broker.AccountOptions, 0, len(o.Accounts)+2)
	seen := map[string]bool{}
	for i := range o.Accounts {
		seen[o.Accounts[i].Name] = true
		list = append(list, accountOption(&o.Accounts[i]))
	}
	system := o.SystemAccount
	if system == "" {
		system = broker.SystemAccount
	}
	for _, name := range []string{broker.GlobalAccount, system} {
		if !seen[name] {
			seen[name] = true
			list = append(list, broker.AccountOptions{Name: name})
		}
	}
	if o.NoSystemAccount {
		return list
	}
	for i := range list {
		addSystemShares(&list[i], system)
	}
	return list
}

// addSystemShares adds what an account imports of the system account, or what the
// system account exports, without saying so.
func addSystemShares(a *broker.AccountOptions, system string) {
	if a.Name == system {
		addSystemExports(a)
	} else {
		addSystemServices(a, system)
	}
}

// addSystemServices adds what an account imports of the system account without saying
// so, unless it says something else of the same subject.
func addSystemServices(a *broker.AccountOptions, system string) {
	if _, err := strconv.Atoi(strings.TrimPrefix(a.Name, "$")); err == nil || !subject.ValidStrict(a.Name, false) || !subject.IsLiteral(a.Name) ||
		strings.HasPrefix(a.Name, "{{") {
		return // its name is no part of a subject: nats-server starts without them, too
	}
	said := make(map[string]bool)
	for _, s := range a.Services {
		said[cmp.Or(s.Local, s.Subject)] = true
	}
	for _, s := range systemServices(a.Name, system) {
		if !said[s.Local] {
			a.Services = append(a.Services, s)
		}
	}
}

func accountOption(a *config.Account) broker.AccountOptions {
	out := broker.AccountOptions{
		Name:  a.Name,
		Trace: broker.Tracing{Dest: a.Trace.Dest, Percent: a.Trace.Sampling},
		Limits: broker.AccountLimits{
			Connections:   a.Limits.MaxConnections,
			Subscriptions: a.Limits.MaxSubscriptions,
			Payload:       int(a.Limits.MaxPayload),
			Leafs:         a.Limits.MaxLeafnodes,
		},
	}
	for i := range a.Exports {
		if e := &a.Exports[i]; e.Service != "" {
			out.Exports = append(out.Exports, serviceExport(e))
		}
	}
	for i := range a.Imports {
		switch im := &a.Imports[i]; {
		case im.Stream.Defined:
			out.Streams = append(out.Streams, broker.StreamImport{
				Account: im.Stream.Account, Subject: im.Stream.Subject, Local: localSubject(im), AllowTrace: im.AllowTrace,
			})
		case im.Service.Defined:
			out.Services = append(out.Services, broker.ServiceImport{
				Account: im.Service.Account, Subject: im.Service.Subject, Local: im.To, Share: im.Share,
			})
		}
	}
	for _, m := range a.Mappings {
		mapping := broker.Mapping{Source: m.Subject}
		for _, d := range m.Destinations {
			mapping.Destinations = append(mapping.Destinations, broker.MappingDestination{Subject: d.Subject, Weight: d.Weight, Cluster: d.Cluster})
		}
		out.Mappings = append(out.Mappings, mapping)
	}
	return out
}

func serviceExport(e *config.Export) broker.ServiceExport {
	out := broker.ServiceExport{
		Subject: e.Service, Streamed: e.ResponseType == config.Streamed || e.ResponseType == config.Chunked,
		Threshold: e.ResponseThreshold, AllowTrace: e.AllowTrace,
	}
	if e.Latency.Defined {
		out.Latency = &broker.LatencySampling{Subject: e.Latency.Subject, Percent: e.Latency.Sampling}
	}
	return out
}

// localSubject is where a stream import shows: at to, below prefix, or as it
// is called there.
func localSubject(im *config.Import) string {
	if im.Prefix != "" {
		return strings.TrimSuffix(im.Prefix, ".") + "." + im.Stream.Subject
	}
	return im.To
}
