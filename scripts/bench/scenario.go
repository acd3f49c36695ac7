package main

import (
	"fmt"
	"time"
)

// metric names one measured quantity of a result.
type metric string

// The metrics. Of all but rate, less is better.
const (
	cpu     metric = "cpu"     // server processor time per unit, ns
	rate    metric = "rate"    // units a second
	p50     metric = "p50"     // latency, ns
	p99     metric = "p99"     // latency, ns
	p999    metric = "p99.9"   // latency, ns
	rss     metric = "rss"     // largest resident set, bytes
	perUnit metric = "perunit" // memory per connection or subscription, bytes
	wall    metric = "wall"    // time for the whole, ns
)

// result is what one run of a scenario on one server gave.
type result map[metric]float64

// scenario is one thing measured.
type scenario struct {
	name    string
	about   string             // for the table
	unit    string             // what is counted
	targets map[metric]float64 // largest ratio ours / theirs asked for
	run     func(r *run) (result, error)
}

// run is one run of a scenario on one server.
type run struct {
	srv    *server
	others []*server // further nodes of srv's cluster, measured with it
	binary string
	conf   string        // the server's configuration file, of those that have one
	load   time.Duration // how long to flood
	pace   time.Duration // how long to send at a fixed rate
	scale  int           // divides the number of connections and subscriptions; 1 in full runs
}

// costs runs work and returns the processor time the server used for it.
func (r *run) costs(work func() error) (int64, time.Duration, error) {
	before, err := r.cpu()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if err := work(); err != nil {
		return 0, 0, err
	}
	took := time.Since(began)
	after, err := r.cpu()
	return after - before, took, err
}

// cpu is the processor time that all servers have used so far.
func (r *run) cpu() (int64, error) {
	sum, err := r.srv.cpu()
	for _, s := range r.others {
		n, also := s.cpu()
		if also != nil {
			err = also
		}
		sum += n
	}
	return sum, err
}

// peak is the sum of the largest resident sets.
func (r *run) peak() (int64, error) {
	sum, err := r.srv.memory("VmHWM")
	for _, s := range r.others {
		n, also := s.memory("VmHWM")
		if also != nil {
			err = also
		}
		sum += n
	}
	return sum, err
}

// messages makes the run of a traffic pattern: a short flood to warm up, a
// flood that is measured, and messages at the given rate for the latencies.
func messages(perSecond float64, spec func(scale int) flowSpec) func(*run) (result, error) {
	return func(r *run) (result, error) {
		f, err := newFlow(r.srv, spec(r.scale))
		if err != nil {
			return nil, err
		}
		res, err := measure(r, f, perSecond)
		if err != nil {
			f.close()
			return nil, err
		}
		return res, f.finish()
	}
}

func measure(r *run, f *flow, perSecond float64) (result, error) {
	res, err := flooded(r, f)
	if err != nil {
		return nil, err
	}
	return res, observed(r, f, perSecond, res)
}

// flooded measures a flood, after a short one to warm up.
func flooded(r *run, f *flow) (result, error) {
	if err := f.flood(r.load / 6); err != nil {
		return nil, fmt.Errorf("warm-up: %w", err)
	}
	units := f.units()
	used, took, err := r.costs(func() error { return f.flood(r.load) })
	if err != nil {
		return nil, err
	}
	units = f.units() - units
	return result{cpu: float64(used) / float64(units), rate: float64(units) / took.Seconds()}, nil
}

// observed adds how much memory it took, and the latencies at a fixed rate.
func observed(r *run, f *flow, perSecond float64, res result) error {
	peak, err := r.peak()
	if err != nil {
		return err
	}
	res[rss] = float64(peak)
	if perSecond > 0 {
		samples, err := f.paced(perSecond, r.pace)
		if err != nil {
			return fmt.Errorf("at a fixed rate: %w", err)
		}
		res.latencies(samples)
	}
	return nil
}

// units counts deliveries, or publishes when nobody subscribes.
func (f *flow) units() uint64 {
	if f.fan > 0 {
		return f.sent.n.Load()
	}
	var n uint64
	for _, p := range f.pubs {
		n += p.seq
	}
	return n
}

// pacedOnly makes the run of a traffic pattern at a fixed rate only, of each publisher.
func pacedOnly(perSecond float64, spec func(scale int) flowSpec) func(*run) (result, error) {
	return func(r *run) (result, error) {
		f, err := newFlow(r.srv, spec(r.scale))
		if err != nil {
			return nil, err
		}
		res, err := measurePaced(r, f, perSecond)
		if err != nil {
			f.close()
			return nil, err
		}
		return res, f.finish()
	}
}

// leastPaced is how many messages each publisher of a paced run sends at least, after a
// first one to warm up: of connections that say little a moment would show beginnings only.
const leastPaced = 5

func measurePaced(r *run, f *flow, perSecond float64) (result, error) {
	if _, err := f.paced(perSecond, r.load/6); err != nil {
		return nil, err
	}
	var samples []int64
	load := max(r.load, time.Duration(leastPaced*float64(time.Second)/perSecond))
	used, took, err := r.costs(func() (err error) {
		samples, err = f.paced(perSecond, load)
		return err
	})
	if err != nil {
		return nil, err
	}
	res := result{cpu: float64(used) / float64(len(samples)), rate: float64(len(samples)) / took.Seconds()}
	res.latencies(samples)
	return res, nil
}

// latencies adds the quantiles of sorted samples.
func (res result) latencies(samples []int64) {
	if len(samples) == 0 {
		return
	}
	for m, q := range map[metric]float64{p50: 0.5, p99: 0.99, p999: 0.999} {
		res[m] = float64(samples[int(q*float64(len(samples)-1))])
	}
}
