package daemon_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestOperatorConfigurations gives configurations of operator mode, right and wrong, to both servers: the same start, and
// what is refused is refused for the same reason.
func TestOperatorConfigurations(t *testing.T) {
	r := newRealm(t, nil)
	a := r.account("A", nil)
	unnamed := newRealm(t, func(c *jwt.OperatorClaims) { c.SystemAccount = "" })
	future := newRealm(t, func(c *jwt.OperatorClaims) { c.AssertServerVersion = "99.1.2" })
	present := newRealm(t, func(c *jwt.OperatorClaims) { c.AssertServerVersion = "2.15.3" })
	strict := newRealm(t, func(c *jwt.OperatorClaims) { c.StrictSigningKeyUsage = true })
	file := filepath.Join(t.TempDir(), "O.jwt")
	decorated, err := jwt.DecorateJWT(r.jwt)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, decorated, 0o600); err != nil {
		t.Fatal(err)
	}
	bearer := a.user("b", func(c *jwt.UserClaims) { c.BearerToken = true }).jwt
	plain := a.user("p", nil).jwt
	preload := func(list ...*realmAccount) string {
		text := "resolver_preload: {"
		for _, a := range list {
			text += fmt.Sprintf(" %s: %s\n", a.id, a.jwt)
		}
		return text + "}\n"
	}
	_, userKey := newKey(t, nkeys.CreateUser)
	dir := func() string { return filepath.Join(t.TempDir(), "jwt") }
	for _, c := range []struct{ name, conf, wrong string }{
		{"memory", r.memory(), ""},
		{"from a file", strings.Replace(r.memory(), r.jwt, "'"+file+"'", 1), ""},
		{"in a list", strings.Replace(r.memory(), "operator: "+r.jwt, "operators: ['"+file+"']", 1), ""},
		{"a block for memory", strings.Replace(r.memory(), "resolver: MEMORY", "resolver { type: mem }", 1), ""},
		{"trusted keys", fmt.Sprintf("trusted_keys: [%s]\nresolver: MEMORY\n", r.id), ""},
		{"full", r.resolved(dir(), "full", ""), ""},
		{"cache", r.resolved(dir(), "cache", ""), ""},
		{"pinned", r.memory() + "resolver_pinned_accounts: [" + a.id + "]", ""},
		{"sentinel", r.memory() + "default_sentinel: " + bearer, ""},
		{"system account of the operator", strings.Replace(r.memory(), "system_account", "# ", 1), ""},
		{"strict", strict.memory(), ""},
		{"version of now", present.memory(), ""},
		{"none without an operator", "resolver: MEMORY", ""},

		{"a file that is not there", "operator: /does/not/exist.jwt\nresolver: MEMORY", "error parsing operator JWT"},
		{"an account for an operator", "operator: " + a.jwt + "\nresolver: MEMORY", "error parsing operator JWT"},
		{"no resolver", fmt.Sprintf("operator: %s\nsystem_account: %s\n", r.jwt, r.sys.id), ""},
		{"a resolver of no kind", fmt.Sprintf("operator: %s\nresolver: SOMEWHERE\n", r.jwt), "error parsing account resolver, should be MEM or"},
		{"a directory of no kind", fmt.Sprintf("operator: %s\nresolver { type: half, dir: '%s' }\n", r.jwt, dir()), "error parsing account resolver, should be MEM or"},
		{"no directory", fmt.Sprintf("operator: %s\nresolver { type: full }\n", r.jwt), "dir has no value and needs to point to a directory"},
		{"a file for a directory", fmt.Sprintf("operator: %s\nresolver { type: full, dir: '%s' }\n", r.jwt, file), "dir needs to point to an accessible directory"},
		{"full with a ttl", r.resolved(dir(), "full", "ttl: \"1h\""), "FULL does not accept ttl"},
		{"cache with an interval", r.resolved(dir(), "cache", "interval: \"1h\""), "CACHE does not accept sync"},
		{"cache that deletes", r.resolved(dir(), "cache", "allow_delete: true"), "CACHE does not accept allow_delete"},
		{"cache that deletes hard", r.resolved(dir(), "cache", "hard_delete: false"), "CACHE does not accept hard_delete"},
		{"hard without delete", r.resolved(dir(), "full", "hard_delete: true"), "hard_delete has no effect without delete"},
		{"a wrong preload", fmt.Sprintf("operator: %s\nresolver: MEMORY\nresolver_preload: { %s: x }\n", r.jwt, a.id), "invalid account JWT"},
		{"a preload that is a user", fmt.Sprintf("operator: %s\nresolver: MEMORY\nresolver_preload: { %s: %s }\n", r.jwt, a.id, plain), "invalid account JWT"},
		{"a wrong trusted key", "trusted_keys: [" + a.id + "]\nresolver: MEMORY", "required to be a valid public operator nkey"},
		{"both", r.memory() + "trusted_keys: [" + r.id + "]", "conflicting options for 'TrustedKeys' and 'TrustedOperators'"},
		{"another system account", strings.Replace(r.memory(), "system_account: "+r.sys.id, "system_account: "+a.id, 1), "system_account in config and operator JWT must be identical"},
		{"a system account that is not there", fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver: MEMORY\n", r.jwt, r.sys.id), "system account"},
		{"a directory without a system account", fmt.Sprintf("operator: %s\nresolver { type: full, dir: '%s' }\n", unnamed.jwt, dir()), "the system account needs to be specified"},
		{"users", r.memory() + "authorization { users: [ {user: a, password: b} ] }", "operators do not allow users to be configured directly"},
		{"accounts", r.memory() + "accounts { B { users: [ {user: a, password: b} ] } }", "operators do not allow Accounts to be configured directly"},
		{"a user for nobody", r.memory() + "no_auth_user: a", ""},
		{"pinned that is no account", r.memory() + "resolver_pinned_accounts: [" + userKey + "]", "is not a valid public account nkey"},
		{"sentinel that is no bearer", r.memory() + "default_sentinel: " + plain, "default sentinel must be a bearer token"},
		{"sentinel that is no JWT", r.memory() + "default_sentinel: x", "default sentinel JWT not valid"},
		{"sentinel without an operator", "default_sentinel: " + bearer, "default sentinel requires operators and accounts"},
		{"version of the future", future.memory(), "expected major version 99 > server major version 2"},
		{"preload for a URL", fmt.Sprintf("operator: %s\nresolver: URL(\"http://127.0.0.1:1/\")\n%s", unnamed.jwt, preload(a)), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ours, refused := brokertest.Refuses(t, brokertest.Options{Config: c.conf})
			theirs, refuse := brokertest.Refuses(t, brokertest.Options{Binary: brokertest.NATSServer(t), Config: c.conf})
			if refused != refuse {
				t.Fatalf("nats-broker refuses: %v\n%s\nnats-server refuses: %v\n%s", refused, ours, refuse, theirs)
			}
			if c.wrong != "" && (!strings.Contains(ours, c.wrong) || !strings.Contains(theirs, c.wrong)) {
				t.Errorf("want %q\nnats-broker: %s\nnats-server: %s", c.wrong, ours, theirs)
			}
			for _, secret := range []string{r.jwt[20:], a.jwt[20:], plain[20:]} {
				if strings.Contains(ours, secret) {
					t.Errorf("a JWT is shown: %s", ours)
				}
			}
		})
	}
}
