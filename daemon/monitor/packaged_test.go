package monitor

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// knownSeries are the names a scrape may have: the table's and those of the
// libraries that describe the runtime and the process.
func knownSeries(name string) bool {
	if slices.ContainsFunc(metrics(), func(m metric) bool { return m.title() == name }) {
		return true
	}
	return slices.Contains([]string{"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds", "go_memstats_heap_inuse_bytes", "go_goroutines"}, name)
}

var seriesName = regexp.MustCompile(`\b(?:nats_broker|jetstream|process|go)_[a-z0-9_]+`)

func checkExpression(t *testing.T, where, expr string) {
	t.Helper()
	names := seriesName.FindAllString(expr, -1)
	for _, name := range names {
		if !knownSeries(name) {
			t.Errorf("%s: there is no metric %s", where, name)
		}
	}
	// What Grafana fills in, filled in, must be a query that Prometheus takes.
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		return
	}
	expr = strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(expr)
	if out, err := checkAsRule(t, promtool, expr); err != nil {
		t.Errorf("%s: %s\n%s", where, expr, out)
	}
}

// checkAsRule has promtool parse an expression as that of a recording rule.
func checkAsRule(t *testing.T, promtool, expr string) ([]byte, error) {
	t.Helper()
	rule, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "g", "rules": []any{map[string]any{"record": "r", "expr": expr}}}}})
	if err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/rules.yml"
	if err := os.WriteFile(file, rule, 0o600); err != nil {
		t.Fatal(err)
	}
	return exec.Command(promtool, "check", "rules", file).CombinedOutput()
}

// The Grafana dashboard must ask for metrics that exist, in queries that
// Prometheus understands.
func TestGrafanaDashboard(t *testing.T) {
	body, err := os.ReadFile("../../packaging/grafana/nats-broker.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(body, &board); err != nil {
		t.Fatal(err)
	}
	ids, asked := map[int]bool{}, 0
	for i, p := range board.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d (%q): number used twice, or no title", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, q := range board.Panels[:i] {
			a, b := p.GridPos, q.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("panels %q and %q overlap", p.Title, q.Title)
			}
		}
		for _, target := range p.Targets {
			asked++
			checkExpression(t, p.Title, target.Expr)
		}
	}
	if asked < 30 {
		t.Errorf("only %d queries found", asked)
	}
}

// The alert rules must be valid, fire when they should, and name metrics that
// exist.
func TestAlertRules(t *testing.T) {
	const dir = "../../packaging/prometheus"
	body, err := os.ReadFile(dir + "/nats-broker.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range seriesName.FindAllString(string(body), -1) {
		if !knownSeries(name) {
			t.Errorf("there is no metric %s", name)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: prometheus)")
	}
	for _, args := range [][]string{{"check", "rules", "nats-broker.rules.yml"}, {"test", "rules", "nats-broker.rules_test.yml"}, {"check", "config", "scrape.example.yml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %s", strings.Join(args, " "), out)
		}
	}
}
