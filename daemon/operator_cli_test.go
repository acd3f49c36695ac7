package daemon_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestOperatorCommandLine: the nats command line works with credentials files as they are, in an account and in the
// system account.
func TestOperatorCommandLine(t *testing.T) {
	cli := brokertest.NATSCLI(t)
	r := newRealm(t, nil)
	a := r.account("A", nil)
	s := brokertest.Start(t, brokertest.Options{Config: r.resolved(t.TempDir(), "full", "")})
	run := func(creds string, args ...string) string {
		t.Helper()
		cmd := exec.Command(cli, append([]string{"--server", s.URL(), "--creds", creds, "--timeout", "10s"}, args...)...)
		cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("nats %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	admin := r.sys.user("admin", nil).creds(t)
	if out := run(admin, "request", "--raw", "$SYS.REQ.CLAIMS.UPDATE", a.jwt); !strings.Contains(out, "jwt updated") {
		t.Errorf("push: %s", out)
	}
	if out := run(admin, "request", "--raw", "$SYS.REQ.ACCOUNT."+a.id+".CLAIMS.LOOKUP", ""); !strings.Contains(out, a.jwt) {
		t.Errorf("look-up: %s", out)
	}
	user := a.user("alice", nil)
	creds := user.creds(t)
	if out := run(creds, "pub", "hello", "world"); !strings.Contains(out, "Published 5 bytes") {
		t.Errorf("pub: %s", out)
	}
	if out := run(creds, "account", "info"); !strings.Contains(out, a.id) {
		t.Errorf("account info: %s", out)
	}
	if out := run(admin, "server", "ping"); !strings.Contains(out, "1 replies") && !strings.Contains(out, "rtt") {
		t.Errorf("server ping: %s", out)
	}
}
