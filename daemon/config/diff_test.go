package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/confparse"
)

// What a reload reports: each option that differs, by name, with what the change needs and without secrets.
func TestDiff(t *testing.T) {
	before := mustLoad(t, `
port: 4222, server_name: a, max_payload: 1MB, write_deadline: "2s"
authorization { users: [ {user: x, pass: geheim}, {user: gone, pass: p}, {user: same, pass: p} ] }
accounts { A { users: [ {user: y, pass: geheim} ], exports: [ {stream: s} ] }, OLD {} }
cluster { listen: 6222, authorization { user: r, password: geheim }, routes: ["nats://r:geheim@h:1"] }
mappings: { a: b }`)
	after := mustLoad(t, `
listen: "0.0.0.0:4333", server_name: b, max_payload: 2MB, write_deadline: "2000ms", logtime: false
authorization { users: [ {user: same, pass: p}, {user: x, pass: geheimer}, {user: new, pass: p} ] }
accounts { A { users: [ {user: y, pass: geheim, permissions: {publish: z}} ], exports: [ {stream: s}, {service: q} ] }, NEW {} }
cluster { listen: 6222, authorization { user: r, password: geheimer }, routes: ["nats://r:geheim@h:1", "nats://r:geheim@h:2"] }
mappings: { a: c }`)
	var got []string
	for _, c := range Diff(before, after) {
		got = append(got, c.String())
	}
	want := []string{
		"port: 4222 -> 4333 (live)",
		"server_name: a -> b (needs a restart)",
		"max_payload: 1MB -> 2MB (live)",
		"logtime: true -> false (live)",
		"authorization.users.x.password: changed (live)",
		"authorization.users.gone: removed (live)",
		"authorization.users.new: added (live)",
		"accounts.A.users.y.permissions: added (live)",
		"accounts.A.exports: 1 entries -> 2 entries (live)",
		"accounts.OLD: removed (live)",
		"accounts.$G.mappings.a: [{destination: b, weight: 100}] -> [{destination: c, weight: 100}] (live)",
		"accounts.NEW: added (live)",
		"cluster.authorization.password: changed (live)",
		`cluster.routes: [nats://[REDACTED]@h:1] -> [nats://[REDACTED]@h:1, nats://[REDACTED]@h:2] (live)`,
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("missing: %s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("not expected: %s", line)
		}
		if strings.Contains(line, "geheim") {
			t.Errorf("a secret is shown: %s", line)
		}
	}
	if again := Diff(before, before); len(again) != 0 {
		t.Errorf("a configuration differs from itself: %v", again)
	}
}

// No secret is left in a redacted tree, wherever it comes from: a value, a URL, a variable, a list, a misspelt key.
func TestRedact(t *testing.T) {
	tree, err := confparse.Parse("x", []byte(`
PW: geheim1
authorization { user: u, password: $PW, token: "geheim2", users: [ {user: a, pass: geheim3} ] }
accounts { A { users: [ {user: a, password: "geheim4"} ] } }
cluster { routes: ["nats://u:geheim5@h:1"], authorization { password: geheim6 } }
leafnodes { remotes: [ {url: "nats://u:geheim7@h"}, {urls: ["nats://u:geheim8@h"], seed: geheim9} ] }
resolver_preload: { A: geheim10 }
pasword: geheim11
port: 4222
`), confparse.Options{})
	if err != nil {
		t.Fatal(err)
	}
	red := Redact(tree.Root)
	text := strings.Join(strings.Fields(confparse.Digest(red)), "") + render(red)
	if strings.Contains(text, "geheim") {
		t.Errorf("a secret is left: %s", text)
	}
	for _, kept := range []string{"4222", "nats://[REDACTED]@h:1", "user"} {
		if !strings.Contains(text, kept) {
			t.Errorf("%q is gone: %s", kept, text)
		}
	}
	if s, _ := tree.Root.Fields().Get("PW").Value.Str(); s != "geheim1" {
		t.Error("the tree itself was changed")
	}
}

func render(v *confparse.Value) string {
	var b strings.Builder
	var walk func(v *confparse.Value)
	walk = func(v *confparse.Value) {
		for _, e := range v.Fields().All() {
			b.WriteString(e.Key + " ")
			walk(e.Value)
		}
		for _, i := range v.Items() {
			walk(i)
		}
		if s, ok := v.Str(); ok {
			b.WriteString(s + " ")
		}
		if n, ok := v.Int(); ok {
			b.WriteString(quote(strings.TrimSpace(FormatSize(n))) + " ")
		}
	}
	walk(v)
	return b.String()
}

func TestFormat(t *testing.T) {
	for got, want := range map[string]string{
		FormatSize(0): "0", FormatSize(1000): "1000", FormatSize(1 << 20): "1MB", FormatSize(1536): "1536", FormatSize(-1): "-1",
		quote(""): `""`, quote("a b"): `"a b"`, quote("4222"): `"4222"`, quote("on"): `"on"`, quote("/var/x.y"): "/var/x.y",
		RedactURL("h:1"): "h:1", RedactURL("u:p@h:1"): "[REDACTED]@h:1", RedactURL("tls://u:a@b@h/x@y"): "tls://[REDACTED]@h/x@y",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestClosest(t *testing.T) {
	for key, want := range map[string]string{
		"monitr_port": "monitor_port", "maxpayload": "max_payload", "max-payload": "max_payload", "listne": "listen",
		"prot": "port", "xyz": "", "colour": "", "SERVER-NAME": "server_name",
	} {
		if got := closest(key, names(registry())); got != want {
			t.Errorf("closest(%q) = %q, want %q", key, got, want)
		}
	}
}

// Decoding never panics, whatever a file says, and what it accepts can be compared, shown and masked.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"port: 4222", "authorization { users: [ {user: a, pass: b, permissions: {publish: {allow: x}}} ] }",
		"accounts { A { exports: [ {service: a, latency: b} ], imports: [ {stream: {account: A, subject: 'a.>'}, to: 'b.$1'} ] } }",
		"cluster { routes: [a], compression: {mode: on, rtt: []} }", "mappings: { 'a.*': [ {dest: 'b.$1', weight: '5%'} ] }",
		"tls { certs: [ {cert_file: a} ], pinned_certs: [] }", "accounts: [A, A, {}]", "jetstream { limits: [] }", "users: { a: $a }",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		read := func(name string) ([]byte, error) { return []byte(text), nil }
		none := []string{}
		cfg, warns, err := Load(LoadRequest{File: "nats.conf", ReadFile: read, DropIns: &none})
		_ = Verdict(warns, err)
		Redact(cfg.Tree)
		if len(Diff(cfg, cfg)) != 0 {
			t.Error("a configuration differs from itself")
		}
		fresh, _, _ := Load(LoadRequest{})
		for _, c := range Diff(fresh, cfg) {
			_ = c.String()
		}
	})
}

// A block that comes or goes needs a restart if an option does that comes or goes with it: what is shown is what a reload
// would say.
func TestDiffOfBlocks(t *testing.T) {
	for _, tt := range []struct{ before, after, want string }{
		{"port: 1", "port: 1, cluster { listen: 6222 }", "cluster: added (needs a restart)"},
		{"port: 1, cluster { listen: 6222 }", "port: 1", "cluster: removed (needs a restart)"},
		{"port: 1", "port: 1, cluster { name: c }", "cluster: added (live)"},
	} {
		list := Diff(mustLoad(t, tt.before), mustLoad(t, tt.after))
		if len(list) != 1 || list[0].String() != tt.want {
			t.Errorf("%s, then %s: %v, want %s", tt.before, tt.after, list, tt.want)
		}
	}
	for path, want := range map[string]string{
		"cluster": "depends on its options; that it comes or goes needs a restart", "tls": "live",
		"jetstream": "depends on its options; that it is switched on or off needs a restart",
	} {
		if got := Lookup(path).Needs(); got != want {
			t.Errorf("a change of %s: %s, want %s", path, got, want)
		}
	}
}
