package main

import (
	"fmt"
	"net"
	"strconv"
	"time"
)

// idleConnections measures the memory of connections that have said CONNECT
// and nothing since, and the time to open them.
func idleConnections(n int) func(*run) (result, error) {
	return func(r *run) (result, error) {
		n := n / r.scale
		before, err := r.srv.settledMemory()
		if err != nil {
			return nil, err
		}
		conns := make([]*net.TCPConn, n)
		defer func() {
			for _, c := range conns {
				if c != nil {
					c.Close()
				}
			}
		}()
		began := time.Now()
		used, took, err := r.costs(func() error { return openAll(r.srv, conns, began) })
		if err != nil {
			return nil, err
		}
		after, err := r.srv.settledMemory()
		if err != nil {
			return nil, err
		}
		return result{cpu: float64(used) / float64(n), wall: float64(took), perUnit: float64(after-before) / float64(n)}, nil
	}
}

// idleWeb is idleConnections for those of a login that is not by TCP alone.
func idleWeb(n int) func(*run) (result, error) {
	return func(r *run) (result, error) {
		n := n / r.scale
		before, err := r.srv.settledMemory()
		if err != nil {
			return nil, err
		}
		conns := make([]net.Conn, n)
		defer func() {
			for _, c := range conns {
				if c != nil {
					c.Close()
				}
			}
		}()
		used, took, err := r.costs(func() error {
			for i := range conns {
				if conns[i], err = r.srv.dial(r.srv.as); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		after, err := r.srv.settledMemory()
		if err != nil {
			return nil, err
		}
		return result{cpu: float64(used) / float64(n), wall: float64(took), perUnit: float64(after-before) / float64(n)}, nil
	}
}

func openAll(s *server, conns []*net.TCPConn, began time.Time) error {
	const workers = 16
	ends := make(chan error, workers)
	for w := range workers {
		go func() { // ends when its part is open; waited for below
			for i := w; i < len(conns); i += workers {
				c, err := s.connect()
				if err != nil {
					ends <- fmt.Errorf("connection %d after %s: %w", i, time.Since(began), err)
					return
				}
				conns[i] = c
			}
			ends <- nil
		}()
	}
	var failed error
	for range workers {
		if err := <-ends; err != nil {
			failed = err
		}
	}
	return failed
}

// manySubscriptions measures memory, processor time and time to load n
// subscriptions over ten connections.
func manySubscriptions(n int) func(*run) (result, error) {
	return func(r *run) (result, error) {
		const conns = 10
		each := n / r.scale / conns
		before, err := r.srv.settledMemory()
		if err != nil {
			return nil, err
		}
		open := make([]*net.TCPConn, 0, conns)
		defer func() {
			for _, c := range open {
				c.Close()
			}
		}()
		used, took, err := r.costs(func() error {
			for c := range conns {
				conn, err := r.srv.connect()
				if err != nil {
					return err
				}
				open = append(open, conn)
				if err := subscribeMany(conn, c, each); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		after, err := r.srv.settledMemory()
		if err != nil {
			return nil, err
		}
		units := float64(each * conns)
		return result{cpu: float64(used) / units, wall: float64(took), perUnit: float64(after-before) / units}, nil
	}
}

func subscribeMany(conn net.Conn, c, n int) error {
	var out []byte
	for i := range n {
		out = append(out, sub(fmt.Sprintf("bench.load.%d.%d.in", c, i), "", strconv.Itoa(i+1))...)
		if len(out) > writeSize {
			if _, err := conn.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
	return sayAndWait(conn, out)
}

// startUp measures the time from exec to the first PONG, and what a server has used and
// holds then.
func startUp(r *run) (result, error) {
	best := result{}
	for range startsInARow {
		s, took, err := startServer(r.binary)
		if err != nil {
			return nil, err
		}
		used, err := s.cpu()
		if err != nil {
			s.stop()
			return nil, err
		}
		held, err := s.memory("VmRSS")
		s.stop()
		if err != nil {
			return nil, err
		}
		for m, v := range map[metric]int64{cpu: used, wall: int64(took), rss: held} {
			if old, ok := best[m]; !ok || float64(v) < old {
				best[m] = float64(v)
			}
		}
	}
	return best, nil
}

// startsInARow is how often a server is started in a run; the least of each figure counts,
// for whatever else the machine did can only add to it.
const startsInARow = 20
