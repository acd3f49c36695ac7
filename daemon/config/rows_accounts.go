package config

import (
	"time"
)

// accountRows isolate groups of users from each other.
func accountRows() []*Option {
	return []*Option{
		{Name: "accounts", Kind: AccountSet, Feature: Accounts, Doc: "The accounts: a map from name to block, or a list of names.",
			fields: func() []*Option {
				return []*Option{
					{Name: "nkey", Kind: String, Doc: "Public nkey of the account.",
						bind: field(func(a *Account) *string { return &a.Nkey })},
					usersRow(func(a *Account) *[]User { return &a.Users }),
					{Name: "default_permissions", Kind: Block, Doc: "Permissions of users that have none of their own.",
						fields: permissionRows, finish: finishPermissions,
						bind: field(func(a *Account) *Permissions { return &a.DefaultPermissions })},
					exportsRow(), importsRow(),
					mappingsRow(func(a *Account) *[]Mapping { return &a.Mappings }),
					{Name: "limits", Kind: Block, Doc: "Limits over all connections of the account.", fields: func() []*Option {
						return []*Option{
							{Name: "max_connections", Aliases: []string{"max_conn"}, Kind: Integer, Doc: "Connections; -1 is unlimited.",
								bind: field(func(l *AccountLimits) *int { return &l.MaxConnections })},
							{Name: "max_subscriptions", Aliases: []string{"max_subs"}, Kind: Integer, Doc: "Subscriptions; -1 is unlimited.",
								bind: field(func(l *AccountLimits) *int { return &l.MaxSubscriptions })},
							{Name: "max_payload", Aliases: []string{"max_pay"}, Kind: Size, Doc: "Largest message; -1 is the server's.",
								bind: field(func(l *AccountLimits) *int64 { return &l.MaxPayload })},
							{Name: "max_leafnodes", Aliases: []string{"max_leafs"}, Kind: Integer, Doc: "Leaf node connections; -1 is unlimited.",
								bind: field(func(l *AccountLimits) *int { return &l.MaxLeafnodes })},
						}
					}, bind: field(func(a *Account) *AccountLimits { return &a.Limits })},
					{Name: "msg_trace", Aliases: []string{"trace_dest"}, Kind: Sampling, Feature: Tracing,
						Doc: "Subject to send reports to of the ways of messages whose traceparent says that they are traced.", fields: func() []*Option {
							return []*Option{
								{Name: "dest", Kind: Subject, Doc: "Subject to send them to.",
									bind: field(func(t *MsgTrace) *string { return &t.Dest })},
								{Name: "sampling", Kind: Percent, within: &bounds{1, 100}, Default: "100", Doc: "Percentage of those messages of which reports are sent, exactly so many of each hundred.",
									bind: field(func(t *MsgTrace) *int { return &t.Sampling })},
							}
						}, bind: field(func(a *Account) *MsgTrace { return &a.Trace })},
					{Name: "jetstream", Kind: Switch, Feature: Streams, Doc: "JetStream of the account.", fields: accountJetStreamRows,
						bind: field(func(a *Account) *AccountJetStream { return &a.JetStream })},
				}
			},
			elem: keyed(func(a *Account) *string { return &a.Name }), finish: finishAccount,
			bind: field(func(o *Options) *[]Account { return &o.Accounts })},
		mappingsTop(),
		{Name: "system_account", Aliases: []string{"system"}, Kind: String, Feature: Accounts, Class: Restart,
			Doc:  "Account of server events and requests; $SYS by default.",
			bind: field(func(o *Options) *string { return &o.SystemAccount })},
		{Name: "no_system_account", Aliases: []string{"no_system", "no_sys_acc"}, Kind: Boolean, Default: "false", Class: Restart,
			Doc:  "Do without a system account.",
			bind: field(func(o *Options) *bool { return &o.NoSystemAccount })},
	}
}

func exportsRow() *Option {
	return &Option{Name: "exports", Kind: Blocks, Doc: "Streams and services offered to other accounts.",
		fields: func() []*Option {
			return []*Option{
				{Name: "stream", Kind: Subject, Doc: "Subject of a stream: messages on it flow to the importers.",
					bind: field(func(e *Export) *string { return &e.Stream })},
				{Name: "service", Kind: Subject, Doc: "Subject of a service: requests of the importers flow to it.",
					bind: field(func(e *Export) *string { return &e.Service })},
				{Name: "accounts", Kind: AccountNames, Doc: "Accounts that may import it; by default all.",
					bind: field(func(e *Export) *[]string { return &e.Accounts })},
				{Name: "response_type", Aliases: []string{"response"}, Kind: Word, Default: "singleton", foldCase: true,
					Values: []string{"singleton", "stream", "chunked", "single", "chunk"}, Doc: "Replies to one request: one, a stream, or chunks of one.",
					bind: func(b any) any { return responseWord{&b.(*Export).ResponseType} }},
				{Name: "threshold", Aliases: []string{"response_threshold", "response_max_time", "response_time"}, Kind: Span, Default: `"2m"`,
					Doc:  "Time a reply is waited for. Of one connection 524,288 requests at most are open, of an account eight times as many; the oldest make way.",
					bind: field(func(e *Export) *time.Duration { return &e.ResponseThreshold })},
				{Name: "latency", Kind: Sampling, Doc: "Subject to publish latency samples of the service to.", fields: func() []*Option {
					return []*Option{
						{Name: "subject", Kind: Subject, Doc: "Subject to publish to.",
							bind: field(func(l *Latency) *string { return &l.Subject })},
						{Name: "sampling", Kind: Percent, Values: []string{"headers"}, within: &bounds{1, 100}, Default: "100",
							Doc:  "Percentage of requests sampled, or \"headers\".",
							bind: field(func(l *Latency) *int { return &l.Sampling })},
					}
				}, finish: finishLatency, bind: field(func(e *Export) *Latency { return &e.Latency })},
				{Name: "account_token_position", Kind: Integer, Doc: "Token of the subject, from 1, that must name the importing account.",
					bind: field(func(e *Export) *int { return &e.AccountTokenPosition })},
				{Name: "allow_trace", Kind: Boolean, Default: "false", Feature: Tracing, Doc: "Reports of the ways of requests may tell what happens in this account.",
					bind: field(func(e *Export) *bool { return &e.AllowTrace })},
			}
		},
		elem: appended[Export](), finish: finishExport,
		bind: field(func(a *Account) *[]Export { return &a.Exports })}
}

func importsRow() *Option {
	source := func(name, doc string, at func(*Import) *ImportSource) *Option {
		return &Option{Name: name, Kind: Block, Doc: doc, finish: finishSource, bind: field(at), fields: func() []*Option {
			return []*Option{
				{Name: "account", Kind: String, Doc: "Account that exports it.",
					bind: field(func(s *ImportSource) *string { return &s.Account })},
				{Name: "subject", Kind: Subject, Doc: "Subject there.",
					bind: field(func(s *ImportSource) *string { return &s.Subject })},
			}
		}}
	}
	return &Option{Name: "imports", Kind: Blocks, Doc: "Streams and services taken from other accounts.",
		fields: func() []*Option {
			return []*Option{
				source("stream", "A stream: account and subject.", func(i *Import) *ImportSource { return &i.Stream }),
				source("service", "A service: account and subject.", func(i *Import) *ImportSource { return &i.Service }),
				{Name: "to", Kind: Subject, Doc: "Local subject; by default the exported one.",
					bind: field(func(i *Import) *string { return &i.To })},
				{Name: "prefix", Kind: Subject, Doc: "Put before the subjects of a stream.",
					bind: field(func(i *Import) *string { return &i.Prefix })},
				{Name: "share", Kind: Boolean, Default: "false", Doc: "Share information about the requester in latency samples.",
					bind: field(func(i *Import) *bool { return &i.Share })},
				{Name: "allow_trace", Kind: Boolean, Default: "false", Feature: Tracing, Doc: "Reports of the ways of messages may tell who gets them in this account.",
					bind: field(func(i *Import) *bool { return &i.AllowTrace })},
			}
		},
		elem: appended[Import](), finish: finishImport,
		bind: field(func(a *Account) *[]Import { return &a.Imports })}
}

func mappingsRow[T any](at func(*T) *[]Mapping) *Option {
	return &Option{Name: "mappings", Aliases: []string{"maps"}, Kind: MappingSet, Feature: Accounts,
		Doc: "Subjects that are rewritten on their way in: subject, block, or list of blocks.",
		fields: func() []*Option {
			return []*Option{
				{Name: "destination", Aliases: []string{"dest"}, Kind: Subject, Doc: "Where messages go. It may hold $1 or {{wildcard(1)}} for what a wildcard stands for, {{partition(buckets,wildcards…)}}, " +
					"{{split(wildcard,delimiter)}}, {{splitFromLeft(wildcard,at)}}, {{splitFromRight(wildcard,at)}}, " +
					"{{sliceFromLeft(wildcard,size)}}, {{sliceFromRight(wildcard,size)}}, {{left(wildcard,characters)}}, " +
					"{{right(wildcard,characters)}} and {{random(buckets)}}.",
					bind: field(func(m *MapDestination) *string { return &m.Subject })},
				{Name: "weight", Kind: Percent, Doc: "Percentage of messages that go there.",
					bind: field(func(m *MapDestination) *int { return &m.Weight })},
				{Name: "cluster", Kind: String, Doc: "Only in the cluster of this name.",
					bind: field(func(m *MapDestination) *string { return &m.Cluster })},
			}
		},
		elem: keyed(func(m *Mapping) *string { return &m.Subject }),
		bind: field(at)}
}

// mappingsTop are the mappings of the global account, written at the top of the file.
func mappingsTop() *Option {
	row := mappingsRow(func(o *Options) *[]Mapping { return &o.globalMappings })
	row.Doc = "Mappings of the global account $G, where clients without an account are."
	return row
}
