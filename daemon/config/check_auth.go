package config

import (
	"fmt"
)

// fromFiles reports whether two values were both written in files: nats-server checks what excludes each other there
// only, since flags override.
func (d *decoder) fromFiles(paths ...string) bool {
	for _, p := range paths {
		switch d.at(p).Layer() {
		case LayerFlags, LayerEnvironment:
			return false
		}
	}
	return true
}

// checkLogins holds that there is one way to log in, and that names are not used twice.
func (d *decoder) checkLogins(o *Options) {
	a := &o.Authorization
	users, pass, token := "authorization.user", "authorization.password", "authorization.token"
	single := d.said(users, pass)
	if (a.User != "" || a.Password != "") && a.Token != "" && d.fromFiles(single, token) {
		d.wrong(token, "cannot have a user/pass and a token").WithNote(d.at(single), "the user is here")
	}
	var inAccounts string
	for _, acc := range o.Accounts {
		if len(acc.Users) > 0 && inAccounts == "" {
			inAccounts = join(join("accounts", acc.Name), "users")
		}
	}
	var others, what string
	switch {
	case a.Users != nil:
		others, what = "authorization.users", "a users array"
	case inAccounts != "":
		others, what = inAccounts, "accounts"
	}
	if others != "" {
		if a.User != "" && d.fromFiles(users, others) {
			d.wrong(users, "can not have a single user/pass and %s", what).WithNote(d.at(others), "the users are here")
		}
		if a.Token != "" && d.fromFiles(token, others) {
			d.wrong(token, "can not have a token and %s", what).WithNote(d.at(others), "the users are here")
		}
	}
	d.duplicates(o)
}

// duplicates refuses a user or nkey that is there twice, in one account or in two.
func (d *decoder) duplicates(o *Options) {
	type first struct {
		base, key string
		index     int
	}
	path := func(f first) string { return fmt.Sprintf("%s[%d].%s", f.base, f.index, f.key) }
	seen := make(map[string]first, len(o.Authorization.Users))
	look := func(list []User, base string) {
		for i := range list {
			u := &list[i]
			name, key, what := u.Name, "user", "user"
			if u.Nkey != "" {
				name, key, what = u.Nkey, "nkey", "nkey"
			}
			if name == "" {
				continue
			}
			this := first{base, key, i}
			if first, ok := seen[name]; ok {
				d.wrong(path(this), "duplicate %s %q detected", what, name).WithNote(d.at(path(first)), "first defined here")
				continue
			}
			seen[name] = this
		}
	}
	look(o.Authorization.Users, "authorization.users")
	for _, a := range o.Accounts {
		look(a.Users, join(join("accounts", a.Name), "users"))
	}
}

// checkCallout holds that the accounts a callout decides on are there.
func (d *decoder) checkCallout(o *Options) {
	for _, name := range o.Authorization.Callout.AllowedAccounts {
		if o.account(name) == nil {
			d.wrong("authorization.auth_callout.allowed_accounts", "auth_callout allowed account %q not found in configured accounts", name)
		}
	}
}
