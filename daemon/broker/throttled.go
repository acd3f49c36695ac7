package broker

import (
	"fmt"
	"sync"
	"time"
)

// throttled counts the connections that tls.connection_rate_limit has refused, for one line of the log about each second
// in which there were any: under an attack, a line for each would cost more than the handshakes that are saved.
type throttled struct {
	mu    sync.Mutex // a leaf
	n     int
	timer *time.Timer // nil while nothing is to be said
}

// throttle counts a refused connection.
func (b *Broker) throttle() {
	t := &b.throttled
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
	if t.timer == nil {
		t.timer = time.AfterFunc(time.Second, b.reportThrottled) // ended by Stop, which calls it as well
	}
}

// reportThrottled writes the line.
func (b *Broker) reportThrottled() {
	t := &b.throttled
	t.mu.Lock()
	n, timer := t.n, t.timer
	t.n, t.timer = 0, nil
	t.mu.Unlock()
	if timer != nil {
		timer.Stop()
	}
	if n > 0 {
		b.log.Warn(fmt.Sprintf("Rejected %d connections due to TLS rate limiting", n))
	}
}
