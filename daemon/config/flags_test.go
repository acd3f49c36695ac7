package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// Every flag, by every one of its names, reaches its option, over what the file says.
func TestEveryFlagReachesItsOption(t *testing.T) {
	o := func(f func(*Options) any) func(*Invocation, *Options) any {
		return func(_ *Invocation, o *Options) any { return f(o) }
	}
	i := func(f func(*Invocation) any) func(*Invocation, *Options) any {
		return func(i *Invocation, _ *Options) any { return f(i) }
	}
	cluster := []string{"--cluster", "nats://h:1"}
	cases := map[string]struct {
		value string
		more  []string
		get   func(*Invocation, *Options) any
		want  any
	}{
		"a":                  {"1.2.3.4", nil, o(func(o *Options) any { return o.Host }), "1.2.3.4"},
		"p":                  {"-1", nil, o(func(o *Options) any { return o.Port }), -1},
		"n":                  {"x", nil, o(func(o *Options) any { return o.ServerName }), "x"},
		"P":                  {"x", nil, o(func(o *Options) any { return o.Process.PidFile }), "x"},
		"m":                  {"1234", nil, o(func(o *Options) any { return o.Monitor.Port }), 1234},
		"ms":                 {"1234", nil, o(func(o *Options) any { return o.Monitor.HTTPSPort }), 1234},
		"c":                  {"x", nil, i(func(i *Invocation) any { return i.ConfigFile }), "x"},
		"t":                  {"", nil, i(func(i *Invocation) any { return i.Check }), true},
		"test_reload":        {"x", nil, i(func(i *Invocation) any { return i.CheckReload }), "x"},
		"sl":                 {"reload=1", nil, i(func(i *Invocation) any { return i.Signal }), "reload=1"},
		"client_advertise":   {"x:1", nil, o(func(o *Options) any { return o.ClientAdvertise }), "x:1"},
		"ports_file_dir":     {"x", nil, o(func(o *Options) any { return o.Process.PortsFileDir }), "x"},
		"l":                  {"x", nil, o(func(o *Options) any { return o.Log.File }), "x"},
		"T":                  {"false", nil, o(func(o *Options) any { return o.Log.Time }), false},
		"logtime_utc":        {"", nil, o(func(o *Options) any { return o.Log.UTC }), true},
		"s":                  {"", nil, o(func(o *Options) any { return o.Log.Syslog }), true},
		"r":                  {"x", nil, o(func(o *Options) any { return o.Log.Remote.URL }), "x"},
		"D":                  {"", nil, o(func(o *Options) any { return o.Log.Debug }), true},
		"V":                  {"", nil, o(func(o *Options) any { return o.Log.Trace }), true},
		"VV":                 {"", nil, o(func(o *Options) any { return []bool{o.Log.Debug, o.Log.Trace, o.Log.TraceVerbose} }), []bool{false, true, true}},
		"DV":                 {"", nil, o(func(o *Options) any { return []bool{o.Log.Debug, o.Log.Trace, o.Log.TraceVerbose} }), []bool{true, true, false}},
		"DVV":                {"", nil, o(func(o *Options) any { return []bool{o.Log.Debug, o.Log.Trace, o.Log.TraceVerbose} }), []bool{true, true, true}},
		"log_size_limit":     {"1024", nil, o(func(o *Options) any { return o.Log.FileLimit }), int64(1024)},
		"max_traced_msg_len": {"7", nil, o(func(o *Options) any { return o.Log.MaxTracedLen }), 7},
		"js":                 {"", nil, o(func(o *Options) any { return []bool{o.JetStream.Enabled, o.JetStream.Strict} }), []bool{true, true}},
		"sd":                 {"x", nil, o(func(o *Options) any { return []any{o.JetStream.StoreDir, o.JetStream.Enabled} }), []any{"x", false}},
		"user":               {"u", nil, o(func(o *Options) any { return o.Authorization.User }), "u"},
		"pass":               {"p", nil, o(func(o *Options) any { return o.Authorization.Password }), "p"},
		"auth":               {"t", nil, o(func(o *Options) any { return o.Authorization.Token }), "t"},
		"tls":                {"", nil, nil, "TLS server certificate must be present and valid"},
		"tlscert":            {"/no/c", []string{"--tlskey", "k"}, nil, "open /no/c"},
		"tlskey":             {"k", []string{"--tlscert", "/no/c"}, nil, "open /no/c"},
		"tlsverify":          {"", nil, nil, "TLS server certificate must be present and valid"},
		"tlscacert":          {"/no/ca", nil, nil, "open /no/ca"},
		"routes":             {"nats://a:1, nats://b:2", cluster, o(func(o *Options) any { return fmt.Sprint(o.Cluster.Routes) }), "[nats://a:1 nats://b:2]"},
		"cluster": {"nats://u:p@h:-1", nil, o(func(o *Options) any {
			return []any{o.Cluster.Host, o.Cluster.Port, o.Cluster.Authorization.User, o.Cluster.Authorization.Password}
		}), []any{"h", -1, "u", "p"}},
		"cluster_name":      {"x", nil, o(func(o *Options) any { return o.Cluster.Name }), "x"},
		"no_advertise":      {"", nil, o(func(o *Options) any { return o.Cluster.NoAdvertise }), true},
		"cluster_advertise": {"x:1", nil, o(func(o *Options) any { return o.Cluster.Advertise }), "x:1"},
		"connect_retries":   {"3", nil, o(func(o *Options) any { return o.Cluster.ConnectRetries }), 3},
		"profile":           {"99", nil, o(func(o *Options) any { return o.Process.ProfPort }), 99},
		"h":                 {"", nil, i(func(i *Invocation) any { return i.Help }), true},
		"v":                 {"", nil, i(func(i *Invocation) any { return i.Version }), true},
		"help_tls":          {"", nil, i(func(i *Invocation) any { return i.TLSHelp }), true},
	}
	file := t.TempDir() + "/nats.conf"
	text := "listen: '9.9.9.9:9', http_port: 9, pid_file: f, server_name: f, debug: false, logtime: true, cluster { name: f }\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range Flags {
		c, ok := cases[f.Names[0]]
		if !ok {
			t.Errorf("-%s has no case here", f.Names[0])
			continue
		}
		for _, name := range f.Names {
			for _, dashes := range []string{"-", "--"} {
				args := []string{dashes + name}
				if c.value != "" {
					args[0] += "=" + c.value
				}
				args = append(args, c.more...)
				inv, err := ParseArgs(args)
				if err != nil {
					t.Errorf("%q: %v", args, err)
					continue
				}
				cfg, _, err := Load(LoadRequest{File: file, Invocation: inv})
				if c.get == nil {
					if err == nil || !strings.Contains(err.Error(), c.want.(string)) {
						t.Errorf("%q: error %v, want %v", args, err, c.want)
					}
				} else if got := c.get(inv, cfg.Options); !reflect.DeepEqual(got, c.want) {
					t.Errorf("%q: got %v, want %v", args, got, c.want)
				}
			}
		}
	}
}

// What flags mean together and against the file.
func TestFlagsTogether(t *testing.T) {
	jetstream := func(c *Config) any { return []any{c.Options.JetStream.Enabled, c.Options.JetStream.StoreDir} }
	trace := func(c *Config) any { return []bool{c.Options.Log.Debug, c.Options.Log.Trace} }
	for _, c := range []struct {
		file string
		args string
		get  func(*Config) any
		want any
	}{
		{"debug: true", "-D=false", func(c *Config) any { return c.Options.Log.Debug }, false},
		{"port: 1", "-V=false -DV", trace, []bool{true, true}},
		{"debug: true, trace: true", "-DV=false", trace, []bool{false, false}},
		{"listen: 'h:1'", "-p 2", func(c *Config) any { return []any{c.Options.Host, c.Options.Port} }, []any{"h", 2}},
		{"port: 5", "-p 0x10", func(c *Config) any { return c.Options.Port }, 16},
		{"cluster { listen: 'h:1', authorization { user: u, password: p } }", "--cluster nats://x:2",
			func(c *Config) any { return []any{c.Options.Cluster.Port, c.Options.Cluster.Authorization.User} }, []any{2, ""}},
		{"cluster { listen: 'h:1' }", "--cluster=", func(c *Config) any { return c.Options.Cluster.Enabled() }, false},
		{"cluster { listen: 'h:1', routes: ['nats://a:1'] }", "--routes=", func(c *Config) any { return len(c.Options.Cluster.Routes) }, 0},
		{"authorization { users: [ {user: a, pass: b} ] }", "--user x --pass y", func(c *Config) any { return len(c.Options.Authorization.Users) }, 1},
		{"jetstream: false", "-js", jetstream, []any{true, ""}},
		{"jetstream { store_dir: a }", "-sd b", jetstream, []any{true, "b"}},
		{"jetstream { domain: d }, store_dir: a", "-js=false", jetstream, []any{false, "a"}},
		{"port: 1", "-tls=false --tlscert /no/c", func(c *Config) any { return c.Options.TLS.Defined }, false},
	} {
		cfg, _, err := loadText(t, c.file, strings.Fields(c.args)...)
		if err != nil {
			t.Errorf("%s + %s: %v", c.file, c.args, err)
		} else if got := c.get(cfg); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s + %s: got %v, want %v", c.file, c.args, got, c.want)
		}
	}
	if _, _, err := loadText(t, "port: 1", "--routes", "nats://a:1"); err == nil || !strings.Contains(err.Error(), "solicited routes require cluster capabilities") {
		t.Error(err)
	}
}

// --tlsverify goes with and without its third word, the last one wins, and stands above the file.
func TestTLSVerifyFlag(t *testing.T) {
	dir := t.TempDir()
	certtest.New(t, dir, "ca").Issue("server", x509.Certificate{})
	pair := []string{"--tlscert", dir + "/server.pem", "--tlskey", dir + "/server.key"}
	for args, want := range map[string][2]bool{
		"--tlsverify": {true, false}, "--tlsverify=false": {}, "--tlsverify=Optional": {false, true},
		"--tlsverify=optional --tlsverify": {true, false}, "--tlsverify --tlsverify=optional": {false, true},
	} {
		cfg, _, err := loadText(t, "tls { cert_file: c, key_file: k, verify: true }", append(strings.Fields(args), pair...)...)
		if err != nil {
			t.Errorf("%s: %v", args, err)
		} else if got := [2]bool{cfg.Options.TLS.Verify, cfg.Options.TLS.VerifyOptional}; got != want {
			t.Errorf("%s: %v, want %v", args, got, want)
		}
	}
}

func TestParseArgs(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-p x", `invalid value "x" for flag -p: parse error`},
		{"-p 99999999999999999999", `invalid value "99999999999999999999" for flag -p: value out of range`},
		{"-D=maybe", `invalid boolean value "maybe" for -D: parse error`},
		{"--tlsverify=maybe", `invalid boolean value "maybe" for -tlsverify: expected true, false, or optional: strconv.ParseBool: parsing "maybe": invalid syntax`},
		{"--max_traced_msg_lenn 3", "flag provided but not defined: -max_traced_msg_lenn (did you mean --max_traced_msg_len?)"},
		{"-c", "flag needs an argument: -c"},
		{"start", `unrecognized command: "start"`},
	} {
		_, err := ParseArgs(strings.Fields(c.args))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.args, err, c.want)
		}
		if usage := (*UsageError)(nil); errors.As(err, &usage) == (c.args == "start") {
			t.Errorf("%s: %T", c.args, err)
		}
	}
	for args, want := range map[string]Invocation{"version": {Version: true}, "HELP": {Help: true}, "-p 1 help": {Help: true}} {
		inv, err := ParseArgs(strings.Fields(args))
		if err != nil || inv.Help != want.Help || inv.Version != want.Version {
			t.Errorf("%s: %+v %v", args, inv, err)
		}
	}
}

// Every scalar option can be set by its variable, which wins over the file and loses to a flag.
func TestEveryVariableReachesItsOption(t *testing.T) {
	values := map[*Kind][]any{
		Boolean: {"true", true}, Integer: {"7", 7}, Port: {"7", 7}, Size: {"7k", int64(7000)}, Count: {"7", int64(7)},
		String: {"$2a$x y", "$2a$x y"}, Path: {"/x", "/x"}, Subject: {"a.b", "a.b"}, Duration: {"7s", 7 * time.Second},
		Span: {"40s", 40 * time.Second}, Seconds: {"7", 7 * time.Second}, Percent: {"7", 7}, First: {"on", HandshakeFirst{Enabled: true}},
		Version: {"1.3", uint16(0x304)}, Verify: {"optional", verifyIfShown}, Size64: {"7", int64(7)}, DurationOr: {"7s", 7 * time.Second},
	}
	n := 0
	Walk(func(o *Option) {
		if o.Env() == "" || !o.Built() || o.Kind == Address || o.Kind == SecretFile {
			return
		}
		v := values[o.Kind]
		if o.Kind == Word {
			v = []any{o.Values[1], o.Values[1]}
		}
		if v == nil {
			t.Errorf("%s: no value of kind %s here", o.Path, o.Kind)
			return
		}
		if o.Name == "http_base_path" {
			v = []any{"/x", "/x"}
		}
		if o.Name == "server_name" || o.Path == "cluster.name" || o.Path == "jetstream.domain" {
			v = []any{"x", "x"}
		}
		cfg, warns, _ := Load(LoadRequest{Environ: []string{o.Env() + "=" + v[0].(string)}}) // errors: most options alone are not a whole configuration
		if _, ok := cfg.Origin(o.Path); !ok {
			t.Errorf("%s did not reach %s: %v", o.Env(), o.Path, warns)
			return
		}
		block := any(cfg.Options)
		for p, parts := o, strings.Split(o.Path, "."); len(parts) > 1; parts = parts[1:] {
			parent := Lookup(strings.Join(strings.Split(p.Path, ".")[:len(strings.Split(p.Path, "."))-len(parts)+1], "."))
			block = parent.bind(block)
		}
		if got := bound(o, block); !reflect.DeepEqual(got, v[1]) {
			t.Errorf("%s=%s: %s is %v, want %v", o.Env(), v[0], o.Path, got, v[1])
		}
		n++
	})
	if n < 80 {
		t.Errorf("only %d variables", n)
	}
}

func TestEnvironmentLayer(t *testing.T) {
	inv, _ := ParseArgs([]string{"-m", "3"})
	cfg, warns, err := Load(LoadRequest{Invocation: inv, Environ: []string{
		"NATS_BROKER_HTTP_PORT=2", "NATS_BROKER_MAX_PAYLOAD=2MB", "NATS_BROKER_MAX_PAYLAOD=1",
		// What Kubernetes sets for a service of this name is not ours.
		"NATS_BROKER_PORT=tcp://10.0.0.1:4222", "NATS_BROKER_SERVICE_HOST=10.0.0.1", "NATS_BROKER_PORT_4222_TCP=tcp://10.0.0.1:4222",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if o := cfg.Options; o.Monitor.Port != 3 || o.Limits.MaxPayload != 2<<20 || o.Port != 4222 {
		t.Errorf("%d %d %d", o.Monitor.Port, o.Limits.MaxPayload, o.Port)
	}
	if len(warns) != 1 || warns[0].Fatal || !strings.Contains(warns[0].Hint, "NATS_BROKER_MAX_PAYLOAD") {
		t.Errorf("%v", warns)
	}
	if o, _ := cfg.Origin("max_payload"); o.Layer() != LayerEnvironment {
		t.Error(o.Layer())
	}
	_, _, err = Load(LoadRequest{Environ: []string{"NATS_BROKER_PORT=many"}})
	if err == nil || !strings.Contains(err.Error(), "environment variable NATS_BROKER_PORT:1:1: ") {
		t.Error(err)
	}
}

func TestRedactArgs(t *testing.T) {
	got := RedactArgs([]string{"--user", "u", "-pass=p", "--auth", "t", "--routes=nats://a:b@h:1,nats://c:1", "-cluster", "nats://x:y@h:-1", "-p", "1"})
	want := []string{"--user", Redacted, "-pass=" + Redacted, "--auth", Redacted, "--routes=nats://[REDACTED]@h:1,nats://c:1", "-cluster", "nats://[REDACTED]@h:-1", "-p", "1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
