package transport

import (
	"sync"
	"time"
)

// handshakeLimit allows a number of handshakes in each second that begins with
// the first one (tls.connection_rate_limit). A nil limit allows all.
type handshakeLimit struct {
	most int

	mu    sync.Mutex
	since time.Time
	n     int
	held  uint64
}

func newHandshakeLimit(perSecond int) *handshakeLimit {
	if perSecond <= 0 {
		return nil
	}
	return &handshakeLimit{most: perSecond}
}

// allow counts a handshake and reports whether it may go on.
func (l *handshakeLimit) allow(now time.Time) bool {
	if l == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= time.Second {
		l.since, l.n = now, 0
	}
	if l.n++; l.n > l.most {
		l.held++
		return false
	}
	return true
}

// blocked gives the number of handshakes not allowed so far.
func (l *handshakeLimit) blocked() uint64 {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}
