package daemon_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestUpgradeOfOperatorUsers: connections of users that came as JWTs go on in the next process, with the rights they had;
// those of a user that has been revoked meanwhile, and of an account that is gone, do not.
func TestUpgradeOfOperatorUsers(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		r := newRealm(t, nil)
		upgradeOperator(t, r, r.memory)
	})
	t.Run("directory", func(t *testing.T) {
		r := newRealm(t, nil)
		dir := t.TempDir()
		upgradeOperator(t, r, func() string {
			old, err := filepath.Glob(filepath.Join(dir, "*.jwt"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range old {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
			for _, a := range r.all {
				if err := os.WriteFile(filepath.Join(dir, a.id+".jwt"), []byte(a.jwt), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			return r.resolved(dir, "full", "")
		})
	})
}

// upgradeOperator has a process take over that finds other accounts than the one before.
func upgradeOperator(t *testing.T, r *realm, config func() string) {
	a, gone := r.account("A", nil), r.account("GONE", nil)
	s, socket := controlled(t, config())
	t.Cleanup(func() { verb(t, socket, "stop") })
	limited := a.user("limited", func(c *jwt.UserClaims) { c.Pub.Allow.Add("ok.>") })
	revoked := a.user("revoked", nil)
	enter := func(m *member, subs string) *brokertest.Conn {
		c := login(t, s, m, nil)
		c.Send(subs)
		if got := c.Sync(); len(got) > 0 && got[len(got)-1] == brokertest.EOF {
			t.Fatalf("%q", got)
		}
		return c
	}
	keeps, out, lost := enter(limited, "SUB ok.> 1\r\n"), enter(revoked, "SUB ok.> 1\r\n"), enter(gone.user("u", nil), "SUB x 1\r\n")
	first := statusOf(t, socket)

	a.claims.Revoke(must2(t)(revoked.key.PublicKey()))
	a.sign()
	r.all = r.all[:len(r.all)-1]
	rewriting(t, s, socket).set(config())
	code, said := verb(t, socket, "upgrade")
	if code != 0 || !strings.Contains(said, "connections kept:") {
		t.Fatalf("upgrade exits %d: %s", code, said)
	}
	if now := statusOf(t, socket); now.PID == first.PID || now.ServerID != first.ServerID {
		t.Errorf("%+v after %+v", now, first)
	}

	for name, c := range map[string]*brokertest.Conn{"the revoked one": out, "the one of no account": lost} {
		if got := []string{c.Next(), c.Next()}; !slices.Equal(got, []string{"-ERR 'Authorization Violation'", brokertest.EOF}) {
			t.Errorf("%s is told %q", name, got)
		}
	}
	keeps.Send("PUB ok.go 2\r\nhi\r\nPUB not.ok 0\r\n\r\n")
	got := strings.Join(keeps.Sync(), "\n")
	for _, want := range []string{"MSG ok.go 1 2", `-ERR 'Permissions Violation for Publish to "not.ok"'`} {
		if strings.Count(got, want) != 1 {
			t.Errorf("want %q once:\n%s", want, got)
		}
	}
	enter(limited, "PUB ok.new 3\r\nnew\r\n")
	if got := strings.Join(keeps.Sync(), "\n"); !strings.Contains(got, "MSG ok.new 1 3") {
		t.Errorf("a new connection does not reach the old one: %q", got)
	}
}
