package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/confparse"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// checkAccounts looks at the mappings of accounts and at what they export to and import from each other. It is done once
// all else is right, since a mistake in one account shows in those that import from it.
func (d *decoder) checkAccounts(o *Options) {
	for i := range o.Accounts {
		d.checkAccountName(o, &o.Accounts[i])
		d.checkMappings(&o.Accounts[i])
		d.resolveShares(&o.Accounts[i])
	}
	if len(d.errs) > 0 {
		return
	}
	for i := range o.Accounts {
		d.checkExports(o, &o.Accounts[i])
	}
	g := grants{o: o, added: map[string][]edge{}}
	for i := range o.Accounts {
		d.checkStreamImports(&g, &o.Accounts[i])
	}
	g.added = map[string][]edge{}
	for i := range o.Accounts {
		d.checkServiceImports(&g, &o.Accounts[i])
	}
}

// checkAccountName holds that the name can stand in the lines of routes. On a server without a cluster it may hold blanks:
// nats-server takes them.
func (d *decoder) checkAccountName(o *Options, a *Account) {
	switch {
	case a.Name == "": // $G goes by no name in many places
		d.atStart("accounts", "an account needs a name")
	case !subject.FitsLine(strings.ReplaceAll(a.Name, " ", "")):
		d.wrong(join("accounts", a.Name), "the name of an account cannot hold tabs or ends of lines: %q", a.Name)
	case o.Cluster.Defined && !subject.FitsLine(a.Name):
		d.wrong(join("accounts", a.Name), "the name of an account cannot hold blanks where there is a cluster: %q", a.Name)
	}
}

// mappingsPath is where the mappings of an account are written.
func mappingsPath(account string) string {
	if account == globalAccount {
		return "mappings"
	}
	return join(join("accounts", account), "mappings")
}

// checkMappings holds that destinations can be made from what they rewrite and that weights do not exceed the whole.
func (d *decoder) checkMappings(a *Account) {
	names := subject.Accounts{Account: a.Name}
	for k := range a.Mappings {
		m := &a.Mappings[k]
		path := join(mappingsPath(a.Name), m.Subject)
		if err := names.ResolveAll(&m.Subject); err != nil {
			d.wrong(path, "error adding mapping for %q: %v", m.Subject, err)
			continue
		}
		seen, total := map[string]bool{}, map[string]int{}
		for i := range m.Destinations {
			dest := &m.Destinations[i]
			at := d.said(fmt.Sprintf("%s[%d].destination", path, i), fmt.Sprintf("%s[%d]", path, i), path)
			if err := names.ResolveAll(&dest.Subject); err != nil {
				d.wrong(at, "error adding mapping for %q to %q: %v", m.Subject, dest.Subject, err)
				continue
			}
			total[dest.Cluster] += dest.Weight
			switch {
			case seen[dest.Subject]:
				d.wrong(at, "duplicate entry for %q in the mapping of %q", dest.Subject, m.Subject)
			case total[dest.Cluster] > 100:
				d.wrong(d.said(fmt.Sprintf("%s[%d].weight", path, i), at), "the weights of the mapping of %q add up to %d, more than 100",
					m.Subject, total[dest.Cluster])
			default:
				if _, err := subject.NewTransform(m.Subject, dest.Subject); err != nil {
					d.wrong(at, "error adding mapping for %q to %q: %v", m.Subject, dest.Subject, err)
				}
			}
			seen[dest.Subject] = true
		}
	}
}

// resolveShares puts the hashes of accounts into what is exported and imported by their functions.
func (d *decoder) resolveShares(a *Account) {
	for i := range a.Exports {
		e, path := &a.Exports[i], exportPath(a, i)
		if err := (subject.Accounts{Account: a.Name}).ResolveAll(&e.Stream, &e.Service); err != nil {
			d.wrong(d.said(path+".stream", path+".service"), "error adding export %q: %v", e.Subject(), err)
		}
	}
	for i := range a.Imports {
		im, path := &a.Imports[i], importPath(a, i)
		from, at := &im.Stream, path+".stream"
		if im.Service.Defined {
			from, at = &im.Service, path+".service"
		}
		names := subject.Accounts{Account: a.Name, Import: from.Account}
		if err := names.ResolveAll(&from.Subject, &im.Prefix, &im.To); err != nil {
			d.wrong(at, "error adding import %q: %v", from.Subject, err)
		}
	}
}

func exportPath(a *Account, i int) string {
	return fmt.Sprintf("%s.exports[%d]", join("accounts", a.Name), i)
}
func importPath(a *Account, i int) string {
	return fmt.Sprintf("%s.imports[%d]", join("accounts", a.Name), i)
}

func (d *decoder) checkExports(o *Options, a *Account) {
	for i, e := range a.Exports {
		path := exportPath(a, i)
		what, at := "stream", join(path, "stream")
		if e.Service != "" {
			what, at = "service", join(path, "service")
		}
		for _, name := range e.Accounts {
			if o.account(name) == nil {
				d.wrong(join(path, "accounts"), "account %q not defined for %s export", name, what)
			}
		}
		if p := e.AccountTokenPosition; p != 0 {
			tokens := strings.Split(e.Subject(), ".")
			if p < 0 || p > len(tokens) || tokens[p-1] != "*" {
				d.wrong(join(path, "account_token_position"), "account_token_position %d: that token of %q is not \"*\"", p, e.Subject()).
					WithNote(d.at(at), "the subject is here")
			}
		}
		if e.Latency.Defined {
			d.checkLatency(o, a, e, path)
		}
		if !validSubject(e.Subject()) && e.Subject() != "" {
			d.warns = append(d.warns, Warning{Error: confparse.Errorf(d.at(at), "%q is not a valid subject: nothing can import it", e.Subject())})
		}
	}
}

// checkLatency holds that samples can be published and do not feed themselves.
func (d *decoder) checkLatency(o *Options, a *Account, e Export, path string) {
	at := d.said(path+".latency.subject", join(path, "latency"))
	switch to := e.Latency.Subject; {
	case e.Service == "":
	case o.NoSystemAccount:
		d.wrong(at, "error adding service latency sampling for %q: system account not setup", e.Service).
			WithNote(d.at("no_system_account"), "switched off here")
	case !validSubject(to) || !literal(to):
		d.wrong(at, "latency subject %q is not a subject that can be published to", to)
	case slices.ContainsFunc(a.Exports, func(x Export) bool { return x.Service != "" && covers(x.Service, to) }):
		d.wrong(at, "latency subject %q is itself an exported service", to)
	case e.ResponseType != "" && e.ResponseType != Singleton:
		d.wrong(at, "latency can be sampled of services with singleton responses only").
			WithNote(d.at(join(path, "response_type")), "the response type is here")
	}
}

// grants is what accounts have from each other so far, to find cycles.
type grants struct {
	o     *Options
	added map[string][]edge // importing account -> what it imports
}

// An edge is an import that was accepted: local is the subject in the importing account, remote in the other.
type edge struct {
	account       string
	remote, local string
}

// granted reports whether account a exports sub to account to.
func granted(a *Account, to, sub string, service bool) bool {
	kind := func(e Export) string {
		if service {
			return e.Service
		}
		return e.Stream
	}
	pick := func(match func(string) bool) (Export, bool) {
		for i := len(a.Exports) - 1; i >= 0; i-- {
			if s := kind(a.Exports[i]); s != "" && match(s) {
				return a.Exports[i], true
			}
		}
		return Export{}, false
	}
	tokens := strings.Split(sub, ".")
	e, exact := pick(func(s string) bool { return s == sub })
	if !exact {
		var ok bool
		if e, ok = pick(func(s string) bool { return covers(s, sub) }); !ok {
			return false
		}
	}
	if p := e.AccountTokenPosition; p > 0 {
		return !exact && p <= len(tokens) && tokens[p-1] == to
	}
	return e.Accounts == nil || len(e.Accounts) > 0 && slices.Contains(e.Accounts, to)
}

func (d *decoder) checkStreamImports(g *grants, a *Account) {
	seen := map[string]bool{}
	for i, im := range a.Imports {
		if !im.Stream.Defined {
			continue
		}
		from, at := im.Stream.Subject, join(importPath(a, i), "stream")
		exporter := g.o.account(im.Stream.Account)
		if exporter == nil {
			d.wrong(join(at, "account"), "account %q not defined for stream import", im.Stream.Account)
			continue
		}
		bad := func(format string, args ...any) {
			d.wrong(join(at, "subject"), "error adding stream import %q: %s", from, fmt.Sprintf(format, args...))
		}
		if !validSubject(from) || !granted(exporter, a.Name, from, false) {
			bad("stream import not authorized")
			continue
		}
		to := im.To
		if im.Prefix != "" {
			if !literal(im.Prefix) {
				bad("stream import prefix can not contain wildcard tokens")
				continue
			}
			to = strings.TrimSuffix(im.Prefix, ".") + "." + from
		}
		if to == "" {
			to = from
		}
		if !validSubject(stars(to)) {
			bad("%q is no subject", to)
			continue
		}
		if g.streamCycle(exporter, to, map[string]bool{a.Name: true}) || g.streamCycle(exporter, from, map[string]bool{a.Name: true}) {
			bad("import forms a cycle")
			continue
		}
		if to != from {
			if _, err := subject.NewReversible(from, subject.Placeholders(to)); err != nil {
				bad("failed to create mapping transform for stream import subject from %q to %q: %v", from, to, err)
				continue
			}
			to = stars(to)
		}
		if key := exporter.Name + " " + from; seen[key] {
			bad("stream import already exists")
		} else {
			seen[key] = true
		}
		g.added[a.Name] = append(g.added[a.Name], edge{exporter.Name, from, to})
	}
}

// streamCycle reports whether what arrives as to is exported on, over other accounts, to one that was visited.
func (g *grants) streamCycle(a *Account, to string, visited map[string]bool) bool {
	if !slices.ContainsFunc(a.Exports, func(e Export) bool { return e.Stream != "" && covers(e.Stream, to) }) {
		return false
	}
	for _, e := range g.added[a.Name] {
		if !collide(to, e.local) {
			continue
		}
		if visited[e.account] {
			return true
		}
		visited[a.Name] = true
		t := to
		if covers(t, e.local) {
			t = e.local
		}
		if g.streamCycle(g.o.account(e.account), t, visited) {
			return true
		}
	}
	return false
}

func (d *decoder) checkServiceImports(g *grants, a *Account) {
	seen := map[string]int{}
	for i, im := range a.Imports {
		if !im.Service.Defined {
			continue
		}
		at := join(importPath(a, i), "service")
		exporter := g.o.account(im.Service.Account)
		if exporter == nil {
			d.wrong(join(at, "account"), "account %q not defined for service import", im.Service.Account)
			continue
		}
		remote, local := im.Service.Subject, im.To
		if local == "" {
			local = remote
		}
		bad := func(format string, args ...any) *confparse.Error {
			return d.wrong(join(at, "subject"), "error adding service import %q: %s", remote, fmt.Sprintf(format, args...))
		}
		key := local + " " + exporter.Name
		if j, dup := seen[key]; dup {
			bad("duplicate service import subject %q, previously used in import for account %q", local, exporter.Name).
				WithNote(d.at(importPath(a, j)), "the other import is here")
			continue
		}
		seen[key] = i
		if !validSubject(local) || !validSubject(remote) {
			bad("invalid subject")
			continue
		}
		if !granted(exporter, a.Name, remote, true) {
			bad("service import not authorized")
			continue
		}
		from := local
		if !literal(remote) {
			from = stars(local)
		}
		if g.serviceCycle(exporter, from, map[string]bool{a.Name: true}) {
			bad("import forms a cycle")
			continue
		}
		if !literal(remote) && remote != local {
			if _, err := subject.NewReversible(stars(remote), subject.Placeholders(local)); err != nil {
				bad("failed to create mapping transform for service import subject from %q to %q: %v", local, remote, err)
				continue
			}
		}
		g.added[a.Name] = append(g.added[a.Name], edge{exporter.Name, from, stars(remote)})
	}
}

// serviceCycle reports whether a request that enters account a as from is sent on, over other accounts, to one that was
// visited.
func (g *grants) serviceCycle(a *Account, from string, visited map[string]bool) bool {
	for _, e := range g.added[a.Name] {
		if !collide(from, e.local) {
			continue
		}
		if visited[e.account] {
			return true
		}
		visited[a.Name] = true
		f := from
		if covers(f, e.remote) {
			f = e.remote
		}
		if g.serviceCycle(g.o.account(e.account), f, visited) {
			return true
		}
	}
	return false
}

var placeholder = lazily(`^(\$[1-9].*|\{\{\s*[wW]ildcard\(\s*[^,)]+\)\s*\}\})$`)

// stars turns the placeholders of a destination back into wildcards: "a.$1" is "a.*".
func stars(s string) string {
	tokens := strings.Split(s, ".")
	for i, t := range tokens {
		if placeholder().MatchString(t) {
			tokens[i] = "*"
		}
	}
	return strings.Join(tokens, ".")
}
