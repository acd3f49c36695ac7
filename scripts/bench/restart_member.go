package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// member is one client. Its goroutine reads; the sender's publishes.
type member struct {
	crowd     *crowd
	to        string // the subject of the next one
	subscribe []byte
	conn      atomic.Pointer[net.TCPConn] // nil while it connects
	mu        sync.Mutex                  // a connection is made, or dismissed
	pong      chan struct{}
	sent      uint64 // the sender's
	got       atomic.Uint64

	last       uint64 // number of the latest message
	heard      time.Duration
	missing    map[uint64]bool
	seen       [phases]struct{ gap, delay time.Duration }
	dropped    uint64
	doubled    uint64
	disordered uint64
}

// run reads and connects again, to the end.
func (m *member) run() {
	buf := make([]byte, 2048)
	conn := m.conn.Load()
	for {
		m.read(conn, buf)
		m.mu.Lock()
		m.conn.Store(nil)
		over := m.crowd.over.Load()
		m.mu.Unlock()
		conn.Close()
		if over {
			return
		}
		m.dropped++
		if conn = m.again(); conn == nil {
			return
		}
	}
}

// again connects and subscribes until it succeeds; nil when all is over.
func (m *member) again() *net.TCPConn {
	for !m.crowd.over.Load() {
		time.Sleep(retry())
		conn, err := m.crowd.srv.connect()
		if err != nil {
			continue
		}
		if err := sayAndWait(conn, m.subscribe); err != nil {
			conn.Close()
			continue
		}
		m.mu.Lock()
		if m.crowd.over.Load() {
			conn.Close()
		}
		m.conn.Store(conn)
		m.mu.Unlock()
		return conn
	}
	return nil
}

// read reads up to the end of a connection, or to what should not be there.
func (m *member) read(conn *net.TCPConn, buf []byte) {
	held := 0
	for {
		n, err := conn.Read(buf[held:])
		if err != nil {
			return
		}
		held += n
		used, err := m.take(conn, buf[:held], time.Since(m.crowd.began))
		if err != nil {
			return
		}
		held = copy(buf, buf[used:held])
	}
}

// served asks for a PONG, once the member is connected.
func (m *member) served() error {
	conn := m.conn.Load()
	for end := time.Now().Add(patience); conn == nil; conn = m.conn.Load() {
		if time.Now().After(end) {
			return fmt.Errorf("not connected within %s", patience)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	select {
	case <-m.pong:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("no PONG within %s", patience)
	}
}

// take looks at the complete frames in b and returns how many bytes they have.
func (m *member) take(conn net.Conn, b []byte, now time.Duration) (used int, err error) {
	for {
		n, err := oneFrame(conn, b[used:], func(_, body []byte) error {
			if len(body) != 16 {
				return fmt.Errorf("a message of %d bytes", len(body))
			}
			m.receive(binary.LittleEndian.Uint64(body), time.Duration(binary.LittleEndian.Uint64(body[8:])), now)
			return nil
		})
		if n == 0 || err != nil {
			return used, err
		}
		if string(b[used:used+n]) == "PONG\r\n" {
			select {
			case m.pong <- struct{}{}:
			default:
			}
		}
		used += n
	}
}

// receive counts message n, which was due then.
func (m *member) receive(n uint64, due, now time.Duration) {
	seen := &m.seen[m.crowd.phase.Load()]
	if m.heard > 0 {
		seen.gap = max(seen.gap, now-m.heard)
	}
	m.heard = now
	seen.delay = max(seen.delay, now-due)
	switch {
	case n == m.last+1:
		m.last = n
	case n > m.last:
		for k := m.last + 1; k < n; k++ {
			m.missing[k] = true
		}
		m.last = n
	case m.missing[n]:
		delete(m.missing, n)
		m.disordered++
	default:
		m.doubled++
	}
	m.got.Add(1)
}
