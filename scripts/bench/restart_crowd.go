package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Phases of a crowd's life, for which figures are kept apart.
const (
	inCalm = iota
	inRestart
	phases
)

// crowd is clients that publish to each other, in a ring, over and over in turn.
type crowd struct {
	crowdSpec
	srv     *server
	members []*member
	began   time.Time
	phase   atomic.Int32
	stop    atomic.Bool // nothing is sent any more
	over    atomic.Bool // and nobody connects any more
	sender  chan error  // its end
	readers sync.WaitGroup
}

// retry is how long a client waits before it connects again. nats.go waits two seconds,
// which says nothing about a server.
func retry() time.Duration { return 50*time.Millisecond + rand.N(50*time.Millisecond) }

// gather connects everybody and returns when all subscriptions stand.
func gather(port int, spec crowdSpec) (*crowd, error) {
	c := &crowd{crowdSpec: spec, srv: &server{port: port}, sender: make(chan error, 1)}
	conns := make([]*net.TCPConn, spec.clients)
	err := openAll(c.srv, conns, time.Now())
	for i, conn := range conns {
		if conn == nil {
			continue
		}
		m := &member{crowd: c, to: subjectOf((i + 1) % spec.clients), subscribe: sub(subjectOf(i), "", "1"), pong: make(chan struct{}, 1)}
		m.missing = map[uint64]bool{}
		m.conn.Store(conn)
		c.members = append(c.members, m)
		if err == nil {
			err = sayAndWait(conn, m.subscribe)
		}
	}
	if err != nil {
		c.dismiss()
		return nil, err
	}
	for _, m := range c.members {
		c.readers.Go(m.run) // ends when dismiss closes the connection
	}
	return c, nil
}

// begin starts to send.
func (c *crowd) begin() {
	c.began = time.Now()
	go func() { c.sender <- c.send() }() // ends by stop; finish waits for it
}

// send publishes on behalf of the members in turn, each message when it is due. The
// thread sleeps in the kernel, as in sendPaced.
func (c *crowd) send() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return err
	}
	every := time.Second / time.Duration(c.perSecond)
	var frame []byte
	for n := 0; !c.stop.Load(); n++ {
		due := every * time.Duration(n)
		if wait := due - time.Since(c.began); wait > 0 {
			ts := unix.NsecToTimespec(max(wait, 200*time.Microsecond).Nanoseconds())
			_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil) // early by a signal: sent early
		}
		m := c.members[n%len(c.members)]
		conn := m.conn.Load()
		if conn == nil {
			continue // it is connecting, and cannot send
		}
		frame = append(append(append(frame[:0], "PUB "...), m.to...), " 16\r\n"...)
		frame = binary.LittleEndian.AppendUint64(frame, m.sent+1)
		frame = binary.LittleEndian.AppendUint64(frame, uint64(due))
		if _, err := conn.Write(append(frame, "\r\n"...)); err == nil {
			m.sent++
		}
	}
	return nil
}

// finish stops sending, waits for what is on its way, sees whether everybody is still
// served, and says what they saw.
func (c *crowd) finish() (result, error) {
	c.stop.Store(true)
	if err := <-c.sender; err != nil {
		return nil, err
	}
	var sent uint64
	for _, m := range c.members {
		sent += m.sent
	}
	const quiet = time.Second // without a message: nothing comes any more
	for last, since := uint64(0), time.Now(); ; time.Sleep(5 * time.Millisecond) {
		got := c.received()
		if got >= sent || time.Since(since) > quiet {
			break
		}
		if got != last {
			last, since = got, time.Now()
		}
	}
	for i, m := range c.members {
		if err := m.served(); err != nil {
			return nil, fmt.Errorf("client %d at the end: %w", i, err)
		}
	}
	c.dismiss()
	return c.result(), nil
}

func (c *crowd) received() (n uint64) {
	for _, m := range c.members {
		n += m.got.Load()
	}
	return n
}

// dismiss closes all connections and waits for their readers.
func (c *crowd) dismiss() {
	c.stop.Store(true)
	c.over.Store(true)
	for _, m := range c.members {
		m.mu.Lock()
		if conn := m.conn.Load(); conn != nil {
			conn.Close()
		}
		m.mu.Unlock()
	}
	c.readers.Wait()
}

// result sums up what everybody saw, after dismiss.
func (c *crowd) result() result {
	res := result{}
	for _, m := range c.members {
		res[dropped] += float64(m.dropped)
		res[doubled] += float64(m.doubled)
		res[disordered] += float64(m.disordered)
		res[lost] += float64(m.sent)
		res[lost] -= float64(m.got.Load() - m.doubled)
		for phase, names := range [phases][2]metric{{calmGap, calmDelay}, {gap, delay}} {
			if !c.idle {
				res[names[0]] = max(res[names[0]], float64(m.seen[phase].gap))
			}
			res[names[1]] = max(res[names[1]], float64(m.seen[phase].delay))
		}
	}
	return res
}
