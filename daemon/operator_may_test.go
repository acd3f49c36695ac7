package daemon_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestOperatorMay asks what users may whose rights are in JWTs: their own, those of a signing key's scope with templates,
// and those of an account's default.
func TestOperatorMay(t *testing.T) {
	r := newRealm(t, nil)
	role, roleID := newKey(t, nkeys.CreateAccount)
	x := r.account("X", func(c *jwt.AccountClaims) {
		s := jwt.NewUserScope()
		s.Key, s.Role = roleID, "role"
		s.Template.Pub.Allow.Add("own.{{name()}}.>", "team.{{tag(team)}}")
		s.Template.Pub.Deny.Add("own.*.secret")
		s.Template.Sub.Allow.Add("in.>", "jobs work")
		s.Template.Sub.Deny.Add("in.{{name()}}.private")
		c.SigningKeys.AddScopedSigner(s)
		c.DefaultPermissions.Pub.Allow.Add("given")
	})
	scoped := func(teams ...string) func(c *jwt.UserClaims) {
		return func(c *jwt.UserClaims) {
			c.SetScoped(true)
			for _, team := range teams {
				c.Tags.Add("team:" + team)
			}
		}
	}
	users := map[string]*member{
		"own":    x.user("own", func(c *jwt.UserClaims) { c.Pub.Allow.Add("a.*"); c.Pub.Deny.Add("a.x"); c.Sub.Deny.Add("s") }),
		"scoped": x.userBy(role, "scoped", scoped("red", "blue")), "default": x.user("default", nil), "away": x.user("away", nil),
	}
	socket := filepath.Join(t.TempDir(), "control.sock")
	s := brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf("control_socket: %q\n%s", socket, r.memory())})
	may := func(user string, args ...string) (int, string) {
		t.Helper()
		key, err := users[user].key.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		return verb(t, socket, append([]string{"may", key}, args...)...)
	}
	for _, user := range []string{"own", "scoped", "default"} {
		login(t, s, users[user], nil).Sync()
	}
	for _, c := range []struct {
		user, action, subject string
		code                  int
		says                  string
	}{
		{"own", "publish", "a.b", 0, `yes: publish allow has "a.*" (account X, connection `},
		{"own", "publish", "a.x", 1, `no: publish deny has "a.x"`},
		{"own", "publish", "b", 1, "no: "},
		{"own", "subscribe", "s", 1, `no: subscribe deny has "s"`},
		{"own", "subscribe", "anything", 0, "yes: "},
		{"own", "subscribe", ">", 0, "held back on s"},
		{"scoped", "publish", "own.scoped.a", 0, `yes: publish allow has "own.scoped.>"`},
		{"scoped", "publish", "own.other.a", 1, "no: "},
		{"scoped", "publish", "own.scoped.secret", 1, `no: publish deny has "own.*.secret"`},
		{"scoped", "publish", "team.red", 0, `yes: publish allow has "team.red"`},
		{"scoped", "publish", "team.blue", 0, `yes: publish allow has "team.blue"`},
		{"scoped", "publish", "team.green", 1, "no: "},
		{"scoped", "subscribe", "in.>", 0, "held back on in.scoped.private"},
		{"scoped", "subscribe", "in.scoped.private", 1, `no: subscribe deny has "in.scoped.private"`},
		{"scoped", "subscribe", "jobs", 1, "no: "},
		{"default", "publish", "given", 0, `yes: publish allow has "given"`},
		{"default", "publish", "taken", 1, "no: "},
		{"away", "publish", "given", 4, "none of that name is connected"},
	} {
		if code, out := may(c.user, c.action, c.subject); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%s %s %s: exit %d, want %d and %q\n%s", c.user, c.action, c.subject, code, c.code, c.says, out)
		}
	}
	if code, out := may("scoped", "subscribe", "jobs", "--queue", "work"); code != 0 || !strings.Contains(out, "yes: ") {
		t.Errorf("a queue group: exit %d\n%s", code, out)
	}

	// The same user with a JWT that gives less, beside the one before: both are told, and one that may not decides.
	claims, err := jwt.DecodeUserClaims(users["own"].jwt)
	if err != nil {
		t.Fatal(err)
	}
	claims.Pub.Deny.Add("a.b")
	less := &member{users["own"].key, must2(t)(claims.Encode(x.key))}
	login(t, s, less, nil).Sync()
	code, out := may("own", "publish", "a.b")
	if code != 1 || !strings.Contains(out, `yes: publish allow has "a.*"`) || !strings.Contains(out, `no: publish deny has "a.b"`) {
		t.Errorf("two JWTs: exit %d\n%s", code, out)
	}
	if code, out := may("own", "publish", "a.c"); code != 0 || strings.Count(out, "yes: ") != 2 {
		t.Errorf("two JWTs that both allow it: exit %d\n%s", code, out)
	}
}
