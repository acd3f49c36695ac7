package config

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/nats-broker/nats-broker/confparse"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// leafPort is the one of URLs that name none.
const leafPort = "7422"

// leafVersion checks min_version.
func leafVersion(value string) string {
	parts := strings.Split(strings.TrimPrefix(value, "v"), ".")
	n := make([]int, 3)
	for i := range n {
		var err error
		if i >= len(parts) {
			return fmt.Sprintf("invalid leafnode's minimum version: %q is no version", value)
		}
		if n[i], err = strconv.Atoi(parts[i]); err != nil || n[i] < 0 {
			return fmt.Sprintf("invalid leafnode's minimum version: %q is no version", value)
		}
	}
	if n[0] < 2 || n[0] == 2 && n[1] < 8 {
		return "the minimum version should be at least 2.8.0"
	}
	return ""
}

// finishLeafnodes looks at the block as a whole.
func finishLeafnodes(d *decoder, at place, v *confparse.Value, block any) {
	l := block.(*Leafnodes)
	d.checkLeafMode(at, at.path()+".compression", &l.Compression)
	if wrong := leafVersion(l.MinVersion); l.MinVersion != "" && wrong != "" {
		d.fail(at, d.origin(at.path()+".min_version", at.key), "%s", wrong)
	}
}

// checkLeafMode makes a mode what it stands for.
func (d *decoder) checkLeafMode(at place, path string, c *Compression) {
	if c.Mode == "on" || c.Mode == "enabled" || c.Mode == "true" {
		c.Mode = "s2_auto"
		return
	}
	mode, ok := compressionModes[strings.ToLower(c.Mode)]
	switch {
	case c.Mode == "":
	case !ok:
		d.fail(at, d.origin(path, at.key), "unsupported compression mode %q", c.Mode)
	default:
		c.Mode = mode
	}
}

// finishLeafAuthorization refuses what cannot be meant together.
func finishLeafAuthorization(d *decoder, at place, v *confparse.Value, block any) {
	a := block.(*LeafAuthorization)
	where := func(key string) confparse.Span { return d.origin(at.path()+"."+key, at.key) }
	if len(a.Users) > 0 && a.User != "" {
		d.fail(at, where("users"), "can not have a single user/pass and a users array")
	}
	if len(a.Users) > 0 && a.Nkey != "" {
		d.fail(at, where("users"), "can not have a single nkey and a users array")
	}
	if a.Nkey != "" && !validNkey(a.Nkey, keyUser) {
		d.fail(at, where("nkey"), "Not a valid public nkey for leafnode authorization")
	}
	seen := map[string]bool{}
	for i := range a.Users {
		name := a.Users[i].Name
		if seen[name] {
			d.fail(at, where("users"), "duplicate user %q detected in leafnode authorization", name)
		}
		seen[name] = true
	}
}

// finishRemote looks at one remote.
func finishRemote(d *decoder, at place, v *confparse.Value, block any) {
	r := block.(*LeafRemote)
	where := func(key string) confparse.Span { return d.origin(at.path()+"."+key, at.key) }
	if len(r.URLs) == 0 {
		d.fail(at, where("urls"), "a remote needs at least one URL")
	}
	for _, u := range r.URLs {
		d.checkLeafURL(at, where("urls"), u)
	}
	if r.Credentials != "" && r.Nkey != "" {
		d.fail(at, where("nkey"), "Remote leafnode can not have both creds and nkey defined").Secret = true
	}
	if r.Nkey != "" && !validSeed(r.Nkey) {
		d.fail(at, where("nkey"), "Remote leafnode nkey is not a valid seed").Secret = true
	}
	for key, list := range map[string][]string{"deny_imports": r.DenyImports, "deny_exports": r.DenyExports} {
		for _, s := range list {
			switch {
			case strings.Contains(s, "{{"):
				d.fail(at, where(key), "%s with functions ({{…}}) is not supported yet by nats-broker", key)
			case !subject.Valid(s) || !subject.FitsLine(s):
				d.fail(at, where(key), "invalid %s: subject %q is not a valid subject", key, s)
			}
		}
	}
	d.checkLeafMode(at, at.path()+".compression", &r.Compression)
}

// checkLeafURL looks at a URL, and gives it a port.
func (d *decoder) checkLeafURL(at place, span confparse.Span, u *url.URL) {
	switch u.Scheme {
	case "ws", "wss":
		d.fail(at, span, "leaf nodes over WebSocket (%s://) are not supported yet by nats-broker", u.Scheme).Secret = true
		return
	case "nats", "tls", "nats-leaf", "leaf", "":
	default:
		d.failAtStart(at, span, "a leaf node cannot connect by %s://", u.Scheme)
		return
	}
	if u.Hostname() == "" {
		d.failAtStart(at, span, "the URL of a remote names no host")
		return
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), leafPort)
	}
}

// failAtStart notes what is wrong with a URL that nats-server's -t accepts.
func (d *decoder) failAtStart(at place, span confparse.Span, format string, args ...any) {
	e := d.fail(at, span, format, args...)
	e.Secret, e.Hint = true, startMark
}

// checkLeafnodes looks at what the block has to do with others.
func (d *decoder) checkLeafnodes(o *Options) {
	l := &o.Leafnodes
	if !l.Defined {
		return
	}
	d.checkAdvertised("leafnodes.leafnode_advertise", l.Advertise)
	if o.Operator.Enabled() {
		d.checkLeafOperator(l)
		return
	}
	known := func(name string) bool {
		switch name {
		case "", globalAccount:
			return true
		case SystemAccountName:
			if o.SystemAccount == "" && !o.NoSystemAccount {
				return true
			}
		}
		return o.account(name) != nil
	}
	missing := func(path, name, what string) {
		d.unable(path, "cannot find local account %q specified in leafnode %s", name, what)
	}
	if a := l.Authorization.Account; !known(a) {
		missing("leafnodes.authorization.account", a, "authorization")
	}
	for i := range l.Authorization.Users {
		if a := l.Authorization.Users[i].Account; !known(a) {
			missing(fmt.Sprintf("leafnodes.authorization.users[%d].account", i), a, "authorization")
		}
	}
	seen := map[string]bool{}
	for i := range l.Remotes {
		r := &l.Remotes[i]
		if !known(r.Account) {
			missing(fmt.Sprintf("leafnodes.remotes[%d].account", i), r.Account, "remote")
		}
		name := fmt.Sprint(r.URLs, r.Account, r.Credentials)
		if seen[name] {
			d.unable(fmt.Sprintf("leafnodes.remotes[%d].urls", i), "duplicate remote").Secret = true
		}
		seen[name] = true
	}
}

// checkLeafOperator looks at what accounts that come as JWTs allow.
func (d *decoder) checkLeafOperator(l *Leafnodes) {
	if a := &l.Authorization; a.User != "" || a.Nkey != "" || len(a.Users) > 0 {
		d.unable("leafnodes.authorization", "operator mode does not allow specifying users in leafnode config")
	}
	for i := range l.Remotes {
		if !validNkey(l.Remotes[i].Account, keyAccount) {
			d.unable(fmt.Sprintf("leafnodes.remotes[%d].account", i), "operator mode requires account nkeys in remotes. "+
				"Please add an `account` key to each remote in your `leafnodes` section, to assign it to an account. "+
				"Each account value should be a 56 character public key, starting with the letter 'A'")
		}
	}
	if a := l.Authorization.Account; a != "" && l.Accepts() && !validNkey(a, keyAccount) {
		d.unable("leafnodes.authorization.account", "operator mode and non account nkeys are incompatible")
	}
}
