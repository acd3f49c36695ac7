package config

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// A key that two rows of a block share would be decoded by whichever comes first; an option without a sentence would be
// a hole in the manual.
func TestRowsAreSound(t *testing.T) {
	var look func(rows []*Option, path string)
	look = func(rows []*Option, path string) {
		seen := map[string]string{}
		for _, r := range rows {
			for _, n := range append([]string{r.Name}, r.Aliases...) {
				if other, ok := seen[n]; ok {
					t.Errorf("%s: %q is a name of %s and of %s", path, n, other, r.Name)
				}
				if n != strings.ToLower(n) {
					t.Errorf("%s: %q is not lower case and can never be found", path, n)
				}
				seen[n] = r.Name
			}
			if r.Kind == nil || r.Doc == "" || !strings.HasSuffix(r.Doc, ".") {
				t.Errorf("%s: needs a kind and a sentence: %q", r.Path, r.Doc)
			}
			if r.Path != join(path, r.Name) {
				t.Errorf("%s: is in the tree at %s", r.Path, join(path, r.Name))
			}
			if found := Lookup(r.Path); found != r {
				t.Errorf("Lookup(%q) finds another row", r.Path)
			}
			look(r.Fields(), r.Path+r.Kind.elements)
		}
	}
	look(registry(), "")
}

// An option that is accepted and has no place in the Options is ignored, which must never happen.
func TestBuiltOptionsHaveAPlace(t *testing.T) {
	Walk(func(o *Option) {
		if !o.Built() || o.bind != nil {
			return
		}
		if parent := parentOf(o); parent != nil && (parent.Kind == Rules || parent.Kind == QueueRules) {
			return // allow and deny are read by the kind of their block
		}
		t.Errorf("%s is built and decoded to nowhere", o.Path)
	})
}

// Two options with one environment variable could not both be set.
func TestEnvironmentNamesAreUnique(t *testing.T) {
	seen := map[string]string{}
	Walk(func(o *Option) {
		if o.Env() == "" {
			return
		}
		if other, ok := seen[o.Env()]; ok {
			t.Errorf("%s sets %s and %s", o.Env(), other, o.Path)
		}
		seen[o.Env()] = o.Path
	})
	if seen["NATS_BROKER_CLUSTER_AUTHORIZATION_USER"] != "cluster.authorization.user" {
		t.Error("options of blocks have no variable")
	}
}

// testdata/nats-server-words.txt holds every word that nats-server 2.15.3 compares a key or a value with when it reads
// a configuration. One that the registry does not know is an option we would call unknown.
func TestEveryWordOfNatsServerIsKnown(t *testing.T) {
	text, err := os.ReadFile("testdata/nats-server-words.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	Walk(func(o *Option) {
		known[o.Name] = true
		for _, list := range [][]string{o.Aliases, o.Values} {
			for _, w := range list {
				known[w] = true
			}
		}
	})
	// Words of values that kinds read by themselves.
	for _, w := range []string{"enable", "enabled", "disable", "disabled", "true", "false", "on", "off", "auto", "auto_fallback",
		"mem", "memory", "full", "cache", "chacha", "chachapoly", "aes", "headers"} {
		known[w] = true
	}
	words := strings.Fields(string(text))
	if len(words) < 250 {
		t.Fatalf("only %d words: the list is broken", len(words))
	}
	for _, w := range words {
		if !known[strings.ToLower(w)] {
			t.Errorf("nats-server knows %q, the registry does not", w)
		}
	}
}

// The defaults that clients and operators rely on are nats-server's (its const.go and setBaselineOptions).
func TestDefaults(t *testing.T) {
	cfg, warns, err := Load(LoadRequest{})
	if err != nil || len(warns) > 0 {
		t.Fatal(err, warns)
	}
	o := cfg.Options
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"host", o.Host, "0.0.0.0"}, {"port", o.Port, 4222},
		{"max_connections", o.Limits.MaxConnections, 65536}, {"max_control_line", o.Limits.MaxControlLine, int64(4096)},
		{"max_payload", o.Limits.MaxPayload, int64(1048576)}, {"max_pending", o.Limits.MaxPending, int64(67108864)},
		{"max_closed_clients", o.Limits.MaxClosedClients, 10000}, {"max_subscriptions", o.Limits.MaxSubscriptions, 0},
		{"ping_interval", o.PingInterval.String(), "2m0s"}, {"ping_max", o.PingMax, 2},
		{"write_deadline", o.WriteDeadline.String(), "10s"},
		{"lame_duck_duration", o.LameDuck.Duration.String(), "2m0s"}, {"lame_duck_grace_period", o.LameDuck.GracePeriod.String(), "10s"},
		{"auth timeout", o.Authorization.Timeout.String(), "2s"}, {"logtime", o.Log.Time, true},
		{"http_port", o.Monitor.Port, 0}, {"http host", o.Monitor.Host, "0.0.0.0"}, {"http_base_path", o.Monitor.BasePath, "/"},
		{"connect_error_reports", o.ConnectErrorReports, 3600}, {"reconnect_error_reports", o.ReconnectErrorReports, 1},
		{"cluster", o.Cluster.Enabled(), false}, {"config_watch", o.Process.ConfigWatch, true},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}

func TestLookup(t *testing.T) {
	for path, want := range map[string]string{
		"max_payload": "max_payload", "monitor_port": "http_port", "MAX_CONN": "max_connections",
		"accounts.A.users[3].pass":      "accounts.*.users[].password",
		`accounts."a.b".limits.max_pay`: "accounts.*.limits.max_payload",
		"accounts.*.users[].password":   "accounts.*.users[].password",
		"accounts.A":                    "accounts", "cluster.tls.certs[0].key_file": "cluster.tls.certs[].key_file",
		"leaf.remotes[].tls.ca_file": "leafnodes.remotes[].tls.ca_file",
		"nothing":                    "", "cluster.nothing": "", "": "",
	} {
		got := ""
		if o := Lookup(path); o != nil {
			got = o.Path
		}
		if got != want {
			t.Errorf("Lookup(%q) = %q, want %q", path, got, want)
		}
	}
}
