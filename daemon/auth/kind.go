package auth

import "fmt"

// forKind makes the tables of the connections of a type: those of others, and what is different.
func (d *directory) forKind(k *Kind) (*directory, error) {
	w := *d
	w.certMap = k.CertificateMap
	if w.certMap && w.byDN == nil {
		w.indexDNs()
	}
	if !k.overrides() {
		return &w, nil
	}
	w.required = true
	w.single, w.token, w.nameless = nil, nil, nil
	switch {
	case k.Token != "":
		w.token = &account{secret: newSecret(k.Token), id: Identity{Account: GlobalAccount, User: hidden, Label: "token"}}
	case k.User != "":
		w.single = &account{name: k.User, secret: newSecret(k.Password), id: Identity{Account: GlobalAccount, User: k.User, Label: "user:" + k.User}}
		d.plain = d.plain || k.Password != "" && w.single.secret.hash == nil
	}
	if k.NoAuthUser != "" {
		if w.nameless = w.users[k.NoAuthUser]; w.nameless == nil {
			w.nameless = w.nkeys[k.NoAuthUser]
		}
		if w.nameless == nil {
			return nil, fmt.Errorf("no_auth_user: %q not present as user or nkey in authorization block or account configuration", k.NoAuthUser)
		}
	}
	if d.callout == nil {
		return &w, nil
	}
	return &w, d.fence(w.single, w.token)
}

// at returns the tables for the connections of a type.
func (d *directory) at(kind string) *directory {
	if d.web != nil && kind == TypeWebsocket {
		return d.web
	}
	return d
}

// RequiresAt returns the requirements for the connections of a type at this moment.
func (a *Authenticator) RequiresAt(kind string) Requirements {
	r := a.Requires()
	if kind == TypeWebsocket { // nats-server says so there also where there is a user for those who name none
		d := a.users.Load().at(kind)
		r.Auth, r.Told = d.required, d.required
	}
	return r
}
