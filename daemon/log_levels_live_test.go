package daemon_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// The subsystems that log_levels takes are those that log, and a check of files before a reload shows everything that
// differs although some of it needs a restart.
func TestLevelsAndDifferencesOfARunningBroker(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "control.sock")
	head := "listen: \"127.0.0.1:" + brokertest.PortMark + "\"\ncontrol_socket: \"" + socket + "\"\nconfig_watch: false\n" +
		"http: \"127.0.0.1:-1\"\n"
	s := brokertest.Start(t, brokertest.Options{Config: head + "max_payload: 1MB\n"})
	code, out := verb(t, socket, "log-level")
	var names []string
	for line := range strings.Lines(out) {
		names = append(names, strings.Fields(line)[0])
	}
	if code != 0 || !slices.Equal(names, config.Subsystems) {
		t.Errorf("log-level exits %d and names %q, log_levels takes %q", code, names, config.Subsystems)
	}

	s.SetConfig(head + "server_name: other\nmax_payload: 2MB\ncluster { listen: \"127.0.0.1:-1\" }\n")
	code, out = verb(t, socket, "config", "diff")
	for _, want := range []string{"-> other (needs a restart)", "max_payload: 1MB -> 2MB (live)", "cluster: (none) -> added (needs a restart)"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("config diff exits %d, no %q in:\n%s", code, want, out)
		}
	}
	if code, out = verb(t, socket, "reload", "--check"); code != 1 || !strings.Contains(out, "config reload not supported for server_name, cluster") {
		t.Errorf("reload --check exits %d: %s", code, out)
	}
	s.SetConfig(head + "max_payload: nonsense\n")
	if code, out = verb(t, socket, "config", "diff"); code != 2 || !strings.Contains(out, "nonsense") {
		t.Errorf("config diff of a bad file exits %d: %s", code, out)
	}
}
