package leaf

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/peer"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// report logs and counts the end of a connection.
func (l *Link) report(why error, served bool) {
	s := l.srv
	reason, cause := peer.ReasonOf(why), ""
	var ref *refusal
	if errors.As(why, &ref) {
		reason = ref.reason
		cause = ref.log
	}
	switch reason {
	case peer.ReasonPending, peer.ReasonDeadline:
		if !l.late.Load() {
			s.slow.Add(1)
		}
		s.log.Info(l.label+" - "+why.Error(), logging.Err(why))
	case peer.ReasonStale:
		s.stale.Add(1)
	case peer.ReasonWrite, peer.ReasonRead:
		if ref == nil {
			s.log.Error(fmt.Sprintf("%s - %v", l.label, why), logging.Err(why))
		}
	}
	if cause != "" {
		s.log.Mistake(l.label + " - " + cause)
	}
	line := l.label + " - Leafnode connection closed: " + reason
	var tags []string
	if served {
		tags = append(tags, "Remote: "+l.name)
	}
	if l.dialer != nil && l.url != nil {
		tags = append(tags, "Host: "+l.url.Host)
	}
	if len(tags) > 0 {
		line += " - " + strings.Join(tags, ", ")
	}
	if l.dialer != nil {
		l.dialer.ended(l, served)
	}
	s.log.Info(line, logging.String(logging.FieldRemote, l.remote.String()), logging.String(logging.FieldReason, reason))
}

// overdue is told when the peer takes in what waits for it, but not in time, and when it has caught up after all: see
// [transport.Outbound.Forgive].
func (l *Link) overdue(e *transport.DeadlineError, took time.Duration) {
	if took > 0 {
		l.late.Store(false)
		l.srv.log.Info(fmt.Sprintf("%s - Slow Consumer Recovered: Flush took %.3fs with %d chunks of %d total bytes.",
			l.label, took.Seconds(), e.Chunks, e.Bytes))
		return
	}
	state := "Detected"
	if l.late.Swap(true) {
		state = "State"
	} else {
		l.srv.slow.Add(1)
	}
	l.srv.log.Info(fmt.Sprintf("%s - Slow Consumer %s: WriteDeadline of %v exceeded with %d chunks of %d total bytes.",
		l.label, state, e.Deadline, e.Chunks, e.Bytes))
}

func hostOf(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return ""
}
