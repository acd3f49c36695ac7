package daemon_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestOperatorTraces has messages traced by what JWTs say, and compares what is reported with nats-server.
func TestOperatorTraces(t *testing.T) {
	r := newRealm(t, nil)
	x := r.account("X", func(c *jwt.AccountClaims) {
		c.Trace = &jwt.MsgTrace{Destination: "trace", Sampling: 100}
		c.Exports = jwt.Exports{
			{Subject: "open", Type: jwt.Service, AllowTrace: true}, {Subject: "shut", Type: jwt.Service}, {Subject: "s.>", Type: jwt.Stream},
		}
	})
	y := r.account("Y", func(c *jwt.AccountClaims) {
		c.Imports = jwt.Imports{
			{Account: x.id, Subject: "open", Type: jwt.Service}, {Account: x.id, Subject: "shut", Type: jwt.Service},
			{Account: x.id, Subject: "s.open", Type: jwt.Stream, AllowTrace: true}, {Account: x.id, Subject: "s.shut", Type: jwt.Stream},
		}
	})
	both(t, func(t *testing.T, binary string) string {
		s := brokertest.Start(t, brokertest.Options{Binary: binary, Config: r.memory()})
		inX, inY := login(t, s, x.user("x", nil), nil), login(t, s, y.user("y", nil), nil)
		inX.Send("SUB open 1\r\nSUB shut 1\r\n")
		inX.Sync()
		inY.Send("SUB s.* 1\r\n")
		inY.Sync()
		var out strings.Builder
		ask := func(from *realmAccount, subject, field string) {
			c := login(t, s, from.user("reports", nil), nil)
			h := "NATS/1.0\r\n" + field + "\r\n\r\n"
			c.Send("SUB trace 1\r\n" + fmt.Sprintf("HPUB %s %d %d\r\n%s\r\n", subject, len(h), len(h), h))
			fmt.Fprintf(&out, "%s %s: %s\n", subject, field, tracedEvents(t, c.Next()))
		}
		for _, subject := range []string{"open", "shut"} {
			ask(y, subject, "Nats-Trace-Dest: trace")
		}
		for _, subject := range []string{"s.open", "s.shut"} {
			ask(x, subject, "Nats-Trace-Dest: trace")
			ask(x, subject, "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		}
		return strings.NewReplacer(x.id, "X", y.id, "Y").Replace(out.String())
	})
}

// tracedEvents are the events of the report in a frame, as far as they are the same each time.
func tracedEvents(t *testing.T, frame string) string {
	_, body, ok := strings.Cut(frame, "\r\n")
	var report struct{ Events []map[string]any }
	if !ok || json.Unmarshal([]byte(strings.TrimSuffix(body, "\r\n")), &report) != nil {
		t.Fatalf("no report: %q", frame)
	}
	var list []string
	for _, e := range report.Events {
		list = append(list, fmt.Sprintf("%v %v %v %v", e["type"], e["acc"], e["to"], e["sub"]))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
