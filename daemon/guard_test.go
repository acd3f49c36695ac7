package daemon

import (
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// loaded reads a configuration as the daemon does.
func loadedText(t *testing.T, path, text string) *active {
	t.Helper()
	put(t, path, text)
	inv, err := config.ParseArgs([]string{"-c", path})
	if err != nil {
		t.Fatal(err)
	}
	read := newRecorder()
	cfg, _, err := config.Load(config.LoadRequest{File: path, Invocation: inv, ReadFile: read.read})
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return &active{cfg: cfg, read: read}
}

// What lowers the protection needs to be asked for; everything else is live.
func TestUnaskedChanges(t *testing.T) {
	dir := t.TempDir()
	ca := certtest.New(t, dir, "ca")
	server := ca.Issue("server", x509.Certificate{DNSNames: []string{"localhost"}})
	tls := func(more string) string {
		return `tls { cert_file: "` + server.CertFile + `", key_file: "` + server.KeyFile + `", ca_file: "` + ca.CertFile + `"` + more + ` }`
	}
	const user = "authorization { user: a, password: b }\n"
	tests := []struct{ name, old, new, refused string }{
		{"emptied", "port: 4333", "", "is empty"},
		{"only comments left", "port: 4333", "# port: 4333\n\n// x\n", "is empty"},
		{"was empty before", "", "# a comment", ""},
		{"authorization removed", user + "port: 4333", "port: 4333", "without credentials"},
		{"users emptied", "authorization { users: [{user: a, password: b}] }", "authorization {}", "without credentials"},
		{"token removed", "authorization { token: t }", "port: 4222", "without credentials"},
		{"no_auth_user", "authorization { users: [{user: a, password: b}] }", "authorization { users: [{user: a, password: b}] }\nno_auth_user: a", "without credentials"},
		{"another password", user, "authorization { user: a, password: c }", ""},
		{"no password", user, `authorization { user: a, password: "" }`, `user "a" would need no password`},
		{"users instead of one", user, "authorization { users: [{user: x, password: b}] }", ""},
		{"permissions removed", "authorization { users: [{user: a, password: b, permissions: {publish: x}}] }",
			"authorization { users: [{user: a, password: b}] }", "no permissions"},
		{"account removed", "accounts { A { users: [{user: a, password: b}] }, B {} }", "accounts { A { users: [{user: a, password: b}] } }", "accounts would go: B"},
		{"account added", "accounts { A { users: [{user: a, password: b}] } }", "accounts { A { users: [{user: a, password: b}] }, B {} }", ""},
		{"user removed", "authorization { users: [{user: a, password: b}, {user: c, password: d}] }", "authorization { users: [{user: a, password: b}] }", ""},
		{"TLS removed", user + tls(""), user, "no TLS"},
		{"verify removed", user + tls(", verify: true"), user + tls(""), "no certificate"},
		{"WebSocket for nobody", "websocket { port: 1, no_tls: true, authorization { token: t } }", "websocket { port: 1, no_tls: true }", "WebSocket clients would come in without credentials"},
		{"WebSocket by no_auth_user", "authorization { users: [{user: a, password: b}] }", "authorization { users: [{user: a, password: b}] }\nwebsocket { port: 1, no_tls: true, no_auth_user: a }", "WebSocket clients would come in without credentials"},
		{"WebSocket as others", user, user + "websocket { port: 1, no_tls: true }", ""},
		{"WebSocket, another token", "websocket { port: 1, no_tls: true, authorization { token: t } }", "websocket { port: 1, no_tls: true, authorization { token: u } }", ""},
		{"WebSocket without TLS", user + "websocket { port: 1, " + tls("") + " }", user + "websocket { port: 1, no_tls: true }", "WebSocket connections would have no TLS"},
		{"WebSocket from anywhere", "websocket { port: 1, no_tls: true, origins: [\"https://a\"] }", "websocket { port: 1, no_tls: true }", "pages of any origin"},
		{"WebSocket, a proxy more", "websocket { port: 1, no_tls: true }", "websocket { port: 1, no_tls: true, trusted_proxies: [\"10.0.0.0/8\"] }", "more proxies would be believed"},
		{"WebSocket for all", "websocket { listen: \"127.0.0.1:1\", no_tls: true }", "websocket { port: 1, no_tls: true }", "WebSocket clients would be listened for on"},
		{"WebSocket gone", "websocket { port: 1, no_tls: true, authorization { token: t } }", "port: 4333", ""},
		{"certificates are credentials", tls(", verify: true"), tls(""), "without credentials"},
		{"allow_non_tls", user + tls(""), user + tls("") + "\nallow_non_tls: true", "do without TLS"},
		{"TLS added", user, user + tls(""), ""},
		{"listen wider", `listen: "127.0.0.1:4222"`, "port: 4222", "clients would be listened for on 0.0.0.0:4222 instead of 127.0.0.1:4222"},
		{"listen on a network", `listen: "localhost:4222"`, `listen: "192.0.2.1:4222"`, "clients would be listened for"},
		{"listen narrower", "port: 4222", `listen: "127.0.0.1:4222"`, ""},
		{"another port", `listen: "127.0.0.1:4222"`, `listen: "127.0.0.1:4333"`, ""},
		{"monitoring wider", `http: "127.0.0.1:8222"`, "http_port: 8222", "monitoring would be listened for"},
		{"monitoring added", "port: 4222", "port: 4222\nhttp_port: 8222", ""},
		{"monitoring without its token", "http_port: 8222\nmonitor { token: x }", "http_port: 8222", "monitoring would need no credentials"},
		{"routes without credentials", "cluster { name: c, port: 6222, authorization { user: r, password: s } }",
			"cluster { name: c, port: 6222 }", "routes would need no credentials"},
		{"leaf nodes without users", "leafnodes { port: 7422, authorization {user: a, password: b} }", "leafnodes { port: 7422 }", "leaf nodes would come in as users of clients"},
		{"leaf nodes without TLS", "leafnodes { port: 7422, " + tls("") + " }", "leafnodes { port: 7422 }", "leaf nodes would have no TLS"},
		{"leaf nodes without certificates", "leafnodes { port: 7422, " + tls(", verify: true") + " }", "leafnodes { port: 7422, " + tls("") + " }", "leaf nodes would need no certificate"},
		{"leaf nodes of any version", "leafnodes { port: 7422, min_version: 2.10.0 }", "leafnodes { port: 7422 }", "leaf nodes of any version"},
		{"a remote without denied subjects", `leafnodes { remotes: [{url: "nats://h", deny_imports: a}] }`, `leafnodes { remotes: [{url: "nats://h"}] }`, "no denied subjects"},
		{"a remote less", `leafnodes { remotes: [{url: "nats://h", deny_imports: a}] }`, "port: 4222", ""},
		{"leaf nodes from further away", "leafnodes { listen: \"127.0.0.1:7422\" }", "leafnodes { listen: \"0.0.0.0:7422\" }", "leaf nodes would be listened for on"},
		{"routes without TLS", "cluster { name: c, port: 6222, " + tls("") + " }", "cluster { name: c, port: 6222 }", "routes would have no TLS"},
		{"routes' pinned certificates removed", "cluster { name: c, port: 6222, " + tls(`, verify: true, pinned_certs: ["`+strings.Repeat("ab", 32)+`"]`) + " }",
			"cluster { name: c, port: 6222, " + tls(", verify: true") + " }", "routes' certificates would not be pinned"},
		{"routes' export permission removed", "cluster { name: c, port: 6222, permissions { import: a, export: b } }",
			"cluster { name: c, port: 6222, permissions { import: a } }", "routes would have no permissions"},
		{"routes wider", `cluster { name: c, listen: "127.0.0.1:6222" }`, "cluster { name: c, port: 6222 }", "routes would be listened for"},
		{"a limit", user + "max_payload: 1MB", user + "max_payload: 2MB", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "nats.conf")
			old := loadedText(t, path, tt.old)
			err := errUnasked(old, loadedText(t, path, tt.new))
			if tt.refused == "" && err != nil || tt.refused != "" && (err == nil || !strings.Contains(err.Error(), tt.refused)) {
				t.Errorf("%v, want %q in it", err, tt.refused)
			}
			if err := errUnasked(old, old); err != nil {
				t.Errorf("no change at all: %v", err)
			}
		})
	}
}

// An included file that is emptied is one too.
func TestUnaskedIncludeIsEmpty(t *testing.T) {
	dir := t.TempDir()
	path, users := filepath.Join(dir, "nats.conf"), put(t, filepath.Join(dir, "limits.conf"), "max_payload: 1MB\n")
	old := loadedText(t, path, "include limits.conf\n")
	if err := os.Truncate(users, 0); err != nil {
		t.Fatal(err)
	}
	if err := errUnasked(old, loadedText(t, path, "include limits.conf\n")); err == nil || !strings.Contains(err.Error(), "limits.conf is empty") {
		t.Error(err)
	}
}

// What is said of a configuration is what the authenticator does by it.
func TestAskingForCredentials(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]bool{
		"port: 4222":                                         false,
		"authorization { user: a, password: b }":             true,
		"authorization { token: t }":                         true,
		"authorization { users: [] }":                        true,
		"authorization { timeout: 1 }":                       false,
		"accounts { A { users: [{user: a, password: b}] } }": true,
		"accounts { A {} }":                                  false,
		"accounts { SYS { users: [{user: a, password: b}] } }\nsystem_account: SYS": false,
		"accounts { A { users: [{user: a, password: b}] } }\nno_auth_user: a":       false,
	} {
		o := loadedText(t, filepath.Join(dir, "nats.conf"), text).cfg.Options
		if got := asksForCredentials(o); got != want {
			t.Errorf("%s: %v", text, got)
		}
		opts := authOptions(o, nil)
		a, err := auth.New(opts, logging.Discard())
		if err != nil {
			t.Fatal(err)
		}
		if r := a.Requires(); (r.Auth && r.Told && !opts.Anonymous) != want {
			t.Errorf("%s: the authenticator asks %+v", text, r)
		}
	}
}

func TestReach(t *testing.T) {
	for host, want := range map[string]int{
		"": 2, "0.0.0.0": 2, "::": 2, "[::]": 2, "127.0.0.1": 0, "127.1.2.3": 0, "::1": 0, "localhost": 0, "192.0.2.1": 1, "example.org": 1,
	} {
		if got := reach(host); got != want {
			t.Errorf("%q: %d, want %d", host, got, want)
		}
	}
}

// Who is warned of: clients of other machines that need no credentials.
func TestOpenAddress(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		text, listen string
		open         bool
	}{
		{"port: 4222", "0.0.0.0:0", true},
		{"port: 4222", "[::]:0", true},
		{"port: 4222", "127.0.0.1:0", false},
		{"authorization { user: a, password: b }", "0.0.0.0:0", false},
	} {
		l, err := net.Listen("tcp", tt.listen)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		o := loadedText(t, filepath.Join(dir, "nats.conf"), tt.text).cfg.Options
		got := openAddress(o, []*clientListener{{probed: newProbed(l), shown: tt.listen}})
		if (got != "") != tt.open {
			t.Errorf("%s on %s: %q", tt.text, tt.listen, got)
		}
	}
}

// The same of those who come by WebSocket, and of leaf nodes: what clients need is not all that counts.
func TestOtherOpenAddresses(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string][2]string{
		`websocket { port: 80, no_tls: true }`:                                                                     {"0.0.0.0:80", ""},
		`websocket { listen: "127.0.0.1:80", no_tls: true }`:                                                       {"", ""},
		`authorization { user: a, password: b }, websocket { port: 80, no_tls: true }`:                             {"", ""},
		`authorization { users: [{user: a, password: b}] }, websocket { port: 80, no_tls: true, no_auth_user: a }`: {"0.0.0.0:80", ""},
		`websocket { port: 80, no_tls: true, authorization { user: a, password: b } }`:                             {"", ""},
		`leafnodes { port: 7422 }`:                                                                     {"", "0.0.0.0:7422"},
		`leafnodes { listen: "127.0.0.1:7422" }`:                                                       {"", ""},
		`leafnodes { port: 7422, authorization { user: a, password: b } }`:                             {"", ""},
		`leafnodes { remotes: [{url: "nats://h:1"}] }`:                                                 {"", ""},
		`authorization { user: a, password: b }, leafnodes { port: 7422 }`:                             {"", ""},
		`authorization { users: [{user: a, password: b}] }, no_auth_user: a, leafnodes { port: 7422 }`: {"", "0.0.0.0:7422"},
	} {
		o := loadedText(t, filepath.Join(dir, "nats.conf"), text).cfg.Options
		if web, leafs := openWebSocket(o), openLeafs(o); web != want[0] || leafs != want[1] {
			t.Errorf("%s: %q and %q, want %q", text, web, leafs, want)
		}
	}
}
