package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

// subscriptionChurn subscribes and unsubscribes on one connection as fast as
// the server answers, beside 10,000 subscriptions that stay. A unit is one SUB
// with its UNSUB.
func subscriptionChurn(r *run) (result, error) {
	conn, err := r.srv.connect()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var stay []byte
	for i := range 10000 / r.scale {
		stay = append(stay, sub("bench.stay."+strconv.Itoa(i), "", "s"+strconv.Itoa(i))...)
	}
	if err := sayAndWait(conn, stay); err != nil {
		return nil, err
	}
	c := &churner{conn: conn}
	if err := c.churn(r.load / 6); err != nil {
		return nil, err
	}
	c.pairs = 0
	used, took, err := r.costs(func() error { return c.churn(r.load) })
	if err != nil {
		return nil, err
	}
	n := float64(c.pairs)
	return result{cpu: float64(used) / n, rate: n / took.Seconds()}, nil
}

type churner struct {
	conn  net.Conn
	sid   int
	pairs int
}

func (c *churner) churn(d time.Duration) error {
	const block = 200
	var out []byte
	for until := time.Now().Add(d); time.Now().Before(until); c.pairs += block {
		out = out[:0]
		for i := range block {
			out = append(out, sub("bench.churn."+strconv.Itoa((c.sid+i)%5000)+".in", "", strconv.Itoa(c.sid+i))...)
		}
		for i := range block {
			out = append(append(strconv.AppendInt(append(out, "UNSUB "...), int64(c.sid+i), 10), '\r'), '\n')
		}
		c.sid += block
		if err := sayAndWait(c.conn, out); err != nil {
			return err
		}
	}
	return nil
}

// churnBesideTraffic measures a 1:1 flow of 128 bytes over 1,000 subjects
// while another connection subscribes and unsubscribes without a pause. A
// unit is a delivered message; the cost of the churn is in it, on both sides.
func churnBesideTraffic(r *run) (result, error) {
	conn, err := r.srv.connect()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var stop atomic.Bool
	ended := make(chan error, 1)
	go func() { // ends when stop is set; waited for below
		c := &churner{conn: conn}
		for !stop.Load() {
			if err := c.churn(time.Millisecond); err != nil {
				ended <- err
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		ended <- nil
	}()
	res, err := messages(10000, manySubjects(1000))(&run{srv: r.srv, load: r.load, pace: r.pace, scale: 1})
	stop.Store(true)
	if churnErr := <-ended; err == nil {
		err = churnErr
	}
	return res, err
}

// connectionChurn connects, asks for a PONG and closes, on four connections at
// a time. A unit is a connection.
func connectionChurn(r *run) (result, error) { return connectionsOf(r, login{}) }

// encryptedChurn is connectionChurn with TLS 1.3, by whole handshakes or resumed ones.
func encryptedChurn(resumed bool) func(*run) (result, error) {
	return func(r *run) (result, error) {
		as := login{tls: true}
		if resumed {
			as.sessions = tls.NewLRUClientSessionCache(0)
		}
		res, err := connectionsOf(r, as)
		if err != nil || !resumed {
			return res, err
		}
		conn, err := r.srv.dial(as)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		if !conn.(*tls.Conn).ConnectionState().DidResume {
			return nil, errors.New("sessions are not resumed")
		}
		return res, nil
	}
}

func connectionsOf(r *run, as login) (result, error) {
	churn := func(d time.Duration) (int, error) {
		const workers = 4
		type end struct {
			n   int
			err error
		}
		ends := make(chan end, workers)
		until := time.Now().Add(d)
		for range workers {
			go func() { // ends at until; waited for below
				n := 0
				for ; time.Now().Before(until); n++ {
					conn, err := r.srv.dial(as)
					if err != nil {
						ends <- end{n, err}
						return
					}
					conn.Close()
				}
				ends <- end{n, nil}
			}()
		}
		total, failed := 0, error(nil)
		for range workers {
			e := <-ends
			total += e.n
			if e.err != nil {
				failed = e.err
			}
		}
		return total, failed
	}
	if _, err := churn(r.load / 6); err != nil {
		return nil, err
	}
	n := 0
	used, took, err := r.costs(func() (err error) {
		n, err = churn(r.load)
		return err
	})
	if err != nil {
		return nil, err
	}
	return result{cpu: float64(used) / float64(n), rate: float64(n) / took.Seconds()}, nil
}

// sayAndWait writes text and a PING and reads up to the PONG.
func sayAndWait(conn net.Conn, text []byte) error {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write(append(text, "PING\r\n"...)); err != nil {
		return err
	}
	var buf [4096]byte
	got, err := readUntil(conn, buf[:], "PONG\r\n")
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if bytes.HasPrefix(got, []byte("INFO ")) { // nats-server tells a client its account a little later
		_, got, _ = bytes.Cut(got, []byte("\r\n"))
	}
	if err == nil && string(got) != "PONG\r\n" && string(got) != "PING\r\nPONG\r\n" && string(got) != "PONG\r\nPING\r\n" {
		err = fmt.Errorf("server says %q", got)
	}
	return err
}
