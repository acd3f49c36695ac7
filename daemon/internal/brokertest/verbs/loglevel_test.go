package verbs

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// accounts has a user in the system account and one elsewhere.
const accounts = `
accounts { A { users [{user: a, password: a}] }, SYS { users [{user: s, password: s}] } }
system_account: SYS
`

// publish connects a user and publishes a mark.
func publish(t *testing.T, s *brokertest.Server, user, mark string) {
	t.Helper()
	c := s.Open(t, fmt.Sprintf(`{"verbose":false,"user":%q,"pass":%q}`, user, user))
	c.Send("PUB " + mark + " 2\r\nhi\r\n")
	c.Sync()
}

// Tracing is turned on and off in the running broker, for connections that exist
// already too.
func TestLogLevelOfTheRunningBroker(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control.sock")
	s := brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf("control_socket: %q\n", socket)})
	set := func(level string) string {
		t.Helper()
		code, out := verb(t, "log-level", "--socket", socket, level)
		if code != 0 {
			t.Fatalf("log-level %s: exit %d\n%s", level, code, out)
		}
		return out
	}
	c := s.Open(t, `{"verbose":false}`)
	send := func(mark string) {
		t.Helper()
		c.Send("PUB " + mark + " 2\r\nhi\r\n")
		c.Sync()
	}
	send("before")
	if out := set("*=trace"); !strings.Contains(out, "trace") {
		t.Errorf("log-level says\n%s", out)
	}
	send("during")
	s.WaitLog("<<- [PUB during 2]")
	set("*=default")
	send("after")
	set("*=trace")
	send("again")
	s.WaitLog("<<- [PUB again 2]")
	if log := s.Logs(); strings.Contains(log, "PUB before") || strings.Contains(log, "PUB after") {
		t.Errorf("traced outside of the time it was on:\n%s", log)
	}
	for _, wrong := range []string{"nosuch=trace", "broker=loud"} {
		if code, out := verb(t, "log-level", "--socket", socket, wrong); code == 0 {
			t.Errorf("log-level %s: exit %d\n%s", wrong, code, out)
		}
	}
}

// -VV shows what the broker itself says and is told, -V does not.
func TestTraceOfTheSystemAccount(t *testing.T) {
	for flag, system := range map[string]bool{"-V": false, "-VV": true} {
		s := brokertest.Start(t, brokertest.Options{Config: accounts, Args: []string{flag}})
		publish(t, s, "s", "$SYS.REQ.SERVER.PING reply") // which the broker takes and answers
		publish(t, s, "a", "of.a")
		s.WaitLog("<<- [PUB of.a 2]") // all lines of clients before it are there then
		if system {
			s.WaitLog("SYSTEM - ") // the answer may be given later
		}
		if got := strings.Contains(s.Logs(), "SYSTEM - "); got != system {
			t.Errorf("%s: the broker's own traffic is traced: %v, want %v\n%s", flag, got, system, s.Logs())
		}
	}
}
