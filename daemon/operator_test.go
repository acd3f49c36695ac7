package daemon_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// logNote finds what the log says of a connection: its level and the text behind the connection's name.
var logNote = regexp.MustCompile(`\[(DBG|ERR|INF|WRN)\] 127\.0\.0\.1:\d+ - cid:\d+ - (?:"[^"]*" - )*(.*)`)

// ordinary are lines about every connection, whose texts hold what differs, or that nats-server writes twice.
var ordinary = regexp.MustCompile(`^(Client connection created|Client connection closed|Authenticated JWT|Client Ping Timer|Starting TLS|.*JetStream denied|maximum account active connections exceeded)`)

// notes returns what the log says of connections from some point on.
func notes(log string) []string {
	var list []string
	for _, m := range logNote.FindAllStringSubmatch(log, -1) {
		if !ordinary.MatchString(m[2]) {
			list = append(list, m[1]+" "+m[2])
		}
	}
	return list
}

// attempt is a user who connects, and what is done then.
type attempt struct {
	name  string
	who   *member
	more  map[string]any
	sends string
}

// play has users connect one after the other and records what each reads, and what the log says about it.
func play(t *testing.T, binary, config string, list []attempt) string {
	t.Helper()
	var b strings.Builder
	var s *brokertest.Server
	for i, a := range list {
		if i%10 == 0 { // an address that fails more often is answered later
			s = brokertest.Start(t, brokertest.Options{Binary: binary, Config: config, Args: []string{"-D"}})
		}
		from := s.LogLen()
		c := login(t, s, a.who, a.more)
		if a.sends != "" {
			c.Send(a.sends)
		}
		fmt.Fprintf(&b, "%s:\n", a.name)
		for _, f := range c.Sync() {
			if !strings.HasPrefix(f, "INFO ") {
				fmt.Fprintf(&b, "  < %q\n", f)
			}
		}
		c.Net().Close()
		s.WaitLogFrom("Client connection closed", from)
		for _, n := range slices.Compact(notes(s.Logs()[from:])) {
			fmt.Fprintf(&b, "  # %s\n", n)
		}
	}
	return b.String()
}

// TestOperatorLogins plays users of all kinds to both servers: the same are let in, with the same rights, and the others
// are refused with the same words to them and to the log.
func TestOperatorLogins(t *testing.T) {
	r := newRealm(t, nil)
	stranger := newRealm(t, nil)
	signer, signerID := newKey(t, nkeys.CreateAccount)
	role, roleID := newKey(t, nkeys.CreateAccount)
	tags, tagsID := newKey(t, nkeys.CreateAccount)
	bad, badID := newKey(t, nkeys.CreateAccount)
	_, foreign := newKey(t, nkeys.CreateAccount)
	scope := func(key string, edit func(*jwt.UserPermissionLimits)) *jwt.UserScope {
		s := jwt.NewUserScope()
		s.Key = key
		edit(&s.Template)
		return s
	}
	a := r.account("A", func(c *jwt.AccountClaims) {
		c.Tags.Add("region:eu")
		c.SigningKeys.Add(signerID)
		c.SigningKeys.AddScopedSigner(scope(roleID, func(p *jwt.UserPermissionLimits) {
			p.Pub.Allow.Add("user.{{name()}}.>", "id.{{ subject() }}", "acc.{{account-name()}}.{{account-subject()}}", "{{account-tag(region)}}.x", "{{tag(no)}}.y")
			p.Pub.Deny.Add("user.{{name()}}.secret")
			p.Sub.Allow.Add("in.{{Name()}}")
			p.Limits.Subs, p.Limits.Payload = 2, 8
		}))
		c.SigningKeys.AddScopedSigner(scope(tagsID, func(p *jwt.UserPermissionLimits) {
			p.Pub.Allow.Add("{{tag(dept)}}.{{tag(site)}}", "twice.{{tag(dept)}}.{{tag(dept)}}")
			p.Sub.Allow.Add("{{tag(none)}}.a")
			p.Resp = &jwt.ResponsePermission{MaxMsgs: 1, Expires: time.Minute}
		}))
		c.SigningKeys.AddScopedSigner(scope(badID, func(p *jwt.UserPermissionLimits) { p.Pub.Deny.Add("x.{{nonsense()}}") }))
		c.DefaultPermissions.Pub.Deny.Add("default.denied")
		c.Revoke(badID)
	})
	none := r.account("NONE", func(c *jwt.AccountClaims) { c.Limits.Conn = 0 })
	strict := r.account("STRICT", func(c *jwt.AccountClaims) { c.Limits.DisallowBearer = true; c.Limits.Payload = 4; c.Limits.Subs = 1 })
	expired := r.account("EXPIRED", func(c *jwt.AccountClaims) { c.Expires = in(-time.Hour) })
	revoking := r.account("REVOKING", nil)
	gone := revoking.user("gone", nil)
	revoking.claims.Revoke(must2(t)(gone.key.PublicKey()))
	revoking.sign()
	all := r.account("ALLREVOKED", func(c *jwt.AccountClaims) { c.RevokeAt(jwt.All, time.Now().Add(time.Hour)) })
	outside := stranger.account("X", nil)
	r2 := *r // accounts that the configuration does not list
	missing := (&r2).account("MISSING", nil)

	plain := a.user("plain", nil)
	bearer := func(c *jwt.UserClaims) { c.BearerToken = true }
	unsigned := func(m *member) *member { return &member{jwt: m.jwt} }
	other := &member{key: gone.key, jwt: plain.jwt}
	pubs := func(subjects ...string) string {
		text := ""
		for _, s := range subjects {
			text += "PUB " + s + " 0\r\n\r\n"
		}
		return text
	}
	withTags := func(tags ...string) func(*jwt.UserClaims) {
		return func(c *jwt.UserClaims) { c.SetScoped(true); c.Tags.Add(tags...) }
	}
	scoped := func(c *jwt.UserClaims) { c.SetScoped(true) }
	times := func(from, to time.Duration) func(*jwt.UserClaims) {
		return func(c *jwt.UserClaims) {
			now := time.Now().UTC()
			c.Locale = "UTC"
			c.Times = []jwt.TimeRange{{Start: now.Add(from).Format("15:04:05"), End: now.Add(to).Format("15:04:05")}}
		}
	}
	roleUser := a.userBy(role, "alice", scoped)
	roleID2 := must2(t)(roleUser.key.PublicKey())

	list := []attempt{
		{name: "plain", who: plain, sends: "SUB x 1\r\nPUB x 2\r\nhi\r\n" + pubs("default.denied")},
		{name: "nothing said", who: nil},
		{name: "user and password", who: nil, more: map[string]any{"user": "a", "pass": "b"}},
		{name: "not a JWT", who: &member{jwt: "nonsense"}},
		{name: "an account's JWT", who: &member{key: plain.key, jwt: a.jwt}},
		{name: "no signature", who: unsigned(plain)},
		{name: "signed by another key", who: other},
		{name: "garbage for a signature", who: unsigned(plain), more: map[string]any{"sig": "%%%"}},
		{name: "bearer, unsigned", who: unsigned(a.user("b", bearer)), sends: pubs("x")},
		{name: "bearer where there are to be none", who: unsigned(strict.user("b", bearer))},
		{name: "payload of the account", who: strict.user("s", nil), sends: "PUB x 4\r\nabcd\r\nPUB x 5\r\nabcde\r\n"},
		{name: "subscriptions of the account", who: strict.user("s", nil), sends: "SUB a 1\r\nSUB b 2\r\nPING\r\n"},
		{name: "payload of the user", who: a.user("p", func(c *jwt.UserClaims) { c.Limits.Payload = 2 }), sends: "PUB x 3\r\nabc\r\n"},
		{name: "subscriptions of the user", who: a.user("p", func(c *jwt.UserClaims) { c.Limits.Subs = 1 }), sends: "SUB a 1\r\nSUB b 2\r\n"},
		{name: "no connections at all", who: none.user("n", nil)},
		{name: "expired user", who: a.user("e", func(c *jwt.UserClaims) { c.Expires = in(-time.Minute) })},
		{name: "not yet", who: a.user("e", func(c *jwt.UserClaims) { c.NotBefore = in(time.Hour) })},
		{name: "expired account", who: expired.user("e", nil)},
		{name: "unknown account", who: missing.user("m", nil)},
		{name: "account of another operator", who: outside.user("o", nil)},
		{name: "revoked", who: gone},
		{name: "revoked all", who: all.user("r", nil)},
		{name: "not revoked", who: revoking.user("stays", nil)},
		{name: "signing key", who: a.userBy(signer, "s", nil), sends: pubs("x")},
		{name: "signing key of nobody", who: a.userBy(stranger.sys.key, "s", nil)},
		{name: "signing key without the account", who: a.userBy(signer, "s", func(c *jwt.UserClaims) { c.IssuerAccount = "" })},
		{name: "issuer account that is another", who: a.userBy(signer, "s", func(c *jwt.UserClaims) { c.IssuerAccount = strict.id })},
		{name: "issuer account that is none", who: a.userBy(signer, "s", func(c *jwt.UserClaims) { c.IssuerAccount = foreign })},
		{name: "role", who: roleUser, sends: pubs("user.alice.x", "user.bob.x", "user.alice.secret", "id."+roleID2, "id.x",
			"acc.A."+a.id, "acc.B."+a.id, "eu.x", "us.x", "z.y") + "SUB in.alice 1\r\nSUB in.bob 2\r\nSUB in.alice 3\r\nSUB in.alice 4\r\n"},
		{name: "role, payload", who: roleUser, sends: "PUB user.alice.x 9\r\n123456789\r\n"},
		{name: "role with rights of its own", who: a.userBy(role, "eve", nil)},
		{name: "role, a name with a dot", who: a.userBy(role, "a.b", scoped), sends: pubs("user.a.b.x")},
		{name: "role, a name with a blank", who: a.userBy(role, "a b", scoped)},
		{name: "tags", who: a.userBy(tags, "t", withTags("dept:hr", "dept:it", "site:rome")),
			sends: pubs("hr.rome", "it.rome", "hr.paris", "twice.hr.hr", "twice.hr.it") + "SUB x.a 1\r\n"},
		{name: "tags missing", who: a.userBy(tags, "t", scoped), sends: pubs("hr.rome", "x") + "SUB a 1\r\n"},
		{name: "template that makes no sense", who: a.userBy(bad, "t", scoped)},
		{name: "websocket only", who: a.user("w", func(c *jwt.UserClaims) { c.AllowedConnectionTypes.Add("WEBSOCKET") })},
		{name: "standard", who: a.user("w", func(c *jwt.UserClaims) { c.AllowedConnectionTypes.Add("standard", "MQTT") })},
		{name: "known and unknown types", who: a.user("w", func(c *jwt.UserClaims) { c.AllowedConnectionTypes.Add("CARRIER", "STANDARD") })},
		{name: "from elsewhere", who: a.user("s", func(c *jwt.UserClaims) { c.Src.Add("10.0.0.0/8") })},
		{name: "from here", who: a.user("s", func(c *jwt.UserClaims) { c.Src.Add("10.0.0.0/8", "127.0.0.0/8") })},
		{name: "at this time", who: a.user("t", times(-time.Hour, time.Hour))},
		{name: "at another time", who: a.user("t", times(2*time.Hour, 3*time.Hour))},
		{name: "permissions", who: a.user("p", func(c *jwt.UserClaims) {
			c.Pub.Allow.Add("a.>")
			c.Pub.Deny.Add("a.b")
			c.Sub.Allow.Add("c q", "d")
			c.Sub.Deny.Add("d.x")
		}), sends: pubs("a.x", "a.b", "b", "default.denied") + "SUB c 1\r\nSUB c q 2\r\nSUB d 3\r\nSUB d.x 4\r\n"},
		{name: "answers", who: a.user("p", func(c *jwt.UserClaims) { c.Resp = &jwt.ResponsePermission{MaxMsgs: 1} }),
			sends: pubs("a.x") + "SUB a 1\r\n"},
		{name: "account in CONNECT", who: plain, more: map[string]any{"account": "x"}},
		{name: "system account", who: r.sys.user("sys", nil), sends: pubs("x")},
	}
	both(t, func(t *testing.T, binary string) string { return play(t, binary, r.memory(), list) })
}

// TestOperatorSecrets: neither JWTs nor signatures nor seeds are in a log that holds everything, whether users get in or
// not, and not in what monitoring says.
func TestOperatorSecrets(t *testing.T) {
	r := newRealm(t, nil)
	a := r.account("A", nil)
	port := brokertest.FreePort(t)
	o := &office{t: t, r: r, s: brokertest.Start(t, brokertest.Options{
		Config: r.resolved(t.TempDir(), "full", ""), Args: []string{"-DVV", "-m", fmt.Sprint(port)},
	})}
	admin := r.sys.user("push", nil)
	creds := admin.creds(t)
	nc, err := nats.Connect(o.s.URL(), nats.UserCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	o.nc = nc
	good, bad := a.user("good", nil), a.user("bad", func(c *jwt.UserClaims) { c.Expires = in(-time.Hour) })
	o.ask("push", "$SYS.REQ.CLAIMS.UPDATE", []byte(a.jwt))
	secrets := []string{good.jwt, bad.jwt, admin.jwt}
	for _, m := range []*member{good, bad} {
		login(t, o.s, m, nil).Sync()
		seed, err := m.key.Seed()
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, string(seed))
	}
	login(t, o.s, &member{jwt: good.jwt}, map[string]any{"sig": "cGxhbnRlZCBzaWduYXR1cmU"}).Sync()
	secrets = append(secrets, "cGxhbnRlZCBzaWduYXR1cmU")
	said := o.s.Logs()
	for _, page := range []string{"varz", "connz", "accountz", "healthz"} {
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/%s", port, page))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		said += string(body)
	}
	if !strings.Contains(said, "CONNECT {") {
		t.Error("the log does not hold everything")
	}
	for _, s := range secrets {
		if strings.Contains(said, s) {
			t.Errorf("%.30q… is shown", s)
		}
	}
}

// TestOperatorSentinel: who presents no JWT is taken for the sentinel, if there is one; and users of accounts that are not
// pinned are refused.
func TestOperatorSentinel(t *testing.T) {
	r := newRealm(t, nil)
	a, b := r.account("A", nil), r.account("B", nil)
	sentinel := a.user("sentinel", func(c *jwt.UserClaims) {
		c.BearerToken = true
		c.Pub.Allow.Add("s")
	})
	list := []attempt{
		{name: "nobody", sends: "PUB s 0\r\n\r\nPUB t 0\r\n\r\n"},
		{name: "garbage", who: &member{jwt: "x"}, sends: "PUB s 0\r\n\r\nPUB t 0\r\n\r\n"},
		{name: "a name", more: map[string]any{"user": "u", "pass": "p"}, sends: "PUB t 0\r\n\r\n"},
		{name: "somebody", who: a.user("u", nil), sends: "PUB t 0\r\n\r\n"},
		{name: "unsigned", who: &member{jwt: a.user("u", nil).jwt}},
		{name: "not pinned", who: b.user("u", nil)},
		{name: "system", who: r.sys.user("u", nil)},
	}
	config := r.memory() + "default_sentinel: " + sentinel.jwt + "\nresolver_pinned_accounts: [" + a.id + "]\n"
	both(t, func(t *testing.T, binary string) string { return play(t, binary, config, list) })
}
