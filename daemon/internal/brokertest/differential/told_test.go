package differential

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"encoding/json"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestToldThroughImports asks a service through one import and through two, with and without share on each, on both
// servers: the service is told the same of who asks and for whom.
func TestToldThroughImports(t *testing.T) {
	told := map[string]string{}
	for name, bin := range map[string]string{"nats-server": brokertest.NATSServer(t), "nats-broker": brokertest.Ours(t)} {
		var all []string
		for _, share := range []string{"false false", "false true", "true false", "true true"} {
			var first, second string
			if _, err := fmt.Sscan(share, &first, &second); err != nil {
				t.Fatal(err)
			}
			s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: `server_name: here
cluster { name: there, listen: "127.0.0.1:-1" }
accounts {
  S { users: [ {user: s, password: s} ], exports: [ {service: svc} ] }
  M { users: [ {user: m, password: m} ], exports: [ {service: mid} ], imports: [ {service: {account: S, subject: svc}, to: mid, share: ` + second + `} ] }
  C { users: [ {user: c, password: c} ], imports: [ {service: {account: M, subject: mid}, to: far, share: ` + first + `}, {service: {account: S, subject: svc}, to: near, share: ` + first + `} ] }
}`})
			for _, to := range []string{"near", "far"} {
				all = append(all, fmt.Sprintf("%s, %s: %s", share, to, tellingOf(t, s, to)))
			}
		}
		told[name] = strings.Join(all, "\n")
	}
	if a, b := told["nats-server"], told["nats-broker"]; a != b {
		t.Errorf("- nats-server, + nats-broker\n%s", difference(a, b))
	}
}

// tellingOf asks on a subject and returns what the service is told: the names of the fields, with those values that are
// the same on every server.
func tellingOf(t *testing.T, s *brokertest.Server, subject string) string {
	t.Helper()
	connect := func(user string) *nats.Conn {
		nc, err := nats.Connect(s.URL(), nats.Timeout(brokertest.Patience), nats.UserInfo(user, user), nats.Name("name of "+user))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	service, client := connect("s"), connect("c")
	sub, err := service.Subscribe("svc", func(m *nats.Msg) { _ = m.Respond([]byte(m.Header.Get("Nats-Request-Info"))) })
	if err != nil {
		t.Fatal(err)
	}
	if err := service.FlushTimeout(brokertest.Patience); err != nil {
		t.Fatal(err)
	}
	m, err := client.Request(subject, nil, brokertest.Patience)
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(m.Data, &fields); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		switch k {
		case "start", "id", "rtt":
			list = append(list, k)
		default:
			list = append(list, fmt.Sprintf("%s=%v", k, fields[k]))
		}
	}
	return strings.Join(list, " ")
}
