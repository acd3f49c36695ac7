package config

import (
	"net/url"
	"os"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/confparse"
)

// jwtStart is what every JWT begins with: the base64 of "{\"".
const jwtStart = "eyJ"

// decodeJWTs reads the JWTs of operators, written in place or in files.
func decodeJWTs(d *decoder, at place, v *confparse.Value, into any) {
	list, items, ok := d.strs(at, v, true)
	if !ok {
		return
	}
	var texts []string
	for i, s := range list {
		if !strings.HasPrefix(s, jwtStart) {
			content, err := d.readFile(s)
			if err != nil {
				d.fail(at, items[i].Span(), "error parsing operator JWT: %v", err)
				continue
			}
			s = string(content)
		}
		text, _, err := operatorClaims(s)
		if err != nil {
			d.fail(at, items[i].Span(), "error parsing operator JWT: %v", err)
			continue
		}
		texts = append(texts, text)
	}
	put(into, texts)
}

// notAnAccount says what is wrong with an entry of resolver_preload.
func notAnAccount(entry any) string {
	if _, err := jwt.DecodeAccountClaims(entry.([2]string)[1]); err != nil {
		return "invalid account JWT"
	}
	return ""
}

var (
	resolverMemory = lazily(`(?i)^\s*mem(ory)?\s*$`)
	resolverURL    = lazily(`(?i)^\s*url\s*\(\s*"?([^\s"]*)"?\s*\)\s*$`)
)

const wrongResolver = `error parsing account resolver, should be MEM or URL("url") or a map containing dir and type state=[FULL|CACHE])`

// decodeResolver reads a resolver: a word, a URL in parentheses, or a block.
func decodeResolver(d *decoder, at place, v *confparse.Value, into any) {
	r, _ := into.(*AccountResolver)
	if r == nil {
		r = &AccountResolver{}
	}
	*r = AccountResolver{}
	if v.Kind() == confparse.Map {
		d.enter(at, v, r)
		return
	}
	s, ok := v.Str()
	if !ok {
		d.mistyped(at, v)
		return
	}
	if resolverMemory().MatchString(s) {
		r.Type = ResolverMemory
		return
	}
	m := resolverURL().FindStringSubmatch(s)
	if m == nil {
		d.fail(at, v.Span(), "%s", wrongResolver)
		return
	}
	if u, err := url.Parse(m[1]); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		d.fail(at, v.Span(), "error parsing account resolver url: it must be http:// or https:// and a host")
		return
	}
	r.Type, r.URL = ResolverURL, m[1]
}

// finishResolver holds that a block describes one kind of resolver.
func finishResolver(d *decoder, at place, v *confparse.Value, block any) {
	r := block.(*AccountResolver)
	has := func(key string) bool { return v.Fields().Get(key) != nil }
	wrong := func(key, text string) { d.fail(at, d.origin(join(at.path(), key), v.Span()), "%s", text) }
	switch kind := strings.ToLower(r.Type); kind {
	case "mem", ResolverMemory:
		*r = AccountResolver{Type: ResolverMemory}
		return
	case ResolverCache:
		if r.Interval != 0 {
			wrong("interval", "CACHE does not accept sync")
		}
		if r.AllowDelete {
			wrong("allow_delete", "CACHE does not accept allow_delete")
		}
		if has("hard_delete") {
			wrong("hard_delete", "CACHE does not accept hard_delete")
		}
		r.Type = kind
	case ResolverFull:
		if r.TTL != 0 {
			wrong("ttl", "FULL does not accept ttl")
		}
		if has("hard_delete") && !r.AllowDelete {
			wrong("hard_delete", "hard_delete has no effect without delete")
		}
		r.Type = kind
	default:
		wrong("type", wrongResolver)
		return
	}
	if r.Timeout <= 0 && has("timeout") {
		wrong("timeout", "the timeout of a fetch must be more than nothing")
	}
	if r.Dir == "" {
		wrong("dir", "dir has no value and needs to point to a directory")
	} else if info, err := os.Stat(r.Dir); err == nil && (!info.IsDir() || info.Mode().Perm()&0o200 == 0) {
		wrong("dir", "dir needs to point to an accessible directory")
	}
}

// checkOperator holds that operator mode is whole, and not mixed with users of the configuration.
func (d *decoder) checkOperator(o *Options) {
	op := &o.Operator
	for _, key := range op.TrustedKeys {
		if !nkeys.IsValidPublicOperatorKey(key) {
			d.wrong("trusted_keys", "trust key %q required to be a valid public operator nkey", clip(key))
		}
	}
	if len(op.JWTs) > 0 && len(op.TrustedKeys) > 0 {
		d.unable("trusted_keys", "conflicting options for 'TrustedKeys' and 'TrustedOperators'")
	}
	if !op.Enabled() {
		d.checkNoOperator(o)
		return
	}
	if op.Resolver.Type == "" {
		d.unable(d.said("operator", "trusted_keys"), "operators require an account resolver to be configured")
	}
	d.checkOperatorAlone(o)
	d.checkSystemAccount(o)
	if op.Resolver.Type == ResolverURL && len(op.Preload) > 0 {
		d.atStart("resolver_preload", "resolver preloads only available for writeable resolver types MEM/DIR/CACHE_DIR")
	}
	for _, key := range op.Pinned {
		if !nkeys.IsValidPublicAccountKey(key) {
			d.unable("resolver_pinned_accounts", "pinned account key %q is not a valid public account nkey", clip(key))
		}
	}
	for _, c := range op.Operators {
		for _, key := range c.Keys() {
			if !nkeys.IsValidPublicOperatorKey(key) {
				d.unable("operator", "trusted Keys %q are required to be a valid public operator nkey", clip(key))
			}
		}
	}
	if op.Sentinel != "" {
		c, err := jwt.DecodeUserClaims(op.Sentinel)
		switch {
		case err != nil:
			d.unable("default_sentinel", "default sentinel JWT not valid")
		case !c.BearerToken && (c.IssuerAccount == "" || !c.HasEmptyPermissions()):
			d.unable("default_sentinel", "default sentinel must be a bearer token")
		}
	}
}

// checkNoOperator looks at what has no meaning without an operator.
func (d *decoder) checkNoOperator(o *Options) {
	op := &o.Operator
	switch op.Resolver.Type {
	case ResolverFull, ResolverCache:
		d.unable("resolver", "no operator key found")
	case "":
	default:
		d.warns = append(d.warns, Warning{Error: confparse.Errorf(d.at("resolver"), "the resolver is not used: there is no operator")})
	}
	if op.Sentinel != "" {
		d.unable("default_sentinel", "default sentinel requires operators and accounts")
	}
}

// checkOperatorAlone refuses users and accounts of the configuration beside an operator.
func (d *decoder) checkOperatorAlone(o *Options) {
	here := d.said("operator", "trusted_keys")
	also := func(path, text string) {
		d.unable(path, "%s", text).WithNote(d.at(here), "operator mode is switched on here")
	}
	users := len(o.Authorization.Users) > 0
	for i := range o.Accounts {
		users = users || len(o.Accounts[i].Users) > 0
	}
	switch {
	case len(o.Accounts) > 0:
		also("accounts", "operators do not allow Accounts to be configured directly")
	case users:
		also("authorization.users", "operators do not allow users to be configured directly")
	}
	if o.NoAuthUser != "" {
		also("no_auth_user", "no_auth_user not compatible with Trusted Operator")
	}
}

// checkSystemAccount holds that configuration and operators agree on the system account.
func (d *decoder) checkSystemAccount(o *Options) {
	op := &o.Operator
	if len(op.Operators) == 0 {
		return
	}
	named, same := false, false
	for _, c := range op.Operators {
		named = named || c.SystemAccount != ""
		same = same || c.SystemAccount == o.SystemAccount
	}
	dir := op.Resolver.Type == ResolverFull || op.Resolver.Type == ResolverCache
	switch {
	case o.SystemAccount != "" && named && !same:
		d.unable("system_account", "system_account in config and operator JWT must be identical")
	case o.SystemAccount == "" && op.Operators[0].SystemAccount == "" && dir:
		d.unable("resolver", "using nats based account resolver - the system account needs to be specified in configuration or the operator jwt")
	}
}
