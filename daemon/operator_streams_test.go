package daemon_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

var changing = regexp.MustCompile(`"(created|ts)":"[^"]*"`)

// What accounts may store is in their JWTs: by limits, by tiers, or nothing.
func TestOperatorStreams(t *testing.T) {
	r := newRealm(t, nil)
	kinds := map[string]func(*jwt.AccountClaims){
		"none": nil,
		"flat": func(c *jwt.AccountClaims) {
			c.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: 1000, DiskStorage: 5000, Streams: 2, Consumer: 3, MaxAckPending: 7, DiskMaxStreamBytes: 4000, MaxBytesRequired: true}
		},
		"unlimited": func(c *jwt.AccountClaims) {
			c.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1, MaxAckPending: -1}
		},
		"tiers": func(c *jwt.AccountClaims) {
			c.Limits.JetStreamTieredLimits = jwt.JetStreamTieredLimits{"R1": {DiskStorage: 1000, Streams: 1}, "R3": {DiskStorage: 2000}}
		},
		"three": func(c *jwt.AccountClaims) {
			c.Limits.JetStreamTieredLimits = jwt.JetStreamTieredLimits{"R3": {DiskStorage: 2000, Streams: 1}}
		},
	}
	users := map[string]*member{}
	for name, edit := range kinds {
		users[name] = r.account(name, edit).user("u", nil)
	}
	both(t, func(t *testing.T, binary string) string {
		s := brokertest.Start(t, brokertest.Options{Binary: binary, Config: fmt.Sprintf("server_name: s\n%sjetstream { store_dir: %q }\n", r.memory(), t.TempDir())})
		var said strings.Builder
		for _, name := range []string{"none", "flat", "unlimited", "tiers", "three"} {
			u := users[name]
			nc := connect(t, s.URL(), nats.UserJWT(func() (string, error) { return u.jwt, nil }, u.key.Sign))
			for _, ask := range [][2]string{
				{"INFO", ""}, {"STREAM.CREATE.S", `{"name":"S"}`}, {"STREAM.CREATE.S", `{"name":"S","max_bytes":900}`}, {"STREAM.CREATE.T", `{"name":"T","max_bytes":4500}`},
				{"STREAM.CREATE.T", `{"name":"T","max_bytes":4000}`}, {"STREAM.CREATE.U", `{"name":"U","max_bytes":10,"storage":"memory"}`}, {"STREAM.CREATE.V", `{"name":"V","max_bytes":10}`},
				{"INFO", ""}, {"STREAM.NAMES", ""},
			} {
				m, err := nc.Request("$JS.API."+ask[0], []byte(ask[1]), brokertest.Patience)
				if err != nil {
					t.Fatal(name, ask, err)
				}
				fmt.Fprintf(&said, "%s %s %s\n  %s\n", name, ask[0], ask[1], changing.ReplaceAll(m.Data, []byte(`"$1":"-"`)))
			}
		}
		return said.String()
	})
}
