package daemon

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/monitor"
	"github.com/nats-broker/nats-broker/daemon/system"
)

// systemOptions translates the configuration for the system account's service.
func systemOptions(o *config.Options, build string) system.Options {
	return system.Options{
		JetStream: o.JetStream.Enabled, Domain: jetStreamDomain(o), Tags: lower(o.Tags), Metadata: o.Metadata, FeatureFlags: featureFlags(o), Build: build,
	}
}

// knownFlags are the feature flags of nats-server 2.15.3 with their defaults.
var knownFlags = map[string]bool{"js_ack_fc_v2": false, "js_api_reply_v2": false, "js_raft_delete_range": true, "js_snapshot_sources": false}

// featureFlags are all flags that nats-server knows, as configured. It shows no other.
func featureFlags(o *config.Options) map[string]bool {
	flags := maps.Clone(knownFlags)
	for name, on := range o.FeatureFlags {
		if _, known := flags[name]; known {
			flags[name] = on
		}
	}
	return flags
}

// systemSource gives the system account's service its view of everything else. It
// answers what the monitor's endpoints answer, by the monitor's own reporter.
func (d *Daemon) systemSource() system.Source {
	r := d.reporter
	return system.Source{
		Stats: d.systemStats,
		Servers: map[string]system.Report{
			"VARZ":     report(r, func(m *monitor.Reporter, _ struct{}) (any, error) { return m.Varz(), nil }),
			"CONNZ":    report(r, func(m *monitor.Reporter, o monitor.ConnzOptions) (any, error) { return m.Connz(o) }),
			"SUBSZ":    report(r, func(m *monitor.Reporter, o monitor.SubszOptions) (any, error) { return m.Subsz(o) }),
			"ROUTEZ":   report(r, func(m *monitor.Reporter, o monitor.RoutezOptions) (any, error) { return m.Routez(o), nil }),
			"GATEWAYZ": report(r, func(m *monitor.Reporter, _ struct{}) (any, error) { return m.Gatewayz(), nil }),
			"LEAFZ":    report(r, func(m *monitor.Reporter, o monitor.LeafzOptions) (any, error) { return m.Leafz(o), nil }),
			"ACCOUNTZ": report(r, func(m *monitor.Reporter, o accountOf) (any, error) { return m.Accountz(o.Account) }),
			"JSZ":      report(r, jsz),
			"HEALTHZ":  report(r, func(m *monitor.Reporter, o monitor.HealthzOptions) (any, error) { return m.Healthz(o), nil }),
			"RAFTZ":    report(r, func(*monitor.Reporter, struct{}) (any, error) { return struct{}{}, nil }),
		},
		Accounts: map[string]system.Report{
			"CONNZ": reportAccount(r, func(m *monitor.Reporter, o monitor.ConnzOptions, account string) (any, error) {
				o.Account = account
				return m.Connz(o)
			}),
			"SUBSZ": reportAccount(r, func(m *monitor.Reporter, o monitor.SubszOptions, account string) (any, error) {
				o.Subscriptions, o.Account = true, account
				return m.Subsz(o)
			}),
			"LEAFZ": reportAccount(r, func(m *monitor.Reporter, o monitor.LeafzOptions, account string) (any, error) {
				o.Account = account
				return m.Leafz(o), nil
			}),
			"JSZ": reportAccount(r, func(m *monitor.Reporter, o monitor.JszOptions, account string) (any, error) {
				return m.JszAccount(account, o)
			}),
			"INFO":  reportAccount(r, accountInfo),
			"STATZ": reportAccount(r, accountStatz),
		},
		Reload:      d.reloadByRequest,
		CommandLine: func() []string { return monitor.MaskArguments(os.Args) },
		AccountName: d.accountName,
		Permissions: userPermissions,
	}
}

// reporter is the monitor's, once it runs.
func (d *Daemon) reporter() *monitor.Reporter { return d.monitor.run.Reporter() }

// report makes a report of one of the reporter's, whose options are the request's body.
func report[O any](reporter func() *monitor.Reporter, answer func(*monitor.Reporter, O) (any, error)) system.Report {
	return func(r *system.Request) (any, error) {
		var o O
		if err := r.Decode(&o); err != nil {
			return nil, err
		}
		return answer(reporter(), o)
	}
}

// reportAccount is report for the account that the request's subject names.
func reportAccount[O any](reporter func() *monitor.Reporter, answer func(*monitor.Reporter, O, string) (any, error)) system.Report {
	return func(r *system.Request) (any, error) {
		var o O
		if err := r.Decode(&o); err != nil {
			return nil, err
		}
		return answer(reporter(), o, r.Token(3))
	}
}

// accountOf names an account.
type accountOf struct {
	Account string `json:"account"`
}

// jsz does not answer where another server leads.
func jsz(m *monitor.Reporter, o monitor.JszOptions) (any, error) {
	z, err := m.Jsz(o)
	if err != nil {
		return nil, system.ErrNoAnswer
	}
	return z, nil
}

func accountInfo(m *monitor.Reporter, _ struct{}, account string) (any, error) {
	z, err := m.Accountz(account)
	if err != nil {
		return (*monitor.AccountInfo)(nil), err
	}
	return z.Account, nil
}

// accountStatz answers for one account, or, where the subject says PING, for those
// that the body names. A server where none of them is in use does not answer.
func accountStatz(m *monitor.Reporter, o monitor.AccstatzOptions, account string) (any, error) {
	if account != "PING" {
		o.Accounts = []string{account}
	}
	z := m.Accstatz(o)
	if len(z.Accounts) == 0 && !o.IncludeUnused {
		return nil, system.ErrNoAnswer
	}
	return z, nil
}

// systemStats are the server's figures as it tells others of them.
func (d *Daemon) systemStats(s *system.Stats) {
	v := d.reporter().Varz()
	s.Start, s.Mem, s.Cores, s.CPU, s.MaxProcs, s.MemLimit = v.Start, v.Mem, v.Cores, v.CPU, v.MaxProcs, v.MemLimit
	s.Connections, s.TotalConnections, s.Subscriptions = v.Connections, v.TotalConnections, v.Subscriptions
	s.ActiveAccounts = d.broker.Stats().ActiveAccounts
	s.Sent.Amount = system.Amount{Msgs: v.OutMsgs, Bytes: v.OutBytes}
	s.SentToClients.Amount = system.Amount{Msgs: v.OutClientMsgs, Bytes: v.OutClientBytes}
	s.Received.Amount = system.Amount{Msgs: v.InMsgs, Bytes: v.InBytes}
	s.ReceivedFromClients.Amount = system.Amount{Msgs: v.InClientMsgs, Bytes: v.InClientBytes}
	s.SlowConsumers, s.StaleConnections, s.StalledClients = v.SlowConsumers, v.StaleConnections, v.StalledClients
	if k := v.SlowConsumerStats; k != (monitor.KindCounts{}) {
		s.SlowConsumersOf = (*system.KindCounts)(&k)
	}
	if k := v.StaleConnectionStats; k != (monitor.KindCounts{}) {
		s.StaleConnectionsOf = (*system.KindCounts)(&k)
	}
	if js := d.reporter().JetStream(); js != nil {
		c := *js.Config
		c.StoreDir = "" // nobody else's business
		js.Config, s.JetStream = &c, js
	}
	if d.cluster.hub == nil {
		return
	}
	for _, r := range d.cluster.hub.Stats(false) {
		s.Routes = append(s.Routes, &system.RouteStats{
			ID: r.RID, Name: r.RemoteName, Pending: int(r.Pending),
			Sent:     system.Traffic{Amount: system.Amount{Msgs: r.OutMsgs, Bytes: r.OutBytes}},
			Received: system.Traffic{Amount: system.Amount{Msgs: r.InMsgs, Bytes: r.InBytes}},
		})
	}
}

// reloadByRequest has Run's goroutine reload.
func (d *Daemon) reloadByRequest(ctx context.Context, cause string) error {
	reply := make(chan control.Response, 1)
	select {
	case d.requests <- request{Request: control.Request{Verb: control.VerbReload}, cause: cause, reply: reply}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case resp := <-reply:
		if !resp.OK {
			return errors.New(resp.Error)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// accountName is an account's name for people: that in its JWT, if there is one.
func (d *Daemon) accountName(account string) string {
	if b := d.operator.book; b != nil {
		if a := b.Known(account); a != nil && a.Name != "" {
			return a.Name
		}
	}
	return account
}

// userPermissions lists what a client may do, as it is configured.
func userPermissions(c *broker.Client) *system.Permissions {
	id := c.Identity()
	if id == nil {
		return nil
	}
	r, ok := id.Permissions.(rights)
	if !ok {
		return nil
	}
	rules := r.Rules()
	p := &system.Permissions{
		Publish:   &system.Subjects{Allow: rules.PublishAllow, Deny: rules.PublishDeny},
		Subscribe: &system.Subjects{Allow: rules.SubscribeAllow, Deny: rules.SubscribeDeny},
	}
	if a := r.Responses(); a != nil {
		p.Responses = &system.Responses{MaxMsgs: a.MaxMsgs, Expires: a.Expires}
	}
	return p
}

// systemServices are what every account imports of the system account without saying
// so, that its users may ask about it and about themselves. What they ask of themselves
// is last.
func systemServices(account, system string) []broker.ServiceImport {
	of := "$SYS.REQ.ACCOUNT." + account + "."
	return []broker.ServiceImport{
		{Account: system, Local: "$SYS.REQ.ACCOUNT.PING.CONNZ", Subject: of + "CONNZ"},
		{Account: system, Local: "$SYS.REQ.SERVER.PING.CONNZ", Subject: of + "CONNZ"},
		{Account: system, Local: "$SYS.REQ.ACCOUNT.PING.STATZ", Subject: of + "STATZ"},
		{Account: system, Local: "$SYS.REQ.USER.INFO", Subject: "$SYS.REQ.USER." + account + ".INFO", Share: true},
	}
}

// addSystemExports adds those, unless the system account says something else of the
// same subject.
func addSystemExports(a *broker.AccountOptions) {
	for _, e := range systemExports() {
		if !slices.ContainsFunc(a.Exports, func(x broker.ServiceExport) bool { return x.Subject == e.Subject }) {
			a.Exports = append(a.Exports, e)
		}
	}
}

// systemExports is how the system account answers those requests: every server may
// have something to say, but of a client only its own.
func systemExports() []broker.ServiceExport {
	return []broker.ServiceExport{
		{Subject: "$SYS.REQ.ACCOUNT.*.CONNZ", Streamed: true},
		{Subject: "$SYS.REQ.ACCOUNT.*.STATZ", Streamed: true},
		{Subject: "$SYS.REQ.USER.*.INFO"},
		{Subject: "$SYS.DEBUG.SUBSCRIBERS"},
	}
}
