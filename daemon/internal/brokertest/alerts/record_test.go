// Package alerts makes each alert of the shipped rules fire and end by what happens to a real broker.
package alerts

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long anything is waited for: on a busy machine as long as it takes.
const patience = 3 * brokertest.Patience

// phase is what a broker's /metrics said once: before something happened, while it was so, or afterwards.
type phase struct {
	at     time.Time
	series map[string]float64 // by name and labels; empty: it did not answer
}

// recorder asks a broker for its metrics. A scene calls before, during and after, in this order.
type recorder struct {
	t      *testing.T
	url    string
	phases []phase
	kinds  map[string]string // by name: counter, gauge
	look   func(phases int)  // what else is to see each phase; may be nil
}

var sample = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (\S+)$`)

// scrape is one answer of /metrics.
func (r *recorder) scrape() (p phase, err error) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(r.url + "/metrics")
	if err != nil {
		return p, err
	}
	defer res.Body.Close()
	p = phase{at: time.Now(), series: map[string]float64{}}
	lines := bufio.NewScanner(io.LimitReader(res.Body, 64<<20))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 4 && f[1] == "TYPE" {
			r.kinds[f[2]] = f[3]
		}
		m := sample.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		v, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return p, err
		}
		p.series[m[1]+m[2]] = v
	}
	return p, lines.Err()
}

// value is that of the first series whose name and labels begin so, or 0.
func (p *phase) value(begin string) float64 {
	for _, name := range slices.Sorted(maps.Keys(p.series)) {
		if name == begin || strings.HasPrefix(name, begin+"{") || strings.Contains(begin, "{") && strings.HasPrefix(name, begin) {
			return p.series[name]
		}
	}
	return 0
}

// has reports whether there is a series of a name with a text among its labels.
func (p *phase) has(name, label string) bool {
	for full := range p.series {
		if strings.HasPrefix(full, name+"{") && strings.Contains(full, label) {
			return true
		}
	}
	return false
}

// until records the first answer that is as it should be.
func (r *recorder) until(what string, ok func(p *phase) bool) *phase {
	r.t.Helper()
	var p phase
	var err error
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) { // between looks: metrics tell nobody of changes
		if p, err = r.scrape(); err == nil && (ok == nil || ok(&p)) {
			break
		}
		if time.Now().After(end) {
			r.t.Fatalf("%s: not within %v, %v", what, patience, err)
		}
	}
	return r.add(p)
}

func (r *recorder) add(p phase) *phase {
	r.phases = append(r.phases, p)
	if r.look != nil {
		r.look(len(r.phases))
	}
	return &r.phases[len(r.phases)-1]
}

// silent records that the broker does not answer.
func (r *recorder) silent() {
	r.t.Helper()
	if _, err := r.scrape(); err == nil {
		r.t.Fatal("it answers")
	}
	r.add(phase{at: time.Now()})
}

func (r *recorder) before() *phase { r.t.Helper(); return r.until("before", nil) }

// is waits for a value of a series.
func is(name string, want float64) func(p *phase) bool {
	return func(p *phase) bool { return p.value(name) == want }
}

// above waits until a series has more than a value.
func above(name string, least float64) func(p *phase) bool {
	return func(p *phase) bool { return p.value(name) > least }
}

const interval = 15 * time.Second // between samples in played time

// steps is how many samples there are in a time.
func steps(d time.Duration) int { return int(d / interval) }

// played writes the recorded phases as a test of promtool: each lasts as long as its scene says. What was counted between
// the first phase and the second goes on in the second, as long as that lasts, each step as much. Points in time are
// moved, so that they are as far from their phase as they were.
func (r *recorder) played(s *scene) string {
	var b strings.Builder
	lasts := s.lengths()
	names := map[string]bool{}
	for _, p := range r.phases {
		for name := range p.series {
			names[name] = true
		}
	}
	fmt.Fprintf(&b, "  - interval: %v\n    input_series:\n", interval)
	series := func(name, values string) {
		fmt.Fprintf(&b, "      - {series: '%s', values: '%s'}\n", strings.ReplaceAll(name, "'", "''"), values)
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if text := r.values(name, s, lasts); text != "" {
			series(labelled(name), text)
		}
	}
	var up []string
	for i, p := range r.phases {
		up = append(up, flat(float64(min(len(p.series), 1)), steps(lasts[i])))
	}
	series(labelled("up"), strings.Join(up, " "))
	b.WriteString("    promql_expr_test:\n")
	start := time.Duration(0)
	for i, last := range lasts {
		at, want := start+last-interval, []string(nil)
		if i == 1 {
			want = append([]string{s.alert}, s.also...)
			if s.at > 0 {
				at = start + s.at
			}
		}
		start += last
		fmt.Fprintf(&b, "      - expr: count by (alertname) (ALERTS{alertstate=\"firing\", instance=\"a\"})\n        eval_time: %v\n        exp_samples:\n", at)
		for _, name := range want {
			fmt.Fprintf(&b, "          - {labels: '{alertname=\"%s\"}', value: %d}\n", name, max(1, s.times[name]))
		}
	}
	return b.String()
}

// values are those of a series over all phases, in the notation of promtool.
func (r *recorder) values(name string, s *scene, lasts []time.Duration) string {
	bare, _, _ := strings.Cut(name, "{")
	var parts []string
	start, extra := time.Duration(0), 0.0
	seen, real, shown := false, 0.0, 0.0 // of the last phase that had it
	for i, p := range r.phases {
		v, there := p.series[name]
		n := steps(lasts[i])
		grown := s.grows[bare]
		switch {
		case !there && seen:
			parts, seen = append(parts, "stale"+strings.Repeat(" _", n-1)), false
		case !there:
			parts = append(parts, fmt.Sprintf("_x%d", n))
		case strings.HasSuffix(bare, "_time_seconds"):
			if !seen || v != real {
				shown = v - float64(p.at.UnixNano())/1e9 + start.Seconds()
			}
			real, seen = v, true
			parts = append(parts, flat(shown, n))
		case r.kinds[bare] == "counter" && i == 1 && v > real && strings.HasPrefix(bare, "nats_broker_"):
			each := v - real
			parts = append(parts, fmt.Sprintf("%v+%vx%d", real+each, each, n-1))
			extra = each * float64(n-1)
			real, seen = v, true
		case grown > 0 && i == 1: // a gauge that is an age
			parts = append(parts, fmt.Sprintf("%v+%vx%d", v, grown*interval.Seconds(), n-1))
		case r.kinds[bare] == "counter":
			if seen && v < real { // of another process
				extra = 0
			}
			real, seen = v, true
			parts = append(parts, flat(v+extra, n))
		default:
			seen, real = true, v
			parts = append(parts, flat(v, n))
		}
		start += lasts[i]
	}
	return strings.Join(parts, " ")
}

func flat(v float64, n int) string { return fmt.Sprintf("%vx%d", v, n-1) }

// labelled is the name of a series with the labels that a server gives to what it collects.
func labelled(name string) string {
	const more = `instance="a", job="nats-broker"`
	if head, ok := strings.CutSuffix(name, "}"); ok {
		return head + ", " + more + "}"
	}
	return name + "{" + more + "}"
}
