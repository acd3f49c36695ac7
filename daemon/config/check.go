package config

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/confparse"
)

// startMark is the hint of errors in files that nats-server's -t takes; ours refuses them, as a start does.
const startMark = "a start refuses this, nats-server's -t does not"

// Verdict is the verdict of -t on what [Load] returned: nil if the file is valid. It is stricter than a start, as
// nats-server's is: some warnings count.
func Verdict(warns Warnings, err error) error {
	var all confparse.Errors
	if err != nil && !errors.As(err, &all) {
		return err
	}
	all = slices.Clone(all)
	for _, w := range warns {
		if w.Fatal {
			all = append(all, w.Error)
		}
	}
	return all.Err()
}

// check looks at options that concern each other.
func (d *decoder) check(o *Options) {
	d.checkLogins(o)
	d.checkCallout(o)
	d.checkAccounts(o)
	d.checkOperator(o)
	d.checkJetStream(o)
	d.checkLeafnodes(o)
	d.checkStart(o)
}

// at returns the place of the value of a path; zero if it is a default.
func (d *decoder) at(path string) confparse.Span {
	o, _ := d.origins.get(path)
	return o.Value
}

// wrong notes a mistake that is about several options.
func (d *decoder) wrong(path, format string, args ...any) *confparse.Error {
	e := confparse.Errorf(d.at(path), format, args...)
	if row := Lookup(path); row != nil {
		e.Secret = row.Secret
	}
	d.errs = append(d.errs, e)
	return e
}

// unable notes a mistake with which nats-server does not start, and which its -t finds since 2.15.3.
func (d *decoder) unable(path, format string, args ...any) *confparse.Error {
	return d.wrong(path, format, args...)
}

// atStart notes a mistake that only a start finds.
func (d *decoder) atStart(path, format string, args ...any) *confparse.Error {
	e := d.wrong(path, format, args...)
	e.Hint = startMark
	return e
}

// checkStart looks at what nats-server looks at when it starts.
func (d *decoder) checkStart(o *Options) {
	if l := o.LameDuck; l.GracePeriod >= l.Duration {
		d.unable(d.said("lame_duck_grace_period", "lame_duck_duration"),
			"lame duck grace period (%v) should be strictly lower than lame duck duration (%v)", l.GracePeriod, l.Duration)
	}
	if o.Limits.MaxPayload > o.Limits.MaxPending {
		path := d.said("max_payload", "max_pending")
		e := d.unable(path, "max_payload (%d) cannot be higher than max_pending (%d)", o.Limits.MaxPayload, o.Limits.MaxPending)
		d.second(e, path, "max_payload", "max_pending")
	}
	d.checkPorts(o)
	d.checkNoAuth("no_auth_user", o.NoAuthUser, o)
	d.checkWebSocket(o)
	d.checkClusterStart(o)
	d.checkAdvertised("client_advertise", o.ClientAdvertise)
	d.checkAdvertised("cluster.advertise", o.Cluster.Advertise)
	if name := o.SystemAccount; name != "" && !o.Operator.Enabled() && name != SystemAccountName && name != globalAccount && o.account(name) == nil {
		d.atStart("system_account", "error resolving system account: account missing")
	}
	if (o.Monitor.HTTPSPort != 0) && !o.TLS.Defined {
		d.atStart(d.said("https_port", "https"), "monitoring over HTTPS needs a tls block with a certificate")
	}
	if o.Monitor.Port != 0 && o.Monitor.HTTPSPort != 0 {
		e := d.atStart(d.said("https_port", "https"), "can't specify both HTTP (%d) and HTTPS (%d) ports", o.Monitor.Port, o.Monitor.HTTPSPort)
		if p := d.said("http_port", "http"); !d.at(p).IsZero() {
			e.WithNote(d.at(p), "the HTTP port is here")
		}
	}
}

// checkAdvertised holds that an address told to others is a host, or a host and a number.
func (d *decoder) checkAdvertised(path, addr string) {
	if addr == "" {
		return
	}
	_, port, err := net.SplitHostPort(addr)
	if e := (*net.AddrError)(nil); errors.As(err, &e) && strings.HasPrefix(e.Err, "missing port") {
		return
	}
	if err == nil && port != "" {
		_, err = strconv.Atoi(port)
	}
	if err != nil {
		d.atStart(path, "error setting server INFO with %s value of %s, err=%v", path, addr, err)
	}
}

// said returns the first of the paths that was written, or the first.
func (d *decoder) said(paths ...string) string {
	for _, p := range paths {
		if _, ok := d.origins.get(p); ok {
			return p
		}
	}
	return paths[0]
}

// second adds the place of the path that is not the error's own, if it was written.
func (d *decoder) second(e *confparse.Error, path string, paths ...string) {
	for _, p := range paths {
		if p != path && !d.at(p).IsZero() {
			e.WithNote(d.at(p), "%s is set here", Lookup(p).Name)
		}
	}
}

// checkPorts holds ports in range and no two listeners on one address.
func (d *decoder) checkPorts(o *Options) {
	all := o.Listeners()
	for i, a := range all {
		path := d.said(a.Paths...)
		if a.Port < -1 || a.Port > 65535 {
			d.atStart(path, "%s must be from 1 to 65535, or -1 for a free one, found %d", a.What, a.Port)
			continue
		}
		for _, b := range all[:i] {
			if a.Port > 0 && a.Port == b.Port && overlap(a.Host, b.Host) {
				d.samePort(path, d.said(b.Paths...), &a, &b)
			}
		}
	}
}

// samePort notes that two listeners are to have one port; path and other set them.
func (d *decoder) samePort(path, other string, a, b *Listener) {
	at := path
	if d.at(at).IsZero() {
		at = other
	}
	e := d.atStart(at, "%s and %s are both %d", b.What, a.What, a.Port)
	if other != at && !d.at(other).IsZero() {
		e.WithNote(d.at(other), "%s is set here", b.What)
	}
}

// overlap reports whether listeners on two hosts are in each other's way.
func overlap(a, b string) bool {
	any := func(h string) bool { return h == "" || h == "0.0.0.0" || h == "::" }
	return a == b || any(a) || any(b)
}

// checkNoAuth holds that the user of those who name none is there.
func (d *decoder) checkNoAuth(path, name string, o *Options) {
	if name == "" || o.Operator.Enabled() {
		return
	}
	known := append([]User{}, o.Authorization.Users...)
	for _, a := range o.Accounts {
		known = append(known, a.Users...)
	}
	for _, u := range known {
		if u.Name == name || u.Nkey == name {
			return
		}
	}
	text := fmt.Sprintf("no_auth_user: %q not present as user or nkey in authorization block or account configuration", name)
	if len(known) == 0 {
		text = fmt.Sprintf("no_auth_user: %q present, but users/nkeys are not defined", name)
	}
	d.unable(path, "%s", text)
}

func (d *decoder) checkClusterStart(o *Options) {
	c := &o.Cluster
	if len(c.Routes) > 0 && c.Port == 0 {
		d.wrongRoutes()
	}
	if c.Compression.Mode != "" {
		mode, ok := normalMode(c.Compression.Mode, "s2_fast")
		if !ok {
			d.unable(d.said("cluster.compression.mode", "cluster.compression"), "unsupported compression mode %q", c.Compression.Mode)
		} else {
			c.Compression.Mode = mode
		}
		d.checkThresholds(&c.Compression)
	}
	if c.PoolSize < 0 && len(c.Accounts) > 0 {
		d.unable("cluster.pool_size", "pool_size cannot be negative if pinned accounts are specified")
	}
	seen := map[string]bool{}
	for _, a := range c.Accounts {
		if seen[a] {
			d.unable("cluster.accounts", "found duplicate account name %q in pinned accounts list", a)
		}
		seen[a] = true
	}
}

// checkThresholds holds the round-trip times of s2_auto in order. Those that are not positive leave their mode out, and
// mean nothing at the end.
func (d *decoder) checkThresholds(c *Compression) {
	if c.Mode != "s2_auto" || len(c.RTTThresholds) == 0 {
		return
	}
	const path = "cluster.compression.rtt_thresholds"
	list := make([]time.Duration, 0, len(c.RTTThresholds))
	last, used := time.Duration(0), 0
	for i, t := range c.RTTThresholds {
		t = max(t, 0)
		if t > 0 && t < last {
			d.unable(path, "RTT threshold values %v should be in ascending order", c.RTTThresholds)
			return
		}
		if last = max(last, t); t > 0 {
			used = i + 1
		}
		list = append(list, t)
	}
	switch {
	case used == 0:
		d.unable(path, "compression mode %q requires at least one RTT threshold", c.Mode)
	case used > 4:
		d.unable(path, "compression mode %q should have no more than 4 RTT thresholds: %v", c.Mode, c.RTTThresholds)
	}
	c.RTTThresholds = list[:used]
}

// wrongRoutes: routes on the command line need a route listener. Routes of a file without one are only not used, as in
// nats-server.
func (d *decoder) wrongRoutes() {
	if d.at("cluster.routes").Layer() == LayerFlags {
		d.wrong("cluster.routes", "solicited routes require cluster capabilities, e.g. --cluster")
		return
	}
	d.warns = append(d.warns, Warning{Error: confparse.Errorf(d.at("cluster.routes"), "routes are not used: the cluster has no listen address")})
}
