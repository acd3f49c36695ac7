package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"
)

// Requests work as client libraries do them: one wildcard subscription on an
// inbox, a reply subject of its own for every request, an answer by another
// connection.
const (
	inbox       = "_INBOX.4Zk9hQ2w8xTn3vB7yLs1Xc."
	requestBody = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" +
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// requests makes the run of inFlight requests at a time, closed loop: each
// answer sends the next request.
func requests(inFlight int) func(*run) (result, error) {
	return requestsBetween(inFlight, login{}, login{})
}

// requestsBetween is requests of one user to another.
func requestsBetween(inFlight int, asker, answerer login) func(*run) (result, error) {
	return func(r *run) (result, error) {
		answer, err := newAnswerer(r.srv, answerer)
		if err != nil {
			return nil, err
		}
		defer answer.stop()
		q, err := newRequester(r.srv, asker)
		if err != nil {
			return nil, err
		}
		defer q.conn.Close()
		if err := q.ask(inFlight, r.load/6); err != nil {
			return nil, errors.Join(err, answer.failure())
		}
		q.samples = q.samples[:0]
		used, took, err := r.costs(func() error { return q.ask(inFlight, r.load) })
		if err != nil {
			return nil, err
		}
		peak, err := r.srv.memory("VmHWM")
		if err != nil {
			return nil, err
		}
		n := float64(len(q.samples))
		res := result{cpu: float64(used) / n, rate: n / took.Seconds(), rss: float64(peak)}
		slices.Sort(q.samples)
		res.latencies(q.samples)
		return res, answer.failure()
	}
}

// answerer sends the payload of every request back to its reply subject.
type answerer struct {
	conn net.Conn
	done chan error
}

func newAnswerer(s *server, as login) (*answerer, error) {
	conn, err := s.dial(as)
	if err != nil {
		return nil, err
	}
	if err := sayAndWait(conn, []byte("SUB bench.service 1\r\n")); err != nil {
		conn.Close()
		return nil, err
	}
	a := &answerer{conn: conn, done: make(chan error, 1)}
	go func() { a.done <- a.run() }() // ends when stop closes conn
	return a, nil
}

func (a *answerer) run() error {
	var out []byte
	return eachFrame(a.conn, func(line, body []byte) error {
		if f := bytes.Fields(line); len(f) >= 5 && string(f[2]) == "1" {
			out = append(append(out, "PUB "...), f[3]...)
			out = append(strconv.AppendInt(append(out, ' '), int64(len(body)), 10), "\r\n"...)
			out = append(append(out, body...), "\r\n"...)
			return nil
		}
		return fmt.Errorf("request is %q", line)
	}, func() error {
		_, err := a.conn.Write(out)
		out = out[:0]
		return err
	})
}

func (a *answerer) stop() { a.conn.Close() }

// failure reports what the answerer found wrong so far.
func (a *answerer) failure() error {
	select {
	case err := <-a.done:
		return err
	default:
		return nil
	}
}

// requester sends requests and checks the answers.
type requester struct {
	conn    net.Conn
	next    uint64
	sentAt  map[uint64]time.Time // of requests without an answer yet
	samples []int64
}

func newRequester(s *server, as login) (*requester, error) {
	conn, err := s.dial(as)
	if err != nil {
		return nil, err
	}
	if err := sayAndWait(conn, []byte("SUB "+inbox+"* 1\r\n")); err != nil {
		conn.Close()
		return nil, err
	}
	return &requester{conn: conn, sentAt: map[uint64]time.Time{}}, nil
}

var errAsked = errors.New("asked enough")

// ask keeps n requests in flight for d and returns when all are answered.
func (q *requester) ask(n int, d time.Duration) error {
	until := time.Now().Add(d)
	var out []byte
	for range n {
		out = q.request(out)
	}
	if _, err := q.conn.Write(out); err != nil {
		return err
	}
	out = out[:0]
	if err := q.conn.SetReadDeadline(until.Add(patience)); err != nil {
		return err
	}
	err := eachFrame(q.conn, func(line, body []byte) error {
		if err := q.answered(line, body); err != nil {
			return err
		}
		if time.Now().Before(until) {
			out = q.request(out)
		}
		return nil
	}, func() error {
		if len(out) == 0 && len(q.sentAt) == 0 {
			return errAsked
		}
		_, err := q.conn.Write(out)
		out = out[:0]
		return err
	})
	if errors.Is(err, errAsked) {
		return nil
	}
	return err
}

func (q *requester) request(out []byte) []byte {
	out = fmt.Appendf(out, "PUB bench.service %s%08x %d\r\n%s\r\n", inbox, q.next, len(requestBody), requestBody)
	q.sentAt[q.next] = time.Now()
	q.next++
	return out
}

func (q *requester) answered(line, body []byte) error {
	f := bytes.Fields(line)
	token, ok := bytes.CutPrefix(f[1], []byte(inbox))
	n, err := strconv.ParseUint(string(token), 16, 64)
	if !ok || err != nil || string(body) != requestBody {
		return fmt.Errorf("answer is %q", line)
	}
	at, waiting := q.sentAt[n]
	if !waiting {
		return fmt.Errorf("request %d answered twice", n)
	}
	delete(q.sentAt, n)
	q.samples = append(q.samples, time.Since(at).Nanoseconds())
	return nil
}

// eachFrame reads conn and calls message for each MSG and batch after all of
// one read. It returns the first error; the end of conn by Close is none.
func eachFrame(conn net.Conn, message func(line, body []byte) error, batch func() error) error {
	buf, held := make([]byte, 256<<10), 0
	for {
		n, err := conn.Read(buf[held:])
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		held += n
		used := 0
		for {
			n, err := oneFrame(conn, buf[used:held], message)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			used += n
		}
		held = copy(buf, buf[used:held])
		if used > 0 {
			if err := batch(); err != nil {
				return err
			}
		}
	}
}

func oneFrame(conn net.Conn, b []byte, message func(line, body []byte) error) (int, error) {
	nl := bytes.IndexByte(b, '\n')
	if nl < 0 {
		return 0, nil
	}
	line := b[:nl+1]
	switch {
	case bytes.HasPrefix(line, []byte("MSG ")), bytes.HasPrefix(line, []byte("HMSG ")):
		size, err := strconv.Atoi(string(bytes.TrimSpace(line[bytes.LastIndexByte(line, ' '):])))
		end := len(line) + size + 2
		if err != nil || len(b) < end {
			return 0, err
		}
		body := b[len(line) : end-2]
		if line[0] == 'H' { // a server may tell the service who asks
			_, body, _ = bytes.Cut(body, []byte("\r\n\r\n"))
		}
		return end, message(line, body)
	case string(line) == "PING\r\n":
		_, err := conn.Write([]byte("PONG\r\n"))
		return len(line), err
	case string(line) == "PONG\r\n" || bytes.HasPrefix(line, []byte("INFO ")):
		return len(line), nil
	}
	return 0, fmt.Errorf("server says %q", line)
}
