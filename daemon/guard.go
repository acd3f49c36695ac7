package daemon

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/config"
)

// A file that changed is read without anybody having asked. What is in it may
// be half of what somebody is about to write, or nothing because a disk is
// full. Hence such a change may do anything but lower what keeps strangers out:
// for that, somebody must ask for a reload.

// errUnasked refuses a change that nobody asked for.
func errUnasked(old, next *active) error {
	reasons := append(emptied(old, next), weakened(old.cfg.Options, next.cfg.Options)...)
	if reasons == nil {
		return nil
	}
	return errors.New("a change of a file alone may not lower the protection: " + strings.Join(reasons, ", ") +
		". Ask for it by 'nats-broker reload', 'systemctl reload' or SIGHUP, or correct the file")
}

// emptied names the files in which there is nothing any more.
func emptied(old, next *active) (reasons []string) {
	if next.read == nil {
		return nil
	}
	for path, text := range next.read.files {
		if !bare(text) {
			continue
		}
		if old.read == nil || !bare(old.read.files[path]) {
			reasons = append(reasons, path+" is empty")
		}
	}
	slices.Sort(reasons)
	return reasons
}

// bare reports whether a file holds nothing but comments.
func bare(text []byte) bool {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && !bytes.HasPrefix(line, []byte("//")) {
			return false
		}
	}
	return true
}

// weakened lists what n protects less than o did.
func weakened(o, n *config.Options) (reasons []string) {
	lost := func(had, has bool, reason string) {
		if had && !has {
			reasons = append(reasons, reason)
		}
	}
	lost(asksForCredentials(o), asksForCredentials(n), "clients would come in without credentials")
	reasons = append(reasons, lostUsers(o, n)...)
	if gone := lostAccounts(o, n); gone != nil {
		reasons = append(reasons, "accounts would go: "+strings.Join(gone, " "))
	}
	lost(o.TLS.Defined, n.TLS.Defined, "client connections would have no TLS")
	lost(o.TLS.Defined && !o.AllowNonTLS, !n.AllowNonTLS, "clients might do without TLS")
	lost(o.TLS.Verify, n.TLS.Verify || !n.TLS.Defined, "clients would need no certificate")
	lost(len(o.TLS.Pinned) > 0, len(n.TLS.Pinned) > 0 || !n.TLS.Defined, "clients' certificates would not be pinned")
	lost(o.ProxyProtocol && len(o.ProxyTrusted) > 0, !n.ProxyProtocol || len(n.ProxyTrusted) > 0, "any address might pose as a proxy")
	reasons = append(reasons, weakenedCluster(&o.Cluster, &n.Cluster)...)
	reasons = append(reasons, weakenedLeafnodes(&o.Leafnodes, &n.Leafnodes)...)
	reasons = append(reasons, weakenedMonitor(&o.Monitor, &n.Monitor)...)
	reasons = append(reasons, weakenedWebSocket(o, n)...)
	wider := func(what string, from, to endpoint) {
		if from.port != 0 && to.port != 0 && reach(from.host) < reach(to.host) {
			reasons = append(reasons, fmt.Sprintf("%s would be listened for on %s instead of %s", what, to, from))
		}
	}
	wider("clients", endpoint{o.Host, o.Port}, endpoint{n.Host, n.Port})
	wider("routes", endpoint{clusterHost(&o.Cluster), o.Cluster.Port}, endpoint{clusterHost(&n.Cluster), n.Cluster.Port})
	wider("leaf nodes", leafPlace(&o.Leafnodes).at, leafPlace(&n.Leafnodes).at)
	wider("monitoring", monitorPlace(o).at, monitorPlace(n).at)
	wider("WebSocket clients", webSocketPlace(&o.WebSocket).at, webSocketPlace(&n.WebSocket).at)
	return reasons
}

func weakenedCluster(o, n *config.Cluster) (reasons []string) {
	if !o.Enabled() || !n.Enabled() {
		return nil
	}
	if o.Authorization.User != "" && n.Authorization.User == "" {
		reasons = append(reasons, "routes would need no credentials")
	}
	if o.TLS.Defined && !n.TLS.Defined {
		reasons = append(reasons, "routes would have no TLS")
	}
	if o.TLS.Verify && n.TLS.Defined && !n.TLS.Verify {
		reasons = append(reasons, "routes would need no certificate")
	}
	if len(o.TLS.Pinned) > 0 && n.TLS.Defined && len(n.TLS.Pinned) == 0 {
		reasons = append(reasons, "routes' certificates would not be pinned")
	}
	was, is := &o.Permissions, &n.Permissions
	if was.Defined && !is.Defined || was.Import.Defined && !is.Import.Defined || was.Export.Defined && !is.Export.Defined {
		reasons = append(reasons, "routes would have no permissions")
	}
	return reasons
}

func weakenedLeafnodes(o, n *config.Leafnodes) (reasons []string) {
	accepts := o.Accepts() && n.Accepts()
	lost := func(had, has bool, reason string) {
		if had && !has {
			reasons = append(reasons, reason)
		}
	}
	lost(accepts && leafUsers(o), leafUsers(n), "leaf nodes would come in as users of clients")
	lost(accepts && o.TLS.Defined, n.TLS.Defined, "leaf nodes would have no TLS")
	lost(accepts && o.TLS.Verify, n.TLS.Verify || !n.TLS.Defined, "leaf nodes would need no certificate")
	lost(accepts && len(o.TLS.Pinned) > 0, len(n.TLS.Pinned) > 0 || !n.TLS.Defined, "leaf nodes' certificates would not be pinned")
	lost(accepts && o.MinVersion != "", n.MinVersion != "", "leaf nodes of any version would come in")
	for i := range o.Remotes {
		was := &o.Remotes[i]
		for j := range n.Remotes {
			if is := &n.Remotes[j]; leafRemoteName(is) == leafRemoteName(was) {
				lost(len(was.DenyImports)+len(was.DenyExports) > 0, len(is.DenyImports)+len(is.DenyExports) > 0, "a remote would have no denied subjects")
				lost(was.TLS.Defined, is.TLS.Defined, "a remote would have no TLS of its own")
			}
		}
	}
	return reasons
}

// leafRemoteName tells remotes apart.
func leafRemoteName(r *config.LeafRemote) string { return fmt.Sprint(r.URLs, r.Account, r.Credentials) }

func weakenedMonitor(o, n *config.Monitor) (reasons []string) {
	if n.Port == 0 && n.HTTPSPort == 0 {
		return nil
	}
	if o.HTTPSPort != 0 && n.HTTPSPort == 0 {
		reasons = append(reasons, "monitoring would have no TLS")
	}
	if o.Verify && !n.Verify && n.HTTPSPort != 0 {
		reasons = append(reasons, "monitoring would need no certificate")
	}
	if (o.Token != "" || o.User != "") && n.Token == "" && n.User == "" {
		reasons = append(reasons, "monitoring would need no credentials")
	}
	return reasons
}

// lostUsers names users that would need no password, or be bound by no
// permissions, any more.
func lostUsers(o, n *config.Options) (reasons []string) {
	before := map[string]config.User{}
	for _, u := range usersOf(o) {
		before[u.Account+" "+u.Name+u.Nkey] = u
	}
	for _, u := range usersOf(n) {
		was, ok := before[u.Account+" "+u.Name+u.Nkey]
		if !ok {
			continue
		}
		if was.Password != "" && u.Password == "" && !n.TLS.Map {
			reasons = append(reasons, fmt.Sprintf("user %q would need no password", u.Name))
		}
		if was.Permissions.Defined && !u.Permissions.Defined {
			reasons = append(reasons, fmt.Sprintf("user %q would have no permissions to keep to", u.Name+u.Nkey))
		}
	}
	return reasons
}

// usersOf lists the users of the authorization block and of all accounts.
func usersOf(o *config.Options) []config.User {
	list := slices.Clone(o.Authorization.Users)
	if a := &o.Authorization; a.User != "" {
		list = append(list, config.User{Name: a.User, Password: a.Password})
	}
	for i := range o.Accounts {
		list = append(list, o.Accounts[i].Users...)
	}
	return list
}

func lostAccounts(o, n *config.Options) (names []string) {
	for i := range o.Accounts {
		name := o.Accounts[i].Name
		if !slices.ContainsFunc(n.Accounts, func(a config.Account) bool { return a.Name == name }) {
			names = append(names, name)
		}
	}
	return names
}

// asksForCredentials reports whether a client needs a name, a key, a token or
// a certificate to come in.
func asksForCredentials(o *config.Options) bool {
	return o.TLS.Verify && !o.AllowNonTLS || namesUsers(o)
}

// namesUsers reports whether a name, a key or a token is needed, whatever is said of certificates.
func namesUsers(o *config.Options) bool {
	switch {
	case o.Operator.Enabled(), o.Authorization.Callout.Defined:
		return true
	case o.NoAuthUser != "", onlySystemUsers(o):
		return false
	}
	a := &o.Authorization
	return a.User != "" || a.Token != "" || a.Users != nil ||
		slices.ContainsFunc(o.Accounts, func(acc config.Account) bool { return len(acc.Users) > 0 })
}

// reach orders addresses by who gets to them: this machine, one of its
// networks, all of them.
func reach(host string) int {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	switch {
	case host == "" || ip != nil && ip.IsUnspecified():
		return 2
	case host == "localhost" || ip != nil && ip.IsLoopback():
		return 0
	default:
		return 1
	}
}

// openAddress returns an address at which clients of other machines come in
// without credentials; "" if there is none.
func openAddress(o *config.Options, listeners []*clientListener) string {
	if asksForCredentials(o) {
		return ""
	}
	for _, l := range listeners {
		if tcp, ok := l.addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
			return l.shown
		}
	}
	return ""
}

// openWebSocket and openLeafs are openAddress for the other listeners, as they are configured.
func openWebSocket(o *config.Options) string {
	w := &o.WebSocket
	a := &w.Authorization
	asks := w.TLS.Verify || w.NoAuthUser == "" && namesUsers(o) || a.User != "" || a.Token != ""
	if !w.Defined || w.Port == 0 || asks || reach(w.Host) == 0 {
		return ""
	}
	return net.JoinHostPort(cmp.Or(w.Host, "0.0.0.0"), strconv.Itoa(w.Port))
}

func openLeafs(o *config.Options) string {
	l := &o.Leafnodes
	a := &l.Authorization
	asks := l.TLS.Verify || namesUsers(o) || a.User != "" || a.Nkey != "" || len(a.Users) > 0
	if !l.Defined || !l.Accepts() || asks || reach(l.Host) == 0 {
		return ""
	}
	return net.JoinHostPort(cmp.Or(l.Host, "0.0.0.0"), strconv.Itoa(l.Port))
}

// openWarning says that everybody may come in; "" if it is not so.
func (d *Daemon) openWarning() string {
	o := d.active.Load().cfg.Options
	who, addr := "Clients", openAddress(o, d.core.current())
	if addr == "" {
		who, addr = "WebSocket clients", openWebSocket(o)
	}
	if addr == "" {
		who, addr = "Leaf nodes", openLeafs(o)
	}
	if addr == "" {
		return ""
	}
	return who + " of other machines may come in without credentials on " + addr +
		": configure authorization, or listen on 127.0.0.1"
}
