package tracing_test

import (
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestDiffersOnPurpose asks both for what nats-broker-migrate(7) says of a traceparent.
func TestDiffersOnPurpose(t *testing.T) {
	page, err := os.ReadFile(brokertest.Root() + "/man/nats-broker-migrate.7")
	if err != nil || !strings.Contains(string(page), "nats-server traces none with flags above 7f") {
		t.Errorf("the manual does not say it: %v", err)
	}
	for _, theirs := range []bool{true, false} {
		s := brokertest.Start(t, brokertest.Options{Binary: binary(t, theirs), Config: "accounts { A { users [{user: a, password: p}], msg_trace: t } }\n"})
		nc, err := nats.Connect(s.URL(), nats.Timeout(brokertest.Patience), nats.UserInfo("a", "p"))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		reports, err := nc.SubscribeSync("t")
		if err != nil {
			t.Fatal(err)
		}
		// Both report the second, whose flags are some of those of the first.
		for _, m := range [][2]string{{"first", "ff"}, {"second", "01"}} {
			if err := nc.PublishMsg(&nats.Msg{Subject: m[0], Header: nats.Header{"traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-" + m[1]}}}); err != nil {
				t.Fatal(err)
			}
		}
		m, err := reports.NextMsg(brokertest.Patience)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(m.Data); strings.Contains(got, `"subj":"first"`) == theirs {
			t.Errorf("theirs: %v, the first report is %s", theirs, got)
		}
	}
}
