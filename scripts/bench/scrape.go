package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What reading the monitor does to the messages beside it, in shares: the
// latency's quantile while it is read divided by the same without.
const (
	disturbed50  metric = "p50-scraped"
	disturbed99  metric = "p99-scraped"
	disturbed999 metric = "p99.9-scraped"
)

// readings are what the readers of the monitor ask for, over and over: all
// connections with their subscriptions, the figures, the metrics, and what the
// dashboard polls. A server is asked for those of them that it has.
var readings = []string{
	"/connz?limit=100000&subs=1&auth=1", "/connz?sort=pending&limit=50", "/varz", "/subsz", "/metrics",
	"/ui/api/overview", "/ui/api/connections?sort=out_msgs&limit=50", "/ui/api/subjects?sort=rate&limit=50",
}

// readingPause is the time between two rounds of the reader: a hundred times
// as eager as Prometheus with its usual ten seconds.
const readingPause = 100 * time.Millisecond

// besideScraping measures the latencies of a 1:1 flow at a fixed rate, in turn
// with nobody and with somebody reading the monitor, while n more connections
// with a subscription each are open. Its cost is the processor time of one round
// of readings, without traffic.
func besideScraping(n int, perSecond float64) func(*run) (result, error) {
	return func(r *run) (result, error) {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		s, _, err := startServer(r.binary, "-m", strconv.Itoa(port))
		if err != nil {
			return nil, err
		}
		defer s.stop()
		conns := make([]*net.TCPConn, n/r.scale)
		defer func() {
			for _, c := range conns {
				if c != nil {
					c.Close()
				}
			}
		}()
		if err := openAll(s, conns, time.Now()); err != nil {
			return nil, err
		}
		for i, c := range conns {
			if _, err := fmt.Fprintf(c, "SUB bench.idle.%d.> 1\r\n", i); err != nil {
				return nil, err
			}
		}
		if _, err := s.settledMemory(); err != nil { // after the first PING to everyone, too
			return nil, err
		}
		w, err := newReader(fmt.Sprintf("http://127.0.0.1:%d", port), len(conns))
		if err != nil {
			return nil, err
		}
		res, err := w.costOfRound(s)
		if err != nil {
			return nil, err
		}
		f, err := newFlow(s, pair(128, false)(1))
		if err != nil {
			return nil, err
		}
		if err := w.disturb(f, perSecond, r.load, res); err != nil {
			f.close()
			return nil, err
		}
		return res, f.finish()
	}
}

// reader reads the monitor of one server.
type reader struct {
	base   string
	paths  []string // those the server has
	conns  int      // that /connz must list, at least
	client http.Client
}

func newReader(base string, conns int) (*reader, error) {
	w := &reader{base: base, conns: conns}
	for _, path := range readings {
		code, _, err := w.read(context.Background(), path)
		if err != nil {
			return nil, err
		}
		switch {
		case code == http.StatusOK:
			w.paths = append(w.paths, path)
		case !strings.HasPrefix(path, "/ui/") && path != "/metrics":
			return nil, fmt.Errorf("%s answers %d", path, code)
		}
	}
	_, size, err := w.read(context.Background(), readings[0])
	if err == nil && size < int64(conns)*100 {
		err = fmt.Errorf("%s: %d bytes cannot list %d connections", readings[0], size, conns)
	}
	return w, err
}

func (w *reader) read(ctx context.Context, path string) (code int, size int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+path, nil)
	if err != nil {
		return 0, 0, err
	}
	res, err := w.client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer res.Body.Close()
	size, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, size, err
}

// round reads everything once.
func (w *reader) round(ctx context.Context) error {
	for _, path := range w.paths {
		if code, _, err := w.read(ctx, path); err != nil || code != http.StatusOK {
			return fmt.Errorf("%s: %d, %w", path, code, err)
		}
	}
	return nil
}

// costOfRound measures the processor time a server needs to answer the
// readings that both servers have.
func (w *reader) costOfRound(s *server) (result, error) {
	const rounds = 3
	r := run{srv: s}
	used, _, err := r.costs(func() error {
		for range rounds {
			for _, path := range readings[:4] {
				if _, _, err := w.read(context.Background(), path); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return result{cpu: float64(used) / rounds}, nil
}

// disturb sends at a fixed rate with and without readings, in turn, and adds
// the latencies with readings, and their shares, to res.
func (w *reader) disturb(f *flow, perSecond float64, d time.Duration, res result) error {
	const turns = 4
	var calm, read []int64
	if _, err := f.paced(perSecond, d/4); err != nil {
		return err
	}
	for range turns {
		samples, err := f.paced(perSecond, d/2)
		if err != nil {
			return err
		}
		calm = append(calm, samples...)
		stop := w.start()
		samples, err = f.paced(perSecond, d/2)
		if failed := stop(); err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
		read = append(read, samples...)
	}
	slices.Sort(calm)
	slices.Sort(read)
	without := result{}
	without.latencies(calm)
	res.latencies(read)
	for share, m := range map[metric]metric{disturbed50: p50, disturbed99: p99, disturbed999: p999} {
		res[share] = res[m] / without[m]
	}
	return nil
}

// start reads until the function it returns is called, which waits for the end
// of the goroutine and returns what went wrong.
func (w *reader) start() (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { // ends by cancel
		for {
			if err := w.round(ctx); err != nil {
				if ctx.Err() != nil {
					err = nil
				}
				ended <- err
				return
			}
			select {
			case <-ctx.Done():
				ended <- nil
				return
			case <-time.After(readingPause):
			}
		}
	}()
	return func() error {
		cancel()
		return <-ended
	}
}

// scraped writes the table of what reading the monitor does.
func (r *report) scraped(b *strings.Builder) {
	if !slices.ContainsFunc(r.rows, func(w *row) bool { _, ok := w.side(disturbed99, 0); return ok }) {
		return
	}
	fmt.Fprintf(b, "\n## Beside readers of the monitor\n\nLatency while the monitor is read, divided by the same without: 1 is undisturbed. %s is asked for its metrics and its dashboard too.\n\n",
		r.sides[0].name)
	fmt.Fprintf(b, "| scenario | quantile | %s | %s | ratio |\n|---|---|---:|---:|---|\n", r.sides[0].name, r.sides[1].name)
	for _, w := range r.rows {
		for _, q := range []struct {
			name string
			m    metric
		}{{"p50", disturbed50}, {"p99", disturbed99}, {"p99.9", disturbed999}} {
			if _, ok := w.ratio(q.m); ok {
				fmt.Fprintf(b, "| %s | %s | %s |\n", w.scenario.about, q.name, w.cells(q.m, times))
			}
		}
	}
}

func times(v float64) string { return fmt.Sprintf("%.2f", v) }
