package config

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// loadText loads a configuration from text, with flags.
func loadText(t *testing.T, text string, args ...string) (*Config, Warnings, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	inv, err := ParseArgs(args)
	if err != nil {
		t.Fatal(err)
	}
	return Load(LoadRequest{File: file, Invocation: inv})
}

// mustLoad is loadText for a configuration that is valid and gives no warning.
func mustLoad(t *testing.T, text string, args ...string) *Config {
	t.Helper()
	cfg, warns, err := loadText(t, text, args...)
	if err != nil || len(warns) > 0 {
		t.Fatalf("%v %v\n%s", err, warns, text)
	}
	return cfg
}

// Every mistake of a file is reported in one run, in order, at its place, in words, and without showing a secret.
func TestErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/errors/*.conf")
	if err != nil || len(files) < 5 {
		t.Fatal(err, files)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			_, warns, err := Load(LoadRequest{File: file})
			var out bytes.Buffer
			Report(&out, warns, err, false)
			if (err != nil || len(warns) > 0) && Verdict(warns, err) == nil {
				t.Error("-t takes it")
			}
			if strings.Contains(out.String(), "geheim") {
				t.Errorf("a secret is shown:\n%s", &out)
			}
			golden := strings.TrimSuffix(file, ".conf") + ".golden"
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if out.String() != string(want) {
				t.Errorf("got\n%s\nwant\n%s", &out, want)
			}
		})
	}
}

// The value an option takes from each way it can be written.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		text string
		get  func(*Options) any
		want any
	}{
		{"listen: 4333", func(o *Options) any { return []any{o.Host, o.Port} }, []any{"0.0.0.0", 4333}},
		{"listen: '127.0.0.1:4333'", func(o *Options) any { return []any{o.Host, o.Port} }, []any{"127.0.0.1", 4333}},
		{"listen: '[::1]:-1'", func(o *Options) any { return []any{o.Host, o.Port} }, []any{"::1", -1}},
		{"net: h, port: -1", func(o *Options) any { return []any{o.Host, o.Port} }, []any{"h", -1}},
		{"port: 0", func(o *Options) any { return o.Port }, 4222},
		{"host: 127.0.0.1, http: 8222", func(o *Options) any { return []any{o.Monitor.Host, o.Monitor.Port} }, []any{"127.0.0.1", 8222}},
		{"MAX_PAYLOAD: 2mb", func(o *Options) any { return o.Limits.MaxPayload }, int64(2 << 20)},
		{"max_payload: 0", func(o *Options) any { return o.Limits.MaxPayload }, int64(1 << 20)},
		{"max_conn: 0", func(o *Options) any { return o.Limits.MaxConnections }, -1},
		{"write_deadline: '3s'", func(o *Options) any { return o.WriteDeadline }, 3 * time.Second},
		{"trace_verbose: true", func(o *Options) any { return o.Log.Trace }, true},
		{"http_base_path: nats", func(o *Options) any { return o.Monitor.BasePath }, "/nats"},
		{"server_tags: a", func(o *Options) any { return o.Tags }, []string{"a"}},
		{"authorization { timeout: 0.5 }", func(o *Options) any { return o.Authorization.Timeout }, 500 * time.Millisecond},
		{"authorization { timeout: '1m' }", func(o *Options) any { return o.Authorization.Timeout }, time.Minute},
		{"cluster { listen: 6222, compression: disabled }", func(o *Options) any { return o.Cluster.Compression.Mode }, "off"},
		{"cluster { listen: 6222, compression: { mode: ACCEPT, rtt: ['1ms'] } }", func(o *Options) any { return o.Cluster.Compression },
			Compression{"accept", []time.Duration{time.Millisecond}}},
		{"cluster { listen: 6222 }", func(o *Options) any { return []any{o.Cluster.PoolSize, o.Cluster.Accounts, o.Cluster.PingInterval} },
			[]any{3, []string{"$SYS"}, 30 * time.Second}},
		{"cluster { listen: 6222, pool_size: -1 }", func(o *Options) any { return []any{o.Cluster.PoolSize, o.Cluster.Accounts} },
			[]any{-1, []string(nil)}},
		{"cluster { port: 1, routes: ['nats://u:p@h:2'] }", func(o *Options) any { return o.Cluster.Routes[0] },
			&url.URL{Scheme: "nats", User: url.UserPassword("u", "p"), Host: "h:2"}},
		{"mappings: { a: b }", func(o *Options) any { return o.Accounts },
			[]Account{{Name: "$G", Mappings: []Mapping{{"a", []MapDestination{{Subject: "b", Weight: 100}}}}}}},
		{"accounts: [A, B]", func(o *Options) any { return []string{o.Accounts[0].Name, o.Accounts[1].Name} }, []string{"A", "B"}},
		{"accounts { A { exports: [ {service: s, response: CHUNK, latency: l} ] } }", func(o *Options) any { return o.Accounts[0].Exports[0] },
			Export{Service: "s", ResponseType: Chunked, Latency: Latency{true, "l", 100}}},
		{"jetstream: false, gateway {}, mqtt {}, leafnodes {}, ocsp: false", func(o *Options) any { return o.Port }, 4222},
		{"X: 7, max_subs: $X", func(o *Options) any { return o.Limits.MaxSubscriptions }, 7},
	} {
		cfg, _, err := loadText(t, c.text)
		if err != nil && !strings.Contains(err.Error(), "latency") {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := c.get(cfg.Options); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %#v, want %#v", c.text, got, c.want)
		}
	}
}

// Permissions have three forms and two kinds of nothing: no rule allows all, an answer-only user may publish nothing else.
func TestPermissions(t *testing.T) {
	for _, c := range []struct {
		text string
		want Permissions
	}{
		{"{ publish: a, sub: [b, 'c q'] }", Permissions{true, SubjectRules{true, []string{"a"}, nil}, SubjectRules{true, []string{"b", "c q"}, nil}, ResponseRule{}}},
		{"{ pub: { deny: a } }", Permissions{true, SubjectRules{true, nil, []string{"a"}}, SubjectRules{}, ResponseRule{}}},
		{"{ publish: {}, subscribe: [] }", Permissions{true, SubjectRules{}, SubjectRules{Defined: true}, ResponseRule{}}},
		{"{ allow_responses: true }", Permissions{true, SubjectRules{true, []string{}, nil}, SubjectRules{}, ResponseRule{true, 1, 2 * time.Minute}}},
		{"{ allow_responses: {max: 0, ttl: '1s'}, publish: {deny: x} }", Permissions{true, SubjectRules{true, []string{}, []string{"x"}}, SubjectRules{}, ResponseRule{true, 1, time.Second}}},
		{"{ publish: y, allow_responses: {max: -1} }", Permissions{true, SubjectRules{true, []string{"y"}, nil}, SubjectRules{}, ResponseRule{true, -1, 2 * time.Minute}}},
	} {
		cfg := mustLoad(t, "authorization { users: [ {user: u, pass: p, permissions: "+c.text+"} ] }")
		if got := cfg.Options.Authorization.Users[0].Permissions; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", c.text, got, c.want)
		}
	}
}

// Default permissions are for those who have none, wherever in the block they stand.
func TestDefaultPermissions(t *testing.T) {
	cfg := mustLoad(t, `
authorization { default_permissions: {publish: d}, users: [ {user: a, pass: p}, {user: b, pass: p, permissions: {publish: own}} ] }
accounts { A { users: [ {user: c, pass: p} ], default_permissions: {subscribe: e} } }`)
	users := cfg.Options.Authorization.Users
	if got := [][]string{users[0].Permissions.Publish.Allow, users[1].Permissions.Publish.Allow}; !reflect.DeepEqual(got, [][]string{{"d"}, {"own"}}) {
		t.Error(got)
	}
	c := cfg.Options.Accounts[0].Users[0]
	if c.Account != "A" || !reflect.DeepEqual(c.Permissions.Subscribe.Allow, []string{"e"}) {
		t.Errorf("%+v", c)
	}
}

// A secret may be in a file of its own; a line end at its end does not belong to it.
func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"pw": "geheim\n", "tok": "t",
		"nats.conf": "authorization { user: u, password_file: '" + dir + "/pw' }\nmonitor { token_file: '" + dir + "/tok' }",
		"bad.conf":  "authorization { user: u, password_file: '" + dir + "/none' }",
	})
	cfg, _, err := Load(LoadRequest{File: dir + "/nats.conf"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Options.Authorization.Password != "geheim" || cfg.Options.Monitor.Token != "t" {
		t.Errorf("%+v", cfg.Options.Authorization)
	}
	if len(cfg.Files) != 3 {
		t.Errorf("the files of secrets are not among those to watch: %v", cfg.Files)
	}
	if _, _, err := Load(LoadRequest{File: dir + "/bad.conf"}); err == nil || !strings.Contains(err.Error(), "bad.conf:1:41: password_file: ") {
		t.Error(err)
	}
}

// Imports that are allowed in every way there is.
func TestImports(t *testing.T) {
	mustLoad(t, `accounts {
  A { exports: [ {stream: "pub.>"}, {stream: "priv", accounts: [B]}, {service: "req.*.x", account_token_position: 2}, {service: "s.*"} ] }
  B { imports: [
    {stream: {account: A, subject: "pub.x"}, prefix: "from.A"}, {stream: {account: A, subject: "pub.*"}, to: "got.$1"}
    {stream: {account: A, subject: "priv"}}, {service: {account: A, subject: "req.B.x"}, to: "ask"}, {service: {account: A, subject: "s.*"}, to: "t.*"}
  ] }
}`)
}
