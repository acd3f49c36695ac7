package auth

import (
	"fmt"

	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// directory is the tables made from Options. It is immutable.
type directory struct {
	required bool
	users    map[string]*account
	nkeys    map[string]*account
	single   *account // the only user
	token    *account // the token
	nameless *account // what a connection without credentials becomes
	told     bool     // INFO says auth_required
	certMap  bool
	operator *Operator           // nil: users are those of the tables
	byDN     map[string]*account // users whose name is a distinguished name, under its keys; nil without certMap
	// dearest is the highest cost of a hash among the users, 0 if there is none: unknown users are refused in the time
	// that one takes, so that the time of an answer does not tell who exists.
	dearest int
	hashes  map[string]bool // all that are configured
	plain   bool            // a password is written in plain

	web     *directory      // of WebSocket connections; nil: as for others
	anyone  *Identity       // of connections without credentials where none are asked for: never changed
	callout *Callout        // nil: everything is decided here
	proxies []nkeys.KeyPair // public keys of trusted proxies
}

// account is what a credential leads to.
type account struct {
	name    string // user name or nkey
	secret  secret
	empty   bool // no password is set
	types   []string
	proxied bool // only through a proxy
	id      Identity
}

func newDirectory(o Options) (_ *directory, err error) {
	d := &directory{certMap: o.CertificateMap, users: make(map[string]*account, len(o.Users)), nkeys: map[string]*account{}}
	d.anyone = &Identity{Account: GlobalAccount, from: d}
	var rules sharedRules
	for i := range o.Users {
		if err := d.add(&o.Users[i], &rules); err != nil {
			return nil, err
		}
	}
	switch {
	case o.Operator != nil:
		d.required, d.operator = true, o.Operator
	case o.Users != nil:
		d.required = true
	case o.Token != "":
		d.required = true
		d.token = &account{secret: newSecret(o.Token), proxied: o.ProxyRequired, id: Identity{Account: GlobalAccount, User: hidden, Label: "token"}}
	case o.User != "":
		d.required = true
		d.single = &account{name: o.User, secret: newSecret(o.Password), proxied: o.ProxyRequired, id: Identity{Account: GlobalAccount, User: o.User, Label: "user:" + o.User}}
		d.plain = o.Password != "" && d.single.secret.hash == nil
	}
	if d.certMap {
		d.indexDNs()
	}
	d.told = d.required
	for _, key := range o.TrustedProxies {
		p, err := nkeys.FromPublicKey(key)
		if err != nil {
			return nil, fmt.Errorf("proxy trusted key %q is invalid: %w", key, err)
		}
		d.proxies = append(d.proxies, p)
	}
	switch {
	case o.NoAuthUser != "":
		if d.nameless = d.users[o.NoAuthUser]; d.nameless == nil {
			d.nameless = d.nkeys[o.NoAuthUser]
		}
		if d.nameless == nil {
			return nil, fmt.Errorf("no_auth_user: %q not present as user or nkey in authorization block or account configuration", o.NoAuthUser)
		}
		d.told = false
	case o.Anonymous:
		d.nameless = &account{id: Identity{Account: GlobalAccount}}
	}
	if o.Callout != nil {
		if err = d.setCallout(o.Callout); err != nil {
			return nil, err
		}
		d.callout.inputs = inputsOf(&o)
	}
	if o.WebSocket != nil && o.Operator == nil {
		if d.web, err = d.forKind(o.WebSocket); err != nil {
			return nil, err
		}
	}
	d.countHashes()
	return d, nil
}

// setCallout delegates decisions. Users in the account of the service may not send it requests, as the server does.
func (d *directory) setCallout(c *Callout) error {
	own := *c
	d.callout, d.required = &own, true
	if own.Account == "" {
		own.Account = GlobalAccount
	}
	all := []*account{d.single, d.token, d.nameless}
	for _, table := range []map[string]*account{d.users, d.nkeys} {
		for _, acc := range table {
			if acc != d.nameless {
				all = append(all, acc)
			}
		}
	}
	return d.fence(all...)
}

// fence keeps users who are in the account of the callout's service from sending it requests.
func (d *directory) fence(all ...*account) error {
	own := d.callout
	for _, acc := range all {
		if acc == nil || acc.id.Account != own.Account {
			continue
		}
		fence := walled
		if own.spares(acc) {
			fence = fenced
		}
		p, err := fence(acc.id.Permissions)
		if err != nil {
			return err
		}
		acc.id.Permissions = p
	}
	return nil
}

func (d *directory) add(u *User, rules *sharedRules) error {
	acc := &account{name: u.Name, types: u.ConnectionTypes, proxied: u.ProxyRequired}
	table, what := d.users, "user"
	if u.Nkey != "" {
		acc.name, table, what = u.Nkey, d.nkeys, "nkey"
	} else {
		acc.secret, acc.empty = newSecret(u.Password), u.Password == ""
		// A user without a password is one that shows a certificate, where certificates are mapped.
		d.plain = d.plain || acc.secret.hash == nil && !(acc.empty && d.certMap)
	}
	if table[acc.name] != nil {
		return fmt.Errorf("duplicate %s %q detected", what, acc.name)
	}
	acc.id = Identity{Account: u.Account, User: acc.name, Label: what + ":" + acc.name}
	if u.Account == "" {
		acc.id.Account = GlobalAccount
	}
	if u.Permissions != nil {
		p, err := rules.permissions(u.Permissions)
		if err != nil {
			return fmt.Errorf("invalid permissions for %s %q: %w", what, acc.name, err)
		}
		acc.id.Permissions = p
	}
	table[acc.name] = acc
	return nil
}

// indexDNs finds the users whose names are distinguished names.
func (d *directory) indexDNs() {
	d.byDN = map[string]*account{}
	for name, acc := range d.users {
		if dn, ok := parseDN(name); ok {
			d.byDN[dn.ordered()] = acc
			if _, twice := d.byDN[dn.unordered()]; twice {
				acc = nil // two users with the same parts: only the exact order tells them apart
			}
			d.byDN[dn.unordered()] = acc
		}
	}
}

// countHashes notes the hashes in use.
func (d *directory) countHashes() {
	d.hashes = map[string]bool{}
	note := func(acc *account) (cost int) {
		if acc != nil && acc.secret.hash != nil {
			d.hashes[string(acc.secret.hash)] = true
			cost = acc.secret.cost()
		}
		return cost
	}
	for _, u := range d.users {
		d.dearest = max(d.dearest, note(u))
	}
	note(d.single) // there are no names to find out
	note(d.token)
	if d.web != nil {
		note(d.web.single)
		note(d.web.token)
		d.web.hashes, d.web.dearest = d.hashes, d.dearest
	}
}

// decoyOf returns a well-formed hash of the cost that belongs to no password. Its digest is all zeros: computing a real
// one would take as long as a comparison.
func decoyOf(cost int) []byte {
	return fmt.Appendf(nil, "$2a$%02d$......................%s", cost, "...............................")
}

// warn says what is unwise in the configuration.
func (d *directory) warn(log *logging.Logger) {
	if d.plain {
		log.Warn("Plaintext passwords detected, use nkeys or bcrypt")
	}
	if c := d.callout; c != nil {
		if !c.Accounts[c.Account] {
			log.Error(fmt.Sprintf("Authorization callout account %q not valid", c.Account))
		}
		for _, name := range c.Users {
			if d.users[name] == nil && d.nkeys[name] == nil && (d.single == nil || d.single.name != name) {
				log.Error(fmt.Sprintf("Authorization callout user %q not valid", name))
			}
		}
	}
}
