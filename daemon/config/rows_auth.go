package config

import (
	"crypto/tls"
	"time"
)

// authRows are who may connect.
func authRows() []*Option {
	return []*Option{
		{Name: "authorization", Kind: Block, Feature: Auth, Doc: "Who may connect: one user, one token, or a list of users.",
			fields: func() []*Option {
				return append(loginRows(),
					&Option{Name: "token", Kind: String, Secret: true, SecretFile: "token_file",
						Doc:  "Token that clients must present, plain or a bcrypt hash.",
						bind: field(func(a *Authorization) *string { return &a.Token })},
					usersRow(func(a *Authorization) *[]User { return &a.Users }),
					&Option{Name: "default_permissions", Aliases: []string{"default_permission", "permissions"}, Kind: Block,
						Doc:    "Permissions of users that have none of their own.",
						fields: permissionRows, finish: finishPermissions,
						bind: field(func(a *Authorization) *Permissions { return &a.DefaultPermissions })},
					&Option{Name: "auth_callout", Aliases: []string{"auth_hook"}, Kind: Block, Feature: Callouts,
						Doc: "Let a service decide who may connect.", fields: calloutRows, finish: finishCallout,
						bind: field(func(a *Authorization) *Callout { return &a.Callout })},
					&Option{Name: "proxy_required", Kind: Boolean, Default: "false", Feature: Proxies,
						Doc:  "Clients must come through a trusted proxy.",
						bind: field(func(a *Authorization) *bool { return &a.ProxyRequired })},
				)
			},
			finish: finishAuthorization,
			bind:   field(func(o *Options) *Authorization { return &o.Authorization })},
		{Name: "no_auth_user", Kind: String, Feature: Auth,
			Doc:  "User that clients without credentials become.",
			bind: field(func(o *Options) *string { return &o.NoAuthUser })},
		{Name: "default_sentinel", Kind: String, Secret: true, Feature: OperatorMode,
			Doc:  "User JWT of clients that present none, in operator mode: a bearer token.",
			bind: field(func(o *Options) *string { return &o.Operator.Sentinel })},
	}
}

// loginRows are one user and the time to log in.
func loginRows() []*Option {
	return []*Option{
		{Name: "user", Aliases: []string{"username"}, Kind: String,
			Doc:  "The user that clients must present.",
			bind: field(func(a *Authorization) *string { return &a.User })},
		{Name: "password", Aliases: []string{"pass"}, Kind: String, Secret: true, SecretFile: "password_file",
			Doc:  "Password of the user, plain or a bcrypt hash.",
			bind: field(func(a *Authorization) *string { return &a.Password })},
		{Name: "timeout", Kind: Seconds, Class: NewConnections, check: highTimeout,
			Doc:  "Time for a client to authenticate: seconds or a duration; 2s by default, with TLS its timeout and 1s.",
			bind: field(func(a *Authorization) *time.Duration { return &a.Timeout })},
	}
}

// usersRow is a list of users.
func usersRow[T any](at func(*T) *[]User) *Option {
	return &Option{Name: "users", Kind: Blocks, Doc: "The users, each a block.",
		fields: func() []*Option {
			return []*Option{
				{Name: "user", Aliases: []string{"username"}, Kind: String, Doc: "Name of the user.",
					bind: field(func(u *User) *string { return &u.Name })},
				{Name: "password", Aliases: []string{"pass"}, Kind: String, Secret: true, SecretFile: "password_file",
					Doc:  "Password, plain or a bcrypt hash.",
					bind: field(func(u *User) *string { return &u.Password })},
				{Name: "nkey", Kind: String, Doc: "Public nkey of the user, instead of name and password.",
					bind: field(func(u *User) *string { return &u.Nkey })},
				{Name: "permissions", Aliases: []string{"permission", "authorization"}, Kind: Block, Doc: "What the user may publish and subscribe.",
					fields: permissionRows, finish: finishPermissions,
					bind: field(func(u *User) *Permissions { return &u.Permissions })},
				{Name: "allowed_connection_types", Aliases: []string{"connection_types", "clients"}, Kind: ConnTypes,
					Doc:  "Types of connection the user may use; by default all.",
					bind: field(func(u *User) *[]string { return &u.ConnectionTypes })},
				{Name: "proxy_required", Kind: Boolean, Default: "false", Feature: Proxies, Doc: "The user must come through a trusted proxy.",
					bind: field(func(u *User) *bool { return &u.ProxyRequired })},
			}
		},
		elem: appended[User](), finish: finishUser,
		bind: field(at)}
}

// ruleRows are the keys of the block form of a permission.
func ruleRows() []*Option {
	return []*Option{
		{Name: "allow", Kind: Strings, Doc: "Subjects that are allowed; by default all."},
		{Name: "deny", Kind: Strings, Doc: "Subjects that are denied, allowed or not."},
	}
}

func responseRow[T any](at func(*T) *ResponseRule) *Option {
	return &Option{Name: "allow_responses", Aliases: []string{"publish_allow_responses"}, Kind: Responses,
		Doc: "Allow answers to the messages received; without a publish rule nothing else may be published.",
		fields: func() []*Option {
			return []*Option{
				{Name: "max", Aliases: []string{"max_msgs", "max_messages", "max_responses"}, Kind: Integer, Default: "1",
					Doc:  "Answers to one message; negative is unlimited.",
					bind: field(func(r *ResponseRule) *int { return &r.Max })},
				{Name: "expires", Aliases: []string{"expiration", "ttl"}, Kind: Span, Default: `"2m"`,
					Doc:  "Time for the answers; negative is unlimited.",
					bind: field(func(r *ResponseRule) *time.Duration { return &r.Expires })},
			}
		},
		bind: field(at)}
}

// permissionRows are the keys of permissions.
func permissionRows() []*Option {
	return []*Option{
		{Name: "publish", Aliases: []string{"pub", "import"}, Kind: Rules, Doc: "Subjects that may be published to.", fields: ruleRows,
			bind: field(func(p *Permissions) *SubjectRules { return &p.Publish })},
		{Name: "subscribe", Aliases: []string{"sub", "export"}, Kind: QueueRules,
			Doc: "Subjects that may be subscribed to; \"subject queue\" is about a queue group.", fields: ruleRows,
			bind: field(func(p *Permissions) *SubjectRules { return &p.Subscribe })},
		responseRow(func(p *Permissions) *ResponseRule { return &p.Responses }),
	}
}

func calloutRows() []*Option {
	return []*Option{
		{Name: "issuer", Kind: String, Doc: "Public account nkey that signs the answers.",
			bind: field(func(c *Callout) *string { return &c.Issuer })},
		{Name: "account", Aliases: []string{"acc"}, Kind: String, Default: `"$G"`, Doc: "Account that requests are sent in.",
			bind: field(func(c *Callout) *string { return &c.Account })},
		{Name: "auth_users", Aliases: []string{"users"}, Kind: UserNames,
			Doc:  "Users, by name or nkey, that are let in without the service; the service is one of them.",
			bind: field(func(c *Callout) *[]string { return &c.Users })},
		{Name: "xkey", Aliases: []string{"key"}, Kind: String, Doc: "Public curve key of the service, to encrypt requests and answers with.",
			bind: field(func(c *Callout) *string { return &c.XKey })},
		{Name: "allowed_accounts", Kind: AccountNames,
			Doc:  "Accounts whose configured users the service decides on as well; by default all.",
			bind: field(func(c *Callout) *[]string { return &c.AllowedAccounts })},
	}
}

// tlsRow is a tls block; the same keys serve every listener.
func tlsRow[T any](feature Feature, doc string, at func(*T) *TLS) *Option {
	return &Option{Name: "tls", Kind: Block, Feature: feature, Doc: doc, fields: tlsRows, finish: finishTLS, bind: field(at)}
}

// tlsBlock is a tls block of a feature that is not built.
func tlsBlock(doc string) *Option {
	return &Option{Name: "tls", Kind: Block, Doc: doc, fields: tlsRows}
}

func tlsRows() []*Option {
	file := func(name, doc string, at func(*TLS) *string) *Option {
		return &Option{Name: name, Kind: Path, Doc: doc, bind: field(at)}
	}
	return []*Option{
		file("cert_file", "Certificate to present, PEM; intermediates may follow.", func(t *TLS) *string { return &t.certFile }),
		file("key_file", "Key of the certificate, PEM.", func(t *TLS) *string { return &t.keyFile }),
		file("ca_file", "Authorities that certificates of peers must come from, PEM.", func(t *TLS) *string { return &t.CAFile }),
		{Name: "certs", Aliases: []string{"certificates"}, Kind: Blocks, Doc: "Several certificates, chosen by the name the client asks for.",
			fields: func() []*Option {
				return []*Option{
					{Name: "cert_file", Kind: Path, Doc: "Certificate, PEM.", bind: field(func(c *CertPair) *string { return &c.CertFile })},
					{Name: "key_file", Kind: Path, Doc: "Its key, PEM.", bind: field(func(c *CertPair) *string { return &c.KeyFile })},
				}
			},
			elem: appended[CertPair](), bind: field(func(t *TLS) *[]CertPair { return &t.Certificates })},
		{Name: "verify", Kind: Verify, Default: "false", Doc: "Demand a certificate of the peer; \"optional\": verify one that is shown.",
			bind: field(func(t *TLS) *verification { return &t.verify })},
		{Name: "verify_and_map", Kind: Boolean, Default: "false", Doc: "Demand a certificate, and take the user from it: the one named by an e-mail address, a DNS name or a URI of it, or else by its subject.",
			bind: field(func(t *TLS) *bool { return &t.Map })},
		{Name: "verify_cert_and_check_known_urls", Kind: Boolean, Default: "false",
			Doc:  "Demand a certificate whose names are among the configured routes; routes and gateways only.",
			bind: field(func(t *TLS) *bool { return &t.CheckKnownURLs })},
		{Name: "insecure", Kind: Boolean, Default: "false", Doc: "Do not verify certificates of peers that are dialled.",
			bind: field(func(t *TLS) *bool { return &t.Insecure })},
		{Name: "timeout", Kind: Seconds, Default: `2`, Class: NewConnections, Doc: "Time for the handshake: seconds or a duration.",
			bind: field(func(t *TLS) *time.Duration { return &t.Timeout })},
		{Name: "handshake_first", Aliases: []string{"first", "immediate"}, Kind: First, Default: "false", Class: NewConnections,
			Doc:  "Do the handshake before INFO is sent: true, false, \"auto\" (wait 50ms for it), or the time to wait.",
			bind: field(func(t *TLS) *HandshakeFirst { return &t.HandshakeFirst })},
		{Name: "min_version", Kind: Version, Default: `"1.2"`, Class: NewConnections, Doc: "Oldest TLS version accepted: \"1.2\" or \"1.3\".",
			bind: field(func(t *TLS) *uint16 { return &t.MinVersion })},
		{Name: "cipher_suites", Kind: Ciphers, Class: NewConnections, Doc: "Cipher suites for TLS 1.2, best first; by default all secure ones.",
			bind: field(func(t *TLS) *[]uint16 { return &t.CipherSuites })},
		{Name: "allow_insecure_cipher_suites", Kind: Boolean, Default: "false", Class: NewConnections, Doc: "Permit suites that are known to be weak.",
			bind: field(func(t *TLS) *bool { return &t.allowInsecureCiphers })},
		{Name: "curve_preferences", Kind: Curves, Class: NewConnections, Doc: "Key exchange mechanisms, best first.",
			bind: field(func(t *TLS) *[]tls.CurveID { return &t.Curves })},
		{Name: "connection_rate_limit", Kind: Count, Default: "0", Doc: "Handshakes a second; 0 is unlimited.",
			bind: field(func(t *TLS) *int64 { return &t.RateLimit })},
		{Name: "pinned_certs", Kind: Pins, Doc: "SHA-256 of the public keys that are accepted, in hex.",
			bind: field(func(t *TLS) *[]string { return &t.Pinned })},
		{Name: "ocsp_peer", Kind: Switch, Feature: OCSP, Doc: "Check certificates of peers by OCSP.", fields: func() []*Option {
			return []*Option{
				{Name: "verify", Kind: Boolean, Doc: "Check them."},
				{Name: "allowed_clockskew", Kind: Seconds, Doc: "Difference of clocks that is tolerated."},
				{Name: "ca_timeout", Kind: Seconds, Doc: "Time for the responder to answer."},
				{Name: "cache_ttl_when_next_update_unset", Kind: Seconds, Doc: "How long an answer without an end is kept."},
				{Name: "warn_only", Kind: Boolean, Doc: "Log instead of refusing."},
				{Name: "unknown_is_good", Kind: Boolean, Doc: "Take the answer unknown as good."},
				{Name: "allow_when_ca_unreachable", Kind: Boolean, Doc: "Accept when no responder answers."},
			}
		}},
		{Name: "cert_store", Kind: String, Feature: CertStore, Doc: "Windows certificate store."},
		{Name: "cert_match_by", Kind: String, Feature: CertStore, Doc: "How the certificate is found in the store."},
		{Name: "cert_match", Kind: String, Feature: CertStore, Doc: "What the certificate is found by."},
		{Name: "cert_match_skip_invalid", Kind: Boolean, Feature: CertStore, Doc: "Skip expired certificates in the store."},
		{Name: "ca_certs_match", Kind: Strings, Feature: CertStore, Doc: "Authorities to find in the store."},
	}
}

// transportRows are TLS and PROXY of client connections.
func transportRows() []*Option {
	return []*Option{
		tlsRow(TLSServer, "TLS of client connections and of HTTPS monitoring.", func(o *Options) *TLS { return &o.TLS }),
		{Name: "allow_non_tls", Kind: Boolean, Default: "false", Feature: TLSServer, Class: NewConnections,
			Doc:  "With tls: accept clients without it as well.",
			bind: field(func(o *Options) *bool { return &o.AllowNonTLS })},
		{Name: "ocsp", Kind: Switch, Feature: OCSP, Doc: "OCSP stapling.", fields: func() []*Option {
			return []*Option{
				{Name: "mode", Kind: String, Doc: "auto, always, must or never."},
				{Name: "url", Kind: String, Doc: "Responder to ask."},
				{Name: "urls", Kind: Strings, Doc: "Responders to ask."},
			}
		}},
		{Name: "ocsp_cache", Kind: Switch, Feature: OCSP, Doc: "Cache of OCSP answers.", fields: func() []*Option {
			return []*Option{
				{Name: "type", Kind: String, Doc: "none or local."},
				{Name: "local_store", Kind: Path, Doc: "Directory of the cache."},
				{Name: "preserve_revoked", Kind: Boolean, Doc: "Keep answers that say revoked."},
				{Name: "save_interval", Kind: Seconds, Doc: "How often the cache is saved."},
			}
		}},
		{Name: "proxy_protocol", Kind: Boolean, Default: "false", Feature: ProxyLine, Class: NewConnections,
			Doc:  "Expect a PROXY protocol header (v1 or v2) on client connections.",
			bind: field(func(o *Options) *bool { return &o.ProxyProtocol })},
		{Name: "proxy_trusted", Kind: Strings, Feature: ProxyLine, Class: NewConnections, Since: sinceOurs,
			Doc:  "Networks the PROXY header is believed from, as CIDR; by default all.",
			bind: field(func(o *Options) *[]string { return &o.ProxyTrusted })},
		{Name: "proxies", Kind: Block, Feature: Proxies, Doc: "Proxies that are trusted.",
			bind: func(b any) any { return b }, fields: func() []*Option {
				return []*Option{
					{Name: "trusted", Kind: Blocks, Doc: "The proxies.", fields: func() []*Option {
						return []*Option{
							{Name: "key", Aliases: []string{"public_key"}, Kind: String, Doc: "Public nkey of the proxy.",
								bind: field(func(p *Proxy) *string { return &p.Key })},
						}
					}, elem: appended[Proxy](), finish: finishProxy, bind: field(func(o *Options) *[]Proxy { return &o.Proxies })},
				}
			}},
	}
}
