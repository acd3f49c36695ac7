package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/control"
)

const latencyUsage = `Usage: nats-broker latency [options]

Sends messages through the client port, one after another, and measures how long
each takes to come back: a line a second, then a histogram. Where the broker
listens and how to get in is found out as by "nats-broker health". The time is
that of this client too: it is waked up for each message.

` + connectFlags + `    --for DURATION     measure for this long (default: 10s, at most 1h)
    --interval DURATION
                       send a message this often (default: 10ms; 0: each when
                       the one before is back)
    --size N           bytes of each message (default: 16, at least 16, at
                       most 64 MiB)
    --json             print the figures as JSON
` + commonFlags + `
Exit status: 0 every message came back, 1 one did not within --timeout, or the
broker cannot be reached, 2 wrong command line, 3 no broker is running.
`

// latencyFlags are what is measured.
type latencyFlags struct {
	length, interval time.Duration
	size             int
	asJSON           bool
}

// runLatency measures round trips.
func runLatency(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	t := newTalk("latency", latencyUsage, 5*time.Second, stderr)
	var via healthFlags
	via.define(t.fs)
	var f latencyFlags
	t.fs.DurationVar(&f.length, "for", 10*time.Second, "")
	t.fs.DurationVar(&f.interval, "interval", 10*time.Millisecond, "")
	t.fs.IntVar(&f.size, "size", latencyMark, "")
	t.fs.BoolVar(&f.asJSON, "json", false, "")
	if _, code, done := t.arguments(args, 0, stdout); done {
		return code
	}
	switch {
	case (via.cert == "") != (via.key == ""):
		return misused(stderr, "latency", errPair.Error())
	case f.length <= 0 || f.length > control.MaxLatency || f.interval < 0 || f.size < latencyMark || f.size > mostLatencySize:
		return misused(stderr, "latency", "--for is up to 1h, --interval not negative, --size at least 16 and at most 64 MiB")
	}
	target := &control.Health{Addrs: []string{via.server}}
	if via.server == "" {
		req, err := control.Ask(control.VerbLatency, control.Latency{For: f.length})
		if err != nil {
			fmt.Fprintf(stderr, "nats-broker latency: %v\n", err)
			return exitFail
		}
		resp, code, ok := t.ask(req, false)
		switch {
		case !ok:
			return code
		case !resp.OK:
			fmt.Fprintf(stderr, "nats-broker latency: %s\n", resp.Error)
			return exitFail
		}
		target = resp.Health
	}
	h, err := measureLatency(target, via, &f, t.timeout, stdout)
	if h.count > 0 && f.asJSON {
		printJSON(stdout, h.summary())
	} else if h.count > 0 {
		h.print(stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "nats-broker latency: %v\n", err)
		return exitFail
	}
	return exitOK
}

// latencyMark is how many bytes of a message are its number and a mark.
const latencyMark = 16

// mostLatencySize bounds what is taken for a message, in bytes; max_payload may be less.
const mostLatencySize = 64 << 20

// measureLatency sends and waits until the time is over; what was measured until then is returned with an error too.
func measureLatency(target *control.Health, via healthFlags, f *latencyFlags, timeout time.Duration, out io.Writer) (*latencies, error) {
	all := &latencies{}
	nc, subject, err := dial(target, via, timeout)
	if err != nil {
		return all, err
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync(subject)
	if err != nil {
		return all, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	payload := make([]byte, f.size)
	began := time.Now()
	second := &latencies{}
	for n := uint64(0); ctx.Err() == nil && time.Since(began) < f.length; n++ {
		sent := time.Now()
		binary.BigEndian.PutUint64(payload, n)
		binary.BigEndian.PutUint64(payload[8:], uint64(began.UnixNano()))
		if err := nc.Publish(subject, payload); err != nil {
			return all, err
		}
		if err := awaitMark(nc, sub, string(payload[:latencyMark]), timeout); err != nil {
			return all, fmt.Errorf("message %d did not come back: %w", n+1, err)
		}
		took := time.Since(sent)
		all.add(took)
		second.add(took)
		if due := time.Duration(all.lines+1) * time.Second; time.Since(began) >= due {
			all.lines = int(time.Since(began) / time.Second)
			all.seconds = append(all.seconds, second.figures())
			if !f.asJSON {
				fmt.Fprintf(out, "%4ds  %s\n", all.lines, second.line())
			}
			second = &latencies{}
		}
		select {
		case <-ctx.Done():
		case <-time.After(f.interval - took):
		}
	}
	return all, nil
}

// awaitMark waits for the message with a mark.
func awaitMark(nc *nats.Conn, sub *nats.Subscription, mark string, timeout time.Duration) error {
	for over := time.Now().Add(timeout); ; {
		left := time.Until(over)
		if left <= 0 {
			return errors.New("not in time")
		}
		m, err := sub.NextMsg(left)
		switch {
		case err != nil && nc.LastError() != nil:
			return nc.LastError()
		case err != nil:
			return err
		case len(m.Data) >= len(mark) && string(m.Data[:len(mark)]) == mark:
			return nil
		}
	}
}
