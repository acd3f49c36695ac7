package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// profiler serves the runtime's profiles over HTTP (--profile, prof_port).
type profiler struct {
	listener net.Listener
	server   *http.Server
	done     chan struct{}
}

// serveProfiles serves on a listener, which the profiler owns from then on.
func serveProfiles(l net.Listener, log *logging.Logger) *profiler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	p := &profiler{
		listener: l,
		server:   &http.Server{Handler: mux, ReadTimeout: 5 * time.Second, MaxHeaderBytes: 1 << 20},
		done:     make(chan struct{}),
	}
	if at, ok := l.Addr().(*net.TCPAddr); ok {
		log.Info(fmt.Sprintf("profiling port: %d", at.Port))
	}
	go func() { // ends when stop closes the server
		defer close(p.done)
		if err := p.server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Error("Profiler: "+err.Error(), logging.Err(err))
		}
	}()
	return p
}

// stop ends the server; a profile being taken gets a second to finish.
func (p *profiler) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if p.server.Shutdown(ctx) != nil {
		p.server.Close()
	}
	<-p.done
}
