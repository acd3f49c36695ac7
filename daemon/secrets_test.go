package daemon_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/bcrypt"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// planted are secrets that a test has put somewhere, by where they are.
type planted map[string]string

// put makes a secret that is found again.
func (p planted) put(where string) string {
	p[where] = "Planted" + fmt.Sprintf("%02d", len(p)) + "x" + strings.ReplaceAll(where, " ", "")
	return p[where]
}

// seed makes a key and notes its seed.
func (p planted) seed(t *testing.T, where string, make func() (nkeys.KeyPair, error)) (kp nkeys.KeyPair, public string) {
	t.Helper()
	kp, public = newKey(t, make)
	seed, err := kp.Seed()
	if err != nil {
		t.Fatal(err)
	}
	p[where] = string(seed)
	return kp, public
}

// look fails the test if a secret is in a text, plain or in base64.
func (p planted) look(t *testing.T, what, text string) {
	t.Helper()
	for where, secret := range p {
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
			if at := strings.Index(text, form); at >= 0 {
				t.Errorf("%s shows the secret of %s: …%s…", what, where, text[max(0, at-80):min(len(text), at+len(form)+20)])
			}
		}
	}
}

// TestNoSecretShows plants secrets in a configuration, on the command line, in CONNECTs, requests and answers, and looks
// for them in all that the broker tells: its log at the highest level, monitoring, events, verbs and the process list.
func TestNoSecretShows(t *testing.T) {
	p := planted{}
	control := filepath.Join(t.TempDir(), "control.sock")
	hashed := p.put("hashed password")
	hash, err := bcrypt.GenerateFromPassword([]byte(hashed), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	p["hash"] = string(hash)
	issuer, issuerID := p.seed(t, "issuer", nkeys.CreateAccount)
	curve, curveID := p.seed(t, "curve", nkeys.CreateCurveKeys)
	monitorPort := brokertest.FreePort(t)
	config := func(more string) string {
		return fmt.Sprintf(`control_socket: %q
config_watch: off
http: "127.0.0.1:%d"
monitor { user: watcher, password: %s }
cluster { name: c, listen: "127.0.0.1:-1", authorization { user: r, password: %s }, routes: [ "nats-route://r:%s@127.0.0.1:1" ] }
accounts {
  AUTH { users: [ {user: service, password: %s} ] }
  A { users: [ {user: plain, password: %s}, {user: hashed, password: %q} ] }
  SYS { users: [ {user: sys, password: %s} ] }
}
system_account: SYS
authorization { timeout: 5, auth_callout { issuer: %s, account: AUTH, auth_users: [ service, plain, hashed, sys ], xkey: %s } }
%s
`, control, monitorPort, p["monitor password"], p["cluster password"], p["route password"], p["service password"],
			p["plain password"], hash, p["system password"], issuerID, curveID, more)
	}
	for _, where := range []string{"monitor password", "cluster password", "route password", "service password", "plain password", "system password"} {
		p.put(where)
	}
	s := brokertest.Start(t, brokertest.Options{
		Config: config(""),
		Args:   []string{"-D", "-VV", "--routes", "nats-route://r:" + p.put("flag") + "@127.0.0.1:1,nats-route://r:" + p.put("second flag") + "@127.0.0.1:2"},
	})

	// The process list.
	for _, file := range []string{"cmdline", "environ", "comm"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.PID(), file))
		if err != nil {
			t.Fatal(err)
		}
		p.look(t, "/proc/PID/"+file, string(text))
	}

	// Events and requests of the system account.
	sys := signIn(t, s, "sys", p["system password"])
	var events strings.Builder
	all, err := sys.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	if err := sys.Flush(); err != nil {
		t.Fatal(err)
	}

	// A service whose answers hold JWTs, and what clients send.
	service := signIn(t, s, "service", p["service password"])
	if _, err := service.Subscribe("$SYS.REQ.USER.AUTH", func(m *nats.Msg) { approve(t, p, m, issuer, curve) }); err != nil {
		t.Fatal(err)
	}
	if err := service.Flush(); err != nil {
		t.Fatal(err)
	}
	_ = signIn(t, s, "plain", p["plain password"])
	_ = signIn(t, s, "hashed", hashed)
	_ = signIn(t, s, "delegated", p.put("delegated password"))
	p.seed(t, "nkey", nkeys.CreateUser)
	_, strayID := newKey(t, nkeys.CreateUser)
	claims := jwt.NewUserClaims(strayID)
	p["user JWT"] = must2(t)(claims.Encode(issuer))
	for _, connect := range []string{
		fmt.Sprintf(`{"user":"plain","pass":%q}`, p.put("wrong password")),
		fmt.Sprintf(`{"auth_token":%q}`, p.put("wrong token")),
		fmt.Sprintf(`{"user":"plain","pass":%q`, p.put("broken CONNECT")),
		fmt.Sprintf(`{"user":"denied","pass":"x","jwt":%q,"sig":%q}`, p["user JWT"], p.put("signature")),
		fmt.Sprintf(`{"user":"denied","pass":"x","PASS" : %q,"au\u0074h_token":%q}`, p.put("key in capitals"), p.put("escaped key")),
		fmt.Sprintf(`{"nkey":%q,"sig":"x"}`, p["nkey"]),
		fmt.Sprintf(`{"user":"plain","pass":%q,"proxy_sig":%q}`, p.put("password beside proxy"), p.put("proxy signature")),
	} {
		c := s.Dial(t)
		c.Frame()
		c.Send("CONNECT " + connect + "\r\n")
		for f := c.Frame(); f != brokertest.EOF; f = c.Frame() {
			p.look(t, "an answer to a client", f)
		}
	}

	// Reloads, of a good file and of broken ones.
	from := s.LogLen()
	s.SetConfig(config("max_payload: 100000"))
	s.Signal(syscall.SIGHUP)
	s.WaitLogFrom("Reloaded server configuration", from)
	for _, broken := range []string{
		"authorization { user: plain, password: " + p.put("second block") + ", token: " + p.put("second token") + " }",
		"accounts { B { users: [ {user: plain, password: " + p.put("duplicate user") + "}, {user: plain, password: x} ] } }",
		"cluster { routes: [ \"nats-route://r:" + p.put("bad route") + "@127.0.0.1:x\" ] }",
		"authorization { token: [ " + p.put("token of a wrong type") + " ] }",
		"authorization { auth_callout { issuer: " + p["issuer"] + ", auth_users: [ a ] } }",
		"monitor { token: { a: " + p.put("token in a block") + " } }",
	} {
		from = s.LogLen()
		s.SetConfig(config(broken))
		s.Signal(syscall.SIGHUP)
		s.WaitLogFrom("Failed to reload server configuration", from)
		for _, verb := range []string{"check", "diff"} {
			p.look(t, "config "+verb+" of a broken file", runVerb(t, control, "config", verb, s.ConfigFile()))
		}
	}
	s.SetConfig(config(""))

	// Verbs.
	for _, args := range [][]string{
		{"config", "show", s.ConfigFile()}, {"config", "diff"}, {"config", "check", s.ConfigFile()}, {"config", "explain", "authorization.password"},
		{"status"}, {"status", "--json"}, {"reload"}, {"reload", "--check"}, {"top", "--once"}, {"health"},
	} {
		p.look(t, strings.Join(args, " "), runVerb(t, control, args...))
	}

	// Monitoring, as the user who may see it.
	for _, path := range []string{
		"/", "/varz", "/connz?subs=detail&auth=1&state=any", "/routez?subs=1", "/subsz?subs=1", "/accountz", "/accountz?acc=A",
		"/accstatz?unused=1", "/healthz", "/gatewayz", "/leafz", "/jsz?accounts=1&config=1", "/stacksz", "/ipqueuesz", "/raftz", "/debug/vars", "/metrics",
	} {
		p.look(t, path, getAs(t, fmt.Sprintf("http://127.0.0.1:%d%s", monitorPort, path), "watcher", p["monitor password"]))
	}

	// Requests in the system account, then everything that it was told.
	for _, subj := range []string{"STATSZ", "VARZ", "CONNZ", "SUBSZ", "ROUTEZ", "ACCOUNTZ", "HEALTHZ", "IDZ", "EXPVARZ", "IPQUEUESZ"} {
		body := `{"auth":true,"subscriptions_detail":true,"state":2,"subscriptions":true}`
		if m, err := sys.Request("$SYS.REQ.SERVER.PING."+subj, []byte(body), brokertest.Patience); err == nil {
			p.look(t, subj, string(m.Data))
		}
	}
	if err := sys.Flush(); err != nil {
		t.Fatal(err)
	}
	for n, _, _ := all.Pending(); n > 0; n-- {
		m, err := all.NextMsg(brokertest.Patience)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(m.Subject, "$SYS.REQ.USER.AUTH") {
			continue
		}
		fmt.Fprintf(&events, "%s %v %s\n", m.Subject, m.Header, m.Data)
	}
	if !strings.Contains(events.String(), "CLIENT.AUTH.ERR") {
		t.Error("no event about a refused connection: what is to be looked at?")
	}
	p.look(t, "events", events.String())
	for _, must := range []string{"<<- [CONNECT", "MSG_PAYLOAD", "SYSTEM - ", "[ERR]"} {
		if !strings.Contains(s.Logs(), must) {
			t.Errorf("the log has no %q: what is to be looked at?", must)
		}
	}
	p.look(t, "the log", s.Logs())
}

// approve is a callout service that lets everybody in but one.
func approve(t *testing.T, p planted, m *nats.Msg, issuer, curve nkeys.KeyPair) {
	key := m.Header.Get("Nats-Server-Xkey")
	data, err := curve.Open(m.Data, key)
	if err != nil {
		t.Error(err)
		return
	}
	q, err := jwt.DecodeAuthorizationRequestClaims(string(data))
	if err != nil {
		t.Error(err)
		return
	}
	u := jwt.NewUserClaims(q.UserNkey)
	u.Audience = "A"
	r := jwt.NewAuthorizationResponseClaims(q.UserNkey)
	r.Audience = q.Server.ID
	if q.ConnectOptions.Username == "delegated" {
		r.Jwt = must2(t)(u.Encode(issuer))
	} else {
		r.Error = "not you"
	}
	_ = m.Respond([]byte(must2(t)(r.Encode(issuer)))) // not encrypted: it would be seen in a trace
}

func signIn(t *testing.T, s *brokertest.Server, user, password string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.URL(), nats.UserInfo(user, password), nats.Timeout(brokertest.Patience))
	if err != nil {
		t.Fatal(user, err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// runVerb runs a verb of the command and returns all that it says.
func runVerb(t *testing.T, control string, args ...string) string {
	t.Helper()
	cmd := exec.Command(brokertest.Ours(t), args...)
	cmd.Env = append(os.Environ(), "NATS_BROKER_CONTROL_SOCKET="+control, "NO_COLOR=1")
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Errorf("%v: %v", args, err)
	}
	return string(out)
}

func getAs(t *testing.T, url, user, password string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(user, password)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode == http.StatusUnauthorized {
		t.Errorf("%s: %s", url, answer.Status)
	}
	return string(text)
}
