package alerts

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// rules are the alert rules as they are shipped.
func rules() string {
	return filepath.Join(brokertest.Root(), "packaging", "prometheus", "nats-broker.rules.yml")
}

// tool is where a program of Prometheus is.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed (Debian: prometheus)", name)
	}
	t.Skipf("%s is not installed (Debian: prometheus)", name)
	return ""
}

// played skips a test that scripts/test --long makes, in a step of its own: with two dozen brokers, each of which is brought into
// trouble, it takes too long for every day.
func played(t *testing.T) {
	t.Helper()
	if os.Getenv("BROKERTEST_ALERTS") == "" {
		t.Skip("BROKERTEST_ALERTS=1 plays it")
	}
}

// TestAlerts has each alert fire and end at a real broker. What its metrics are before, meanwhile and afterwards is played to the
// shipped rules as Prometheus evaluates them, over as much time as they need: it fires meanwhile and at no other time, and
// nothing else does that is not named with it.
func TestAlerts(t *testing.T) {
	played(t)
	promtool := tool(t, "promtool")
	for _, s := range scenes {
		t.Run(s.alert, func(t *testing.T) {
			t.Parallel()
			r := &recorder{t: t, kinds: map[string]string{}}
			s.play(t, r)
			if len(r.phases) != 3 {
				t.Fatalf("%d phases are recorded", len(r.phases))
			}
			file := filepath.Join(t.TempDir(), "played.yml")
			must(t, os.WriteFile(file, []byte("rule_files: ["+rules()+"]\nevaluation_interval: 15s\ntests:\n"+r.played(&s)), 0o600))
			if out, err := exec.Command(promtool, "test", "rules", file).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// Each alert of the rules has a scene.
func TestEveryAlertHasAScene(t *testing.T) {
	text, err := os.ReadFile(rules())
	must(t, err)
	have := map[string]int{}
	for _, s := range scenes {
		have[s.alert]++
	}
	for _, m := range regexp.MustCompile(`(?m)^ +- alert: (\S+)$`).FindAllStringSubmatch(string(text), -1) {
		if have[m[1]] != 1 {
			t.Errorf("%s has %d scenes", m[1], have[m[1]])
		}
		delete(have, m[1])
	}
	for name := range have {
		t.Errorf("there is no alert %s", name)
	}
}
