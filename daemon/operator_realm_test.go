package daemon_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// realm is an operator with its accounts, as nsc keeps them.
type realm struct {
	t     *testing.T
	key   nkeys.KeyPair
	signs nkeys.KeyPair // its signing key
	id    string
	jwt   string
	sys   *realmAccount
	all   []*realmAccount
}

// realmAccount is an account of a realm. Its JWT is made anew by sign.
type realmAccount struct {
	realm  *realm
	key    nkeys.KeyPair
	id     string
	claims *jwt.AccountClaims
	jwt    string
}

// member is a user: what a credentials file holds.
type member struct {
	key nkeys.KeyPair
	jwt string
}

func must[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// newKey returns a key and its public half.
func newKey(t testing.TB, make func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
	t.Helper()
	kp, err := make()
	if err != nil {
		t.Fatal(err)
	}
	return kp, must2(t)(kp.PublicKey())
}

func must2(t testing.TB) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		return must(t, s, err)
	}
}

// newRealm makes an operator with a signing key and a system account.
func newRealm(t *testing.T, edit func(*jwt.OperatorClaims)) *realm {
	t.Helper()
	r := &realm{t: t}
	r.key, r.id = newKey(t, nkeys.CreateOperator)
	var signs string
	r.signs, signs = newKey(t, nkeys.CreateOperator)
	r.sys = r.account("SYS", func(c *jwt.AccountClaims) {
		c.Exports = jwt.Exports{
			{Name: "account-monitoring-services", Subject: "$SYS.REQ.ACCOUNT.*.*", Type: jwt.Service, AccountTokenPosition: 4},
			{Name: "account-monitoring-streams", Subject: "$SYS.ACCOUNT.*.>", Type: jwt.Stream, AccountTokenPosition: 3},
		}
	})
	c := jwt.NewOperatorClaims(r.id)
	c.Name, c.SystemAccount = "O", r.sys.id
	c.SigningKeys.Add(signs)
	if edit != nil {
		edit(c)
	}
	r.jwt = must2(t)(c.Encode(r.key))
	return r
}

// account adds an account, signed by the operator's signing key.
func (r *realm) account(name string, edit func(*jwt.AccountClaims)) *realmAccount {
	r.t.Helper()
	a := &realmAccount{realm: r}
	a.key, a.id = newKey(r.t, nkeys.CreateAccount)
	a.claims = jwt.NewAccountClaims(a.id)
	a.claims.Name = name
	if edit != nil {
		edit(a.claims)
	}
	r.all = append(r.all, a)
	a.sign()
	return a
}

// sign makes the JWT of the claims as they are.
func (a *realmAccount) sign() string {
	a.realm.t.Helper()
	a.jwt = must2(a.realm.t)(a.claims.Encode(a.realm.signs))
	return a.jwt
}

// user makes a user, signed by the account.
func (a *realmAccount) user(name string, edit func(*jwt.UserClaims)) *member {
	a.realm.t.Helper()
	return a.userBy(a.key, name, edit)
}

// userBy makes a user signed by some key of the account.
func (a *realmAccount) userBy(signer nkeys.KeyPair, name string, edit func(*jwt.UserClaims)) *member {
	t := a.realm.t
	t.Helper()
	key, id := newKey(t, nkeys.CreateUser)
	c := jwt.NewUserClaims(id)
	c.Name = name
	if signer != a.key {
		c.IssuerAccount = a.id
	}
	if edit != nil {
		edit(c)
	}
	return &member{key, must2(t)(c.Encode(signer))}
}

// creds writes the credentials file of a user.
func (m *member) creds(t testing.TB) string {
	t.Helper()
	seed, err := m.key.Seed()
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.FormatUserConfig(m.jwt, seed)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "user.creds")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// memory is a configuration with all accounts in memory, as `nsc generate config --mem-resolver` writes it.
func (r *realm) memory() string {
	var b strings.Builder
	fmt.Fprintf(&b, "operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: {\n", r.jwt, r.sys.id)
	for _, a := range r.all {
		fmt.Fprintf(&b, "  // Account %q\n  %s: %s\n\n", a.claims.Name, a.id, a.jwt)
	}
	b.WriteString("}\n")
	return b.String()
}

// resolved is a configuration with a directory, as `nsc generate config --nats-resolver` writes it.
func (r *realm) resolved(dir, kind, more string) string {
	extra := "allow_delete: false\n  interval: \"2m\"\n"
	if kind == "cache" {
		extra = "ttl: \"1h\"\n"
	}
	if more != "" {
		extra = more
	}
	return fmt.Sprintf(`operator: %s
system_account: %s
resolver {
  type: %s
  # Directory in which the account jwt will be stored
  dir: '%s'
  %s
  timeout: "1.9s"
}
resolver_preload: {
  %s: %s
}
`, r.jwt, r.sys.id, kind, dir, extra, r.sys.id, r.sys.jwt)
}

// login connects by the user's JWT and a signature of the nonce. more is added to CONNECT.
func login(t *testing.T, s *brokertest.Server, m *member, more map[string]any) *brokertest.Conn {
	t.Helper()
	c := s.Dial(t)
	line := c.Frame()
	var info struct {
		Nonce string `json:"nonce"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "INFO ")), &info); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	connect := map[string]any{"verbose": false, "pedantic": false, "lang": "test", "version": "1", "protocol": 1, "headers": true, "no_responders": true}
	if m != nil {
		connect["jwt"] = m.jwt
		if m.key != nil {
			sig, err := m.key.Sign([]byte(info.Nonce))
			if err != nil {
				t.Fatal(err)
			}
			connect["sig"] = base64.RawURLEncoding.EncodeToString(sig)
		}
	}
	for k, v := range more {
		connect[k] = v
	}
	text, err := json.Marshal(connect)
	if err != nil {
		t.Fatal(err)
	}
	c.Send("CONNECT " + string(text) + "\r\n")
	return c
}

// both runs a test with the broker and with the original.
func both(t *testing.T, f func(t *testing.T, binary string) string) {
	t.Helper()
	ours := f(t, brokertest.Ours(t))
	theirs := f(t, brokertest.NATSServer(t))
	if ours != theirs {
		t.Errorf("nats-broker (-) and nats-server (+) differ:\n%s", differences(ours, theirs))
	}
}

// in returns a moment relative to now, in seconds since 1970.
func in(d time.Duration) int64 { return time.Now().Add(d).Unix() }

// differences lists the lines in which two transcripts differ, under the heading they belong to.
func differences(a, b string) string {
	var out strings.Builder
	sections := func(s string) (names []string, text map[string]string) {
		text = map[string]string{}
		name := ""
		for line := range strings.Lines(s) {
			if !strings.HasPrefix(line, " ") {
				name = line
				names = append(names, name)
				continue
			}
			text[name] += line
		}
		return names, text
	}
	names, ours := sections(a)
	_, theirs := sections(b)
	for _, n := range names {
		if ours[n] != theirs[n] {
			fmt.Fprintf(&out, "%s-\n%s+\n%s", n, ours[n], theirs[n])
		}
	}
	return out.String()
}
