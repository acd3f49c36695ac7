package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Streams are stored in files in a folder of the run's own. nats-broker acknowledges what is on the disk; nats-server's
// default is to sync every two minutes, and to acknowledge before.
const (
	benchStream = "BENCH"
	always      = ", sync_interval: always"
	kvStream    = "KV_bench"
	fileStream  = `{"name":"BENCH","subjects":["bench.s"],"retention":"limits","storage":"file","max_msgs":-1,"max_bytes":-1,"max_age":0,` +
		`"max_consumers":-1,"discard":"old","num_replicas":1,"duplicate_window":120000000000}`
	queueStream = `{"name":"BENCH","subjects":["bench.s"],"retention":"workqueue","storage":"file","max_msgs":-1,"max_bytes":-1,"max_age":0,` +
		`"max_consumers":-1,"discard":"old","num_replicas":1,"duplicate_window":120000000000}`
	memoryStream = `{"name":"BENCH","subjects":["bench.s"],"retention":"limits","storage":"memory","max_msgs":-1,"max_bytes":-1,"max_age":0,` +
		`"max_consumers":-1,"discard":"old","num_replicas":1,"duplicate_window":120000000000}`
	kvBucket = `{"name":"KV_bench","subjects":["$KV.bench.>"],"retention":"limits","storage":"file","max_msgs_per_subject":1,"max_msgs":-1,` +
		`"max_bytes":-1,"max_age":0,"max_consumers":-1,"discard":"new","num_replicas":1,"duplicate_window":120000000000,"allow_rollup_hdrs":true,` +
		`"deny_delete":true,"allow_direct":true}`
)

// storing makes a run on a server with JetStream; sync says how nats-server is to sync, if not as it does by itself.
func storing(stream, sync string, work func(*run) (result, error)) func(*run) (result, error) {
	conf := func(dir string) (string, error) {
		return fmt.Sprintf("jetstream { store_dir: %q%s }", dir, sync), nil
	}
	return configured(login{}, conf, func(r *run) (result, error) {
		name := benchStream
		if stream == kvBucket {
			name = kvStream
		}
		if err := api(r.srv, "STREAM.CREATE."+name, stream); err != nil {
			return nil, err
		}
		return work(r)
	})
}

// api asks something of JetStream and wants no error.
func api(s *server, subject, body string) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(c, "SUB %s1 1\r\nPUB $JS.API.%s %s1 %d\r\n%s\r\n", inbox, subject, inbox, len(body), body); err != nil {
		return err
	}
	var answer []byte
	err = eachFrame(c, func(_, body []byte) error {
		answer = bytes.Clone(body)
		return errAsked
	}, func(time.Time) error { return nil })
	if !errors.Is(err, errAsked) {
		return fmt.Errorf("%s: %w", subject, err)
	}
	if bytes.Contains(answer, []byte(`"error"`)) {
		return fmt.Errorf("%s is answered by %s", subject, answer)
	}
	return nil
}

// stored says whether an answer acknowledges a message.
func stored(answer []byte) error {
	if !bytes.HasPrefix(answer, []byte(`{"stream":`)) || !bytes.Contains(answer, []byte(`"seq":`)) {
		return fmt.Errorf("a publish is answered by %s", answer)
	}
	return nil
}

// payloadOf is a payload of some bytes.
func payloadOf(n int) string { return strings.Repeat("0123456789abcdef", n/16) }

// publishing measures publishes with acknowledgements: of each connection so many are in flight.
func publishing(connections, inFlight, size int) func(*run) (result, error) {
	return askedBy(connections, inFlight, asking{subjects: []string{"bench.s"}, payload: payloadOf(size), right: stored})
}

const kvKeys = 1000

func kvSubjects(prefix string) (list []string) {
	for i := range kvKeys {
		list = append(list, fmt.Sprintf("%s$KV.bench.key%04d", prefix, i))
	}
	return list
}

// putting measures puts into a bucket.
func putting(connections int) func(*run) (result, error) {
	return askedBy(connections, 1, asking{subjects: kvSubjects(""), payload: payloadOf(128), right: stored})
}

// getting measures gets of what is in a bucket.
func getting(connections int) func(*run) (result, error) {
	value := payloadOf(128)
	return func(r *run) (result, error) {
		if err := fill(r.srv, kvSubjects(""), value, kvKeys); err != nil {
			return nil, err
		}
		return askedBy(connections, 1, asking{subjects: kvSubjects("$JS.API.DIRECT.GET." + kvStream + "."), headers: true, right: func(b []byte) error {
			if string(b) != value {
				return fmt.Errorf("a get is answered by %q", b)
			}
			return nil
		}})(r)
	}
}

// askedBy measures some connections that ask, each with so many requests in flight.
func askedBy(connections, inFlight int, a asking) func(*run) (result, error) {
	return func(r *run) (result, error) {
		var all []*requester
		defer func() {
			for _, q := range all {
				q.conn.Close()
			}
		}()
		for i := range connections {
			a.number = i
			q, err := newAsker(r.srv, login{}, a)
			if err != nil {
				return nil, err
			}
			all = append(all, q)
		}
		if err := askAll(all, inFlight, r.load/6); err != nil {
			return nil, err
		}
		used, took, err := r.costs(func() error { return askAll(all, inFlight, r.load) })
		if err != nil {
			return nil, err
		}
		var samples []int64
		for _, q := range all {
			samples = append(samples, q.samples...)
		}
		peak, err := r.peak()
		if err != nil {
			return nil, err
		}
		n := float64(len(samples))
		res := result{cpu: float64(used) / n, rate: n / took.Seconds(), rss: float64(peak)}
		slices.Sort(samples)
		res.latencies(samples)
		return res, nil
	}
}

// askAll has all ask at once; what they measured before is forgotten.
func askAll(all []*requester, inFlight int, d time.Duration) error {
	var group sync.WaitGroup
	errs := make([]error, len(all))
	for i, q := range all {
		group.Go(func() {
			q.samples = q.samples[:0]
			errs[i] = q.ask(inFlight, d)
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// fill publishes n messages and waits until all are acknowledged.
func fill(s *server, subjects []string, payload string, n int) error {
	q, err := newAsker(s, login{}, asking{subjects: subjects, payload: payload, right: stored})
	if err != nil {
		return err
	}
	defer q.conn.Close()
	return q.askFor(n, min(n, 4000))
}
