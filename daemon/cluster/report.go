package cluster

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/peer"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// reasonOf says why a connection ended that ended with err.
func reasonOf(err error) string {
	var ref *refusal
	if errors.As(err, &ref) {
		return ref.reason
	}
	return peer.ReasonOf(err)
}

// report logs and counts the end of a connection.
func (h *Hub) report(r *Route, why error, registered bool) {
	reason := reasonOf(why)
	var ref *refusal
	cause, refused := reason, false
	if errors.As(why, &ref) {
		refused = !registered && reason != duplicateRoute && reason != peer.ReasonShutdown
		if ref.log != "" {
			cause = ref.log
		}
	}
	fields := []logging.Field{logging.String(logging.FieldRemote, r.remote.String()), logging.String(logging.FieldReason, cause)}
	line := r.label + " - Router connection closed: " + reason
	if registered {
		fields = append(fields, logging.String(logging.FieldRoute, r.info.ServerName))
	}
	line += r.who(registered)
	h.reportCause(r, why, reason, cause)
	switch {
	case refused:
		if ref.log != "" {
			h.log.Mistake(r.label + " - " + ref.log)
		}
		h.log.Event(logging.Info, logging.RouteRefused, line, fields...)
	case registered && reason != peer.ReasonShutdown:
		if ref != nil && ref.log != "" {
			h.log.Mistake(r.label + " - " + ref.log)
		}
		h.log.Event(logging.Info, logging.RouteLost, line, fields...)
	default:
		h.log.Info(line, fields...)
	}
}

// who names the other server behind the line about a connection's end: its name, if it is a route by now, and
// where it was dialled, or says that it listens.
func (r *Route) who(registered bool) string {
	var tags []string
	if registered {
		tags = append(tags, "Remote: "+r.info.ServerName)
	}
	switch {
	case r.url != nil:
		tags = append(tags, "Host: "+r.url.Host)
	case registered:
		tags = append(tags, "Host: "+net.JoinHostPort(r.info.Host, strconv.Itoa(r.info.Port)))
	}
	if len(tags) == 0 {
		return ""
	}
	return " - " + strings.Join(tags, ", ")
}

// reportCause counts what is counted, and logs what the reason does not say.
func (h *Hub) reportCause(r *Route, why error, reason, cause string) {
	switch reason {
	case peer.ReasonPending, peer.ReasonDeadline:
		if !r.late.Load() {
			h.slow.Add(1)
		}
		h.log.Info(r.label+" - "+why.Error(), logging.Err(why))
	case peer.ReasonStale:
		h.stale.Add(1)
	case peer.ReasonWrite, peer.ReasonRead:
		h.log.Error(fmt.Sprintf("%s - %v", r.label, why), logging.Err(why))
	}
}

// overdue is told when the peer takes in what waits for it, but not in time, and when it
// has caught up after all: see [transport.Outbound.Forgive].
func (r *Route) overdue(e *transport.DeadlineError, took time.Duration) {
	h := r.hub
	if took > 0 {
		r.late.Store(false)
		h.log.Info(fmt.Sprintf("%s - Slow Consumer Recovered: Flush took %.3fs with %d chunks of %d total bytes.",
			r.label, took.Seconds(), e.Chunks, e.Bytes))
		return
	}
	state := "Detected"
	if r.late.Swap(true) {
		state = "State"
	} else {
		h.slow.Add(1)
	}
	h.log.Info(fmt.Sprintf("%s - Slow Consumer %s: WriteDeadline of %v exceeded with %d chunks of %d total bytes.",
		r.label, state, e.Deadline, e.Chunks, e.Bytes))
}

// SlowRoutes and StaleRoutes count the connections to peers that did not take in what
// waited for them in time, and those that said nothing any more.
func (h *Hub) SlowRoutes() int64 { return h.slow.Load() }

// StaleRoutes is described at [Hub.SlowRoutes].
func (h *Hub) StaleRoutes() int64 { return h.stale.Load() }
