package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Listener is a place where clients connect.
type Listener struct {
	broker *Broker
	nl     net.Listener
	done   chan struct{}
	by     atomic.Pointer[passage] // nil: as the options say
}

// Listen opens a TCP address ("host:port"; port 0 for any) or, on network "unix", a
// path, and serves clients there.
func (b *Broker) Listen(network, address string) (*Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1} // PINGs tell who is gone, as with nats-server
	nl, err := lc.Listen(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	return b.Serve(nl)
}

// Serve serves clients of a listener that is open already, an inherited one for
// instance. The broker owns it from now on.
func (b *Broker) Serve(nl net.Listener) (*Listener, error) { return b.ServeBy(nl, nil) }

// ServeBy is Serve for connections that come by a door of its own; nil: by that which the
// options describe.
func (b *Broker) ServeBy(nl net.Listener, d *Door) (*Listener, error) {
	l := &Listener{broker: b, nl: nl, done: make(chan struct{})}
	l.SetDoor(d)
	b.mu.Lock()
	if b.state != running {
		b.mu.Unlock()
		_ = nl.Close()
		return nil, errStopped
	}
	b.listeners[l] = struct{}{}
	b.mu.Unlock()
	if tcp, ok := nl.Addr().(*net.TCPAddr); ok && d == nil && b.opts.Load().Port <= 0 {
		o := *b.opts.Load()
		o.Port = tcp.Port
		b.opts.Store(&o)
		b.refreshInfo()
	}
	b.work.Go(l.accept)
	return l, nil
}

// SetDoor has the connections that come from now on come by another door.
func (l *Listener) SetDoor(d *Door) {
	if d == nil {
		l.by.Store(nil)
		return
	}
	d.complete()
	l.by.Store(&passage{door: d})
}

// Addr returns the address the listener is bound to.
func (l *Listener) Addr() net.Addr { return l.nl.Addr() }

// Close stops listening and waits until no connection is accepted any more. Those
// that were accepted stay.
func (l *Listener) Close() {
	l.close()
	<-l.done
	l.broker.mu.Lock()
	delete(l.broker.listeners, l)
	l.broker.mu.Unlock()
}

func (l *Listener) close() { _ = l.nl.Close() }

// Pauses after a failure to accept.
const (
	minAcceptPause = 10 * time.Millisecond
	maxAcceptPause = time.Second
)

// accept accepts until the listener is closed.
func (l *Listener) accept() {
	defer close(l.done)
	pause := minAcceptPause
	for {
		nc, err := l.nl.Accept()
		if err == nil {
			pause = minAcceptPause
			by := l.by.Load()
			if by == nil {
				by = l.broker.front.Load()
			}
			l.broker.accept(newcomer{nc, by})
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		l.report(err, pause)
		select {
		case <-time.After(pause):
		case <-l.broker.stopping:
			return
		}
		pause = min(pause*2, maxAcceptPause)
	}
}

func (l *Listener) report(err error, pause time.Duration) {
	log := l.broker.log
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		log.Event(logging.Error, logging.FilesExhausted,
			fmt.Sprintf("Client Accept Error (%v), sleeping %dms", err, pause.Milliseconds()), logging.Err(err))
		return
	}
	log.Error(fmt.Sprintf("Client Accept Error: %v", err), logging.Err(err))
}
