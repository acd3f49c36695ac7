package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// watchdog feeds the manager's watchdog while the broker is alive, and only
// then: a message must make its way through the core, and a connection through
// the accept loop of a listener.
type watchdog struct {
	d      *Daemon
	cancel context.CancelFunc
	done   chan struct{}
}

// startWatchdog starts feeding if the unit has a watchdog. The goroutine ends
// with stop. A check that hangs leaves its goroutine behind: then the process
// is about to be killed.
func (d *Daemon) startWatchdog() *watchdog {
	period := d.System.Watchdog
	if period <= 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &watchdog{d: d, cancel: cancel, done: make(chan struct{})}
	d.log.Debug(fmt.Sprintf("Watchdog of %s is fed after a round trip through core and accept loop", period))
	go w.run(ctx, period)
	return w
}

func (w *watchdog) stop() {
	if w == nil {
		return
	}
	w.cancel()
	<-w.done
}

// run checks a little more than twice in each period, so that one slow check
// is not the end.
func (w *watchdog) run(ctx context.Context, period time.Duration) {
	defer close(w.done)
	tick := time.NewTicker(period * 2 / 5)
	defer tick.Stop()
	for {
		err := w.d.alive(ctx, period*2/5)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			w.d.log.Error("Watchdog: "+err.Error(), logging.Err(err))
		default:
			w.d.fed.Store(time.Now().UnixNano())
			w.d.warnOf("service manager", w.d.notify.Watchdog())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// alive reports whether the broker does its work, or what does not answer
// within the limit.
func (d *Daemon) alive(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	result := make(chan error, 1)
	step := make(chan string, 4)
	go func() { // ends with the check; hangs only if the core does
		step <- "the core"
		err := d.coreRoundTrip(ctx)
		if err == nil {
			step <- "the accept loop"
			err = d.acceptRoundTrip(ctx)
		}
		result <- err
	}()
	at := "the core"
	for {
		select {
		case at = <-step:
		case err := <-result:
			return err
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer within %s", at, limit)
		}
	}
}

// probeSubject is what the round trip is published on, in the system account.
const probeSubject = "$SYS._WATCHDOG"

// coreRoundTrip sends a message through the core: subscribe, publish, receive.
func (d *Daemon) coreRoundTrip(ctx context.Context) error {
	got := make(chan struct{}, 1)
	acc := d.broker.System()
	if acc == nil {
		acc = d.broker.Global()
	}
	sub, err := acc.SubscribeInternal(probeSubject, "", func(*broker.Message) {
		select {
		case got <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return fmt.Errorf("subscribing: %w", err)
	}
	defer sub.Unsubscribe()
	d.broker.NumClients() // the registry of clients must not be locked for ever either
	acc.Publish(probeSubject, "", nil, nil)
	select {
	case <-got:
		return nil
	case <-ctx.Done():
		return errors.New("a message published in the core was not delivered")
	}
}

// acceptRoundTrip connects to each client listener and waits for its accept
// loop. What only means that we cannot connect (no descriptors left, a sandbox
// without network) says nothing about the loop.
func (d *Daemon) acceptRoundTrip(ctx context.Context) error {
	if d.inState() != stateRunning {
		return nil
	}
	for _, c := range d.core.current() {
		if err := c.probe(ctx); err != nil && d.inState() == stateRunning && d.core.serves(c) {
			return err
		}
	}
	return nil
}

// probe connects from an address announced beforehand.
func (c *clientListener) probe(ctx context.Context) error {
	dialer, from, err := announcedDialer(c.addr())
	if err != nil {
		return nil
	}
	seen := c.probed.expect(from)
	defer c.probed.forget(from)
	conn, err := dialer.DialContext(ctx, c.addr().Network(), reachable(c.addr()))
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, syscall.ETIMEDOUT) {
			return fmt.Errorf("the listener on %s takes no connection", c.shown)
		}
		return nil
	}
	defer conn.Close()
	select {
	case <-seen:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the accept loop of %s does not answer", c.shown)
	}
}

// announcedDialer makes a dialer whose local address is known before it
// connects: a reserved loopback port, or an abstract unix name.
func announcedDialer(to net.Addr) (*net.Dialer, string, error) {
	if to.Network() == "unix" {
		name := fmt.Sprintf("@nats-broker-probe-%d-%d", os.Getpid(), time.Now().UnixNano())
		return &net.Dialer{LocalAddr: &net.UnixAddr{Name: name, Net: "unix"}}, name, nil
	}
	host, _, err := net.SplitHostPort(reachable(to))
	if err != nil {
		return nil, "", err
	}
	// Let the kernel choose a free port by binding to it for a moment.
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, "", err
	}
	from := l.Addr().(*net.TCPAddr)
	l.Close()
	return &net.Dialer{LocalAddr: from}, from.String(), nil
}

// serves reports whether a listener is still in service.
func (p *corePart) serves(c *clientListener) bool {
	for _, l := range p.current() {
		if l == c {
			return true
		}
	}
	return false
}
