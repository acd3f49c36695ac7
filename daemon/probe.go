package daemon

import (
	"net"
	"sync"
)

// probedListener is a listener whose accept loop can be asked whether it is
// alive without a client ever noticing: connections that a probe announced by
// their local address are taken out on the way to the broker.
type probedListener struct {
	net.Listener

	mu      sync.Mutex // leaf lock
	pending map[string]chan<- struct{}
}

func newProbed(l net.Listener) *probedListener {
	return &probedListener{Listener: l, pending: map[string]chan<- struct{}{}}
}

// Accept returns the next connection that is not a probe's.
func (p *probedListener) Accept() (net.Conn, error) {
	for {
		conn, err := p.Listener.Accept()
		if err != nil || !p.claim(conn) {
			return conn, err
		}
	}
}

// claim takes a probe's connection and tells the probe.
func (p *probedListener) claim(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pending) == 0 {
		return false
	}
	key := conn.RemoteAddr().String()
	seen, ok := p.pending[key]
	if !ok {
		return false
	}
	delete(p.pending, key)
	close(seen)
	conn.Close()
	return true
}

// expect announces a connection from a local address; seen is closed when the
// accept loop comes to it.
func (p *probedListener) expect(from string) (seen <-chan struct{}) {
	ch := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending[from] = ch
	return ch
}

// forget withdraws an announcement.
func (p *probedListener) forget(from string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pending, from)
}
