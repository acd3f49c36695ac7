package daemon_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// delegation is a realm whose account AUTH leaves its users to a service.
type delegation struct {
	*realm
	auth, app, other            *realmAccount
	authSigner, signer, scoped  nkeys.KeyPair // signing keys of AUTH, and of APP
	signerID, scopedID, curveID string
	stranger, curve             nkeys.KeyPair
	service, sentinel           *member
}

func newDelegation(t *testing.T, encrypted bool) *delegation {
	d := &delegation{realm: newRealm(t, nil)}
	var authSignerID string
	d.authSigner, authSignerID = newKey(t, nkeys.CreateAccount)
	d.signer, d.signerID = newKey(t, nkeys.CreateAccount)
	d.scoped, d.scopedID = newKey(t, nkeys.CreateAccount)
	d.stranger, _ = newKey(t, nkeys.CreateAccount)
	d.curve, d.curveID = newKey(t, nkeys.CreateCurveKeys)
	d.app = d.account("APP", func(c *jwt.AccountClaims) {
		c.SigningKeys.Add(d.signerID)
		s := jwt.NewUserScope()
		s.Key = d.scopedID
		s.Template.Pub.Allow.Add("scoped")
		c.SigningKeys.AddScopedSigner(s)
		c.DefaultPermissions.Pub.Deny.Add("default.denied")
	})
	d.other = d.account("OTHER", nil)
	d.auth = d.account("AUTH", func(c *jwt.AccountClaims) { c.SigningKeys.Add(authSignerID) })
	d.service = d.auth.user("service", nil)
	d.sentinel = d.auth.user("sentinel", func(c *jwt.UserClaims) { c.BearerToken = true; c.Pub.Deny.Add(">"); c.Sub.Deny.Add(">") })
	serviceKey := must2(t)(d.service.key.PublicKey())
	d.auth.claims.Authorization.AuthUsers.Add(serviceKey)
	d.auth.claims.Authorization.AllowedAccounts.Add(d.app.id)
	if encrypted {
		d.auth.claims.Authorization.XKey = d.curveID
	}
	d.auth.sign()
	return d
}

// answer is the service: it does what the name of the user asks for.
func (d *delegation) answer(t *testing.T, m *nats.Msg) {
	data, key := m.Data, m.Header.Get("Nats-Server-Xkey")
	if key != "" {
		var err error
		if data, err = d.curve.Open(data, key); err != nil {
			t.Error(err)
			return
		}
	}
	q, err := jwt.DecodeAuthorizationRequestClaims(string(data))
	if err != nil {
		t.Error(err)
		return
	}
	if q.Subject != d.auth.id || q.ConnectOptions.JWT != d.sentinel.jwt {
		t.Errorf("a request about %s with the JWT %q", q.Subject, q.ConnectOptions.JWT)
	}
	u := jwt.NewUserClaims(q.UserNkey)
	r := jwt.NewAuthorizationResponseClaims(q.UserNkey)
	r.Audience = q.Server.ID
	user, answer := d.app.key, d.auth.key
	switch q.ConnectOptions.Username {
	case "signing key":
		user, u.IssuerAccount = d.signer, d.app.id
	case "scoped":
		user, u.IssuerAccount = d.scoped, d.app.id
		u.SetScoped(true)
	case "scoped with rights":
		user, u.IssuerAccount = d.scoped, d.app.id
		u.Pub.Allow.Add("more")
	case "own account":
		user = d.auth.key
	case "own signing key":
		user, u.IssuerAccount = d.authSigner, d.auth.id
	case "another account":
		user = d.other.key
	case "unknown signer":
		user, u.IssuerAccount = d.stranger, d.app.id
	case "answer by signing key":
		answer, r.IssuerAccount = d.authSigner, d.auth.id
	case "answer by stranger":
		answer = d.stranger
	case "answer for another account":
		r.IssuerAccount = d.other.id
	case "denied":
		r.Error = "no"
	}
	if r.Error == "" {
		r.Jwt = must2(t)(u.Encode(user))
	}
	text := []byte(must2(t)(r.Encode(answer)))
	if key != "" {
		if text, err = d.curve.Seal(text, key); err != nil {
			t.Error(err)
			return
		}
	}
	_ = m.Respond(text)
}

// userKey is the key that a server makes for a request.
var userKey = regexp.MustCompile(`U[A-Z2-7]{55}`)

// TestOperatorCallout has a service decide for an account in operator mode: both servers let in the same users, with the
// same rights, and refuse the others with the same words.
func TestOperatorCallout(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		t.Run(fmt.Sprintf("encrypted %v", encrypted), func(t *testing.T) {
			d := newDelegation(t, encrypted)
			both(t, func(t *testing.T, binary string) string { return d.play(t, binary) })
		})
	}
}

func (d *delegation) play(t *testing.T, binary string) string {
	s := brokertest.Start(t, brokertest.Options{Binary: binary, Config: d.memory()})
	nc, err := nats.Connect(s.URL(), nats.UserCredentials(d.service.creds(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Subscribe("$SYS.REQ.USER.AUTH", func(m *nats.Msg) { d.answer(t, m) }); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := nc.Publish("$SYS.REQ.USER.AUTH", nil); err != nil { // the service must not ask itself
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil || nc.LastError() == nil {
		t.Errorf("the service may send requests: %v, %v", err, nc.LastError())
	}
	var b strings.Builder
	for _, name := range []string{
		"app", "signing key", "scoped", "scoped with rights", "own account", "own signing key", "another account", "unknown signer",
		"answer by signing key", "answer by stranger", "answer for another account", "denied",
	} {
		from := s.LogLen()
		c := login(t, s, d.sentinel, map[string]any{"user": name, "pass": "x"})
		for _, subj := range []string{"x", "scoped", "default.denied", "$SYS.REQ.USER.AUTH"} {
			c.Send("PUB " + subj + " 0\r\n\r\n")
		}
		fmt.Fprintf(&b, "%s:\n", name)
		refused := false
		for _, f := range c.Sync() {
			if !strings.HasPrefix(f, "INFO ") {
				fmt.Fprintf(&b, "  < %q\n", f)
			}
			refused = refused || strings.Contains(f, "Authorization Violation")
		}
		if refused {
			s.WaitLogFrom("[WRN]", from)
		}
		for line := range strings.Lines(s.Logs()[from:]) {
			if _, text, ok := strings.Cut(line, "[WRN] "); ok {
				fmt.Fprintf(&b, "  # %s", userKey.ReplaceAllString(text, "U…"))
			}
		}
	}
	return b.String()
}
