package monitor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// socket is a bound listener with the HTTP server on it. Its TLS settings can
// change while it is open: a connection uses those in force when it is accepted.
type socket struct {
	net.Listener
	spec Listener
	tls  atomic.Pointer[tls.Config] // nil: plain
	http *http.Server
	done chan struct{} // closed when Serve has returned; nil until served
}

// bind opens the socket that spec names. Those of gone are closed if the change succeeds.
func bind(spec Listener, open func(string, ...net.Listener) (net.Listener, error), gone []*socket) (*socket, error) {
	ln := spec.Inherited
	if ln == nil {
		ln, spec.Open = spec.Open, nil
	}
	if ln == nil {
		var err error
		if spec.Network == "tcp" && open != nil {
			var own []net.Listener
			for _, s := range gone {
				own = append(own, s.Listener)
			}
			ln, err = open(spec.Address, own...)
		} else {
			ln, err = listen(spec)
		}
		if err != nil {
			return nil, fmt.Errorf("can't listen to the monitor port: %w", err)
		}
	}
	s := &socket{Listener: ln, spec: spec}
	s.tls.Store(spec.TLS)
	return s, nil
}

func listen(spec Listener) (net.Listener, error) {
	if spec.Network != "unix" {
		return net.Listen(spec.Network, spec.Address)
	}
	return ListenUnix(spec.Address, spec.Mode)
}

// ListenUnix listens on a path, in place of a socket that nobody listens on any more. Mode 0 stands for 0660.
func ListenUnix(path string, mode os.FileMode) (net.Listener, error) {
	if err := removeStaleSocket(path); err != nil {
		return nil, err
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if mode == 0 {
		mode = 0o660
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

// removeStaleSocket removes a socket file nobody listens on any more, as left
// behind by a crash. Anything else at the path is left alone.
func removeStaleSocket(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return fmt.Errorf("%s is in use", path)
	}
	return os.Remove(path)
}

// Accept wraps new connections in TLS when it is configured.
func (s *socket) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if cfg := s.tls.Load(); cfg != nil {
		return tls.Server(c, cfg), nil
	}
	return c, nil
}

// serve answers requests on the socket until stop. The goroutine it starts is
// owned by the socket and ends in stop.
func (s *socket) serve(h http.Handler, lg *logging.Logger) {
	s.http = &http.Server{
		Handler:           h,
		MaxHeaderBytes:    64 << 10,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          log.New(serverLog{lg}, "", 0),
	}
	s.done = make(chan struct{})
	lg.Info(fmt.Sprintf("Starting %s monitor on %s", s.spec.scheme(), s.display()))
	go func() {
		defer close(s.done)
		if err := s.http.Serve(s); err != nil && !errors.Is(err, http.ErrServerClosed) {
			lg.Event(logging.Error, logging.ListenerFailed, fmt.Sprintf("Monitor listener %s failed: %v", s.display(), err),
				logging.String(logging.FieldListener, s.display()), logging.Err(err))
		}
	}()
}

// display is the address to show: what was configured, with the real port.
func (s *socket) display() string {
	addr, ok := s.Addr().(*net.TCPAddr)
	if !ok {
		return s.Addr().String()
	}
	shown := s.spec.Display
	if shown == "" {
		shown = s.spec.Address
	}
	host, _, err := net.SplitHostPort(shown)
	if err != nil {
		return addr.String()
	}
	return net.JoinHostPort(host, fmt.Sprint(addr.Port))
}

// stop closes the socket and waits for requests under way until ctx ends.
func (s *socket) stop(ctx context.Context) {
	if s.http == nil {
		s.Listener.Close()
		return
	}
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	s.Listener.Close()
	<-s.done
}

// serverLog passes net/http's complaints to the log, one line each.
type serverLog struct{ lg *logging.Logger }

func (w serverLog) Write(p []byte) (int, error) {
	w.lg.Error("monitoring: " + strings.TrimSpace(string(p)))
	return len(p), nil
}
