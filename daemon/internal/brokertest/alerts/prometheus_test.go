package alerts

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// prometheus is a real one with the shipped rules, which looks at brokers every other second.
type prometheus struct {
	url, targets string
	mu           sync.Mutex
	watched      []string // addresses
}

func startPrometheus(t *testing.T) *prometheus {
	t.Helper()
	dir := t.TempDir()
	addr := fmt.Sprintf("127.0.0.1:%d", brokertest.FreePort(t))
	p := &prometheus{url: "http://" + addr, targets: filepath.Join(dir, "targets.json")}
	must(t, os.WriteFile(p.targets, []byte("[]"), 0o600))
	config := fmt.Sprintf("global: {scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs:\n"+
		"  - {job_name: nats-broker, file_sd_configs: [{files: [%q], refresh_interval: 1s}]}\n", rules(), p.targets)
	file := filepath.Join(dir, "prometheus.yml")
	must(t, os.WriteFile(file, []byte(config), 0o600))
	out, err := os.Create(filepath.Join(dir, "output"))
	must(t, err)
	cmd := exec.Command(tool(t, "prometheus"), "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)
	cmd.Stdout, cmd.Stderr = out, out
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		out.Close()
		if text, err := os.ReadFile(out.Name()); err == nil && t.Failed() {
			t.Logf("prometheus said:\n%s", text)
		}
	})
	p.wait(t, "it is ready", func() bool { return p.get("/-/ready", nil) == nil })
	return p
}

// get asks for something; into takes what is in "data".
func (p *prometheus) get(path string, into any) error {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(p.url + path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, res.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(&struct{ Data any }{into})
}

// wait looks until something is so.
func (p *prometheus) wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(100 * time.Millisecond) { // between looks: it tells nobody
		if time.Now().After(end) {
			t.Fatalf("%s: not in time", what)
		}
	}
}

// watch adds a broker to what is looked at, and waits until it has been, often enough to see a counter grow.
func (p *prometheus) watch(t *testing.T, broker string) {
	t.Helper()
	p.mu.Lock()
	p.watched = append(p.watched, strings.TrimPrefix(broker, "http://"))
	text, err := json.Marshal([]map[string][]string{{"targets": p.watched}})
	if err == nil {
		err = os.WriteFile(p.targets+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(p.targets+".new", p.targets)
	}
	p.mu.Unlock()
	must(t, err)
	query := fmt.Sprintf(`count_over_time(nats_broker_healthy{instance=%q}[5m]) >= 2`, strings.TrimPrefix(broker, "http://"))
	p.wait(t, "it is looked at", func() bool {
		var data struct{ Result []any }
		return p.get("/api/v1/query?query="+url.QueryEscape(query), &data) == nil && len(data.Result) == 1
	})
}

// firing lists the alerts of a broker that fire.
func (p *prometheus) firing(broker string) (list []string, err error) {
	var data struct {
		Alerts []struct {
			State  string
			Labels map[string]string
		}
	}
	err = p.get("/api/v1/alerts", &data)
	for _, a := range data.Alerts {
		if a.State == "firing" && a.Labels["instance"] == strings.TrimPrefix(broker, "http://") {
			list = append(list, a.Labels["alertname"])
		}
	}
	return list, err
}

// TestAlertsInPrometheus has a real Prometheus see the brokers of those scenes whose alerts fire without having to wait: each fires,
// and those of states end as well. An alert of what was counted ends when that is ten minutes ago, which TestAlerts plays.
func TestAlertsInPrometheus(t *testing.T) {
	played(t)
	p := startPrometheus(t)
	t.Run("scenes", func(t *testing.T) {
		for _, s := range scenes {
			if !s.live {
				continue
			}
			t.Run(s.alert, func(t *testing.T) {
				t.Parallel()
				r := &recorder{t: t, kinds: map[string]string{}}
				fires := func(want bool) func() bool {
					return func() bool {
						list, err := p.firing(r.url)
						return err == nil && slices.Contains(list, s.alert) == want
					}
				}
				r.look = func(phases int) {
					switch {
					case phases == 1:
						p.watch(t, r.url)
						if list, err := p.firing(r.url); err != nil || len(list) > 0 {
							t.Errorf("before: %q fires, %v", list, err)
						}
					case phases == 2:
						p.wait(t, "it fires", fires(true))
					case s.ends:
						p.wait(t, "it ends", fires(false))
					}
				}
				s.play(t, r)
			})
		}
	})
}
