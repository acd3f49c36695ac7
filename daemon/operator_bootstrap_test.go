package daemon_test

import (
	"fmt"
	"path/filepath"
	"testing"
)

// A resolver whose directory is empty, and no JWT in the configuration: both servers start, users of the system account
// come in, and push it and others.
func TestOperatorEmptyDirectory(t *testing.T) {
	for _, kind := range []string{"full", "cache"} {
		t.Run(kind, func(t *testing.T) {
			r := newRealm(t, nil)
			a, stranger := r.account("A", nil), r.account("S", nil)
			both(t, func(t *testing.T, binary string) string {
				extra := "allow_delete: false"
				if kind == "cache" {
					extra = "ttl: \"1h\""
				}
				config := fmt.Sprintf("operator: %s\nsystem_account: %s\nresolver { type: %s, dir: '%s', %s }\n",
					r.jwt, r.sys.id, kind, filepath.Join(t.TempDir(), "jwt"), extra)
				o := openOffice(t, r, binary, config)
				o.stays("a user of another account", login(t, o.s, a.user("u", nil), nil))
				if kind == "full" {
					o.push("push A", a, nil)
					o.stays("a user of A", login(t, o.s, a.user("u", nil), nil))
					o.stays("a user of S", login(t, o.s, stranger.user("u", nil), nil))
					o.push("push the system account", r.sys, nil)
					o.ask("list", "$SYS.REQ.CLAIMS.LIST", nil)
					o.s.WaitLog("System account fetched and updated")
				}
				o.stays("another administrator", login(t, o.s, r.sys.user("u", nil), nil))
				if kind == "cache" {
					o.s.WaitLog("Using bootstrapping system account")
				}
				return o.out.String()
			})
		})
	}
}
