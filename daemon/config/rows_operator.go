package config

import "time"

// operatorRows are operator mode: accounts and users that come as JWTs.
func operatorRows() []*Option {
	return []*Option{
		{Name: "operator", Aliases: []string{"operators", "roots", "root", "root_operators", "root_operator"}, Kind: JWTFiles, Feature: OperatorMode,
			Class: Restart, Secret: true, Doc: "The operators whose accounts are trusted: their JWTs, or files that hold them.",
			bind: field(func(o *Options) *[]string { return &o.Operator.JWTs })},
		{Name: "trusted_keys", Aliases: []string{"trusted"}, Kind: Strings, Feature: OperatorMode, Class: Restart,
			Doc:  "Public operator nkeys that are trusted, instead of operators.",
			bind: field(func(o *Options) *[]string { return &o.Operator.TrustedKeys })},
		{Name: "resolver", Aliases: []string{"account_resolver", "accounts_resolver"}, Kind: Resolving, Feature: OperatorMode,
			Doc:    "Where account JWTs come from: MEMORY, URL(\"https://…\"), or a block that describes a directory.",
			fields: resolverRows, finish: finishResolver,
			bind: field(func(o *Options) *AccountResolver { return &o.Operator.Resolver })},
		{Name: "resolver_tls", Kind: Block, Feature: OperatorMode, Doc: "TLS to the resolver's URL.", fields: tlsRows, finish: finishTLS,
			bind: field(func(o *Options) *TLS { return &o.Operator.ResolverTLS })},
		{Name: "resolver_preload", Kind: StringMap, Feature: OperatorMode, Secret: true, check: notAnAccount,
			Doc:  "Account JWTs by public key, put into the resolver at start and reload.",
			bind: field(func(o *Options) *map[string]string { return &o.Operator.Preload })},
		{Name: "resolver_pinned_accounts", Kind: Strings, Feature: OperatorMode,
			Doc:  "Accounts whose users are let in; by default those of all.",
			bind: field(func(o *Options) *[]string { return &o.Operator.Pinned })},
	}
}

// resolverRows describe a directory of JWTs.
func resolverRows() []*Option {
	return []*Option{
		{Name: "type", Kind: String, Class: Restart, Doc: "full: the directory holds all accounts; cache: those that were used; mem: there is none.",
			bind: field(func(r *AccountResolver) *string { return &r.Type })},
		{Name: "dir", Kind: Path, Class: Restart, Doc: "Directory of the JWTs; made if it does not exist.",
			bind: field(func(r *AccountResolver) *string { return &r.Dir })},
		{Name: "allow_delete", Kind: Boolean, Doc: "Let operators delete accounts. full only.",
			bind: field(func(r *AccountResolver) *bool { return &r.AllowDelete })},
		{Name: "hard_delete", Kind: Boolean, Doc: "Remove deleted JWTs instead of renaming them. full only.",
			bind: field(func(r *AccountResolver) *bool { return &r.HardDelete })},
		{Name: "limit", Kind: Count, Doc: "Number of JWTs. A full directory refuses more; a cache, of 1000 by default, forgets the one not used for longest.",
			bind: field(func(r *AccountResolver) *int64 { return &r.Limit })},
		{Name: "ttl", Kind: Span, Doc: "How long a JWT is kept that is not used; by default as long as it is valid. cache only.",
			bind: field(func(r *AccountResolver) *time.Duration { return &r.TTL })},
		{Name: "interval", Kind: Span, Doc: "How often servers compare their directories; 1 minute by default. full only.",
			bind: field(func(r *AccountResolver) *time.Duration { return &r.Interval })},
		{Name: "timeout", Kind: Span, Doc: "Time for other servers to answer a look-up; 1.9 seconds by default.",
			bind: field(func(r *AccountResolver) *time.Duration { return &r.Timeout })},
	}
}
