package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
	conn io.ReadWriteCloser
	done chan error
}

func newAnswerer(s *server, as login) (*answerer, error) {
	conn, err := dialAndSay(s, as, "SUB bench.service 1\r\n")
	if err != nil {
		return nil, err
	}
	a := &answerer{conn: conn, done: make(chan error, 1)}
	go func() { a.done <- a.run() }() // ends when stop closes conn
	return a, nil
}

// dialAndSay connects, says something, and waits until the server has heard it.
func dialAndSay(s *server, as login, text string) (io.ReadWriteCloser, error) {
	conn, err := s.dial(as)
	if err != nil {
		return nil, err
	}
	if err := sayAndWait(conn, []byte(text)); err != nil {
		conn.Close()
		return nil, err
	}
	return directly(conn)
}

func (a *answerer) run() error {
	var out []byte
	return eachFrame(a.conn, func(line, body []byte) error {
		subject, rest, _ := bytes.Cut(line[bytes.IndexByte(line, ' ')+1:], []byte(" 1 "))
		reply, _, ok := bytes.Cut(rest, []byte(" "))
		if string(subject) != "bench.service" || !ok {
			return fmt.Errorf("request is %q", line)
		}
		out = append(append(out, "PUB "...), reply...)
		out = append(strconv.AppendInt(append(out, ' '), int64(len(body)), 10), "\r\n"...)
		out = append(append(out, body...), "\r\n"...)
		return nil
	}, func(time.Time) error {
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

// requester sends requests and checks the answers. A request is sent when the write
// that carries it begins, and answered when the read that brings the answer returns.
type requester struct {
	conn    io.ReadWriteCloser
	next    uint64
	waiting int
	slots   [requestSlots]slot // request n is in slot n % requestSlots
	frames  [][]byte           // of requests, used in turn
	token   int                // where in each its number is
	head    []byte             // what the line of an answer begins with
	right   func([]byte) error // looks at an answer's payload
	fresh   []*slot            // requests to be sent by the next write
	samples []int64
}

// slot is a request without an answer yet.
type slot struct {
	number uint64
	used   bool
	sentAt time.Time
}

// requestSlots is how many requests at most may be waiting: more than any scenario's.
const requestSlots = 8192

func newRequester(s *server, as login) (*requester, error) {
	return newAsker(s, as, asking{subjects: []string{"bench.service"}, payload: requestBody, right: func(body []byte) error {
		if string(body) != requestBody {
			return fmt.Errorf("answer is %q", body)
		}
		return nil
	}})
}

// asking is what a requester sends and expects.
type asking struct {
	subjects []string // used in turn, all of one length
	payload  string
	number   int // of the requester, of several
	headers  bool
	right    func(answer []byte) error
}

func newAsker(s *server, as login, a asking) (*requester, error) {
	box := fmt.Sprintf("%s%03d.", inbox, a.number)
	conn, err := dialAndSay(s, as, "SUB "+box+"* 1\r\n")
	if err != nil {
		return nil, err
	}
	q := &requester{conn: conn, head: []byte("MSG " + box), token: len("PUB " + a.subjects[0] + " " + box), right: a.right}
	if a.headers {
		q.head = []byte("HMSG " + box)
	}
	for _, subject := range a.subjects {
		q.frames = append(q.frames, fmt.Appendf(nil, "PUB %s %s%0*d %d\r\n%s\r\n", subject, box, tokenDigits, 0, len(a.payload), a.payload))
	}
	return q, nil
}

// tokenDigits is how many hexadecimal digits the number of a request has.
const tokenDigits = 8

var errAsked = errors.New("asked enough")

// ask keeps n requests in flight for d and returns when all are answered.
func (q *requester) ask(n int, d time.Duration) error {
	now := time.Now()
	until := now.Add(d)
	if err := giveUp(q.conn, d+patience); err != nil {
		return err
	}
	var out []byte
	for range n {
		out = q.request(out)
	}
	if err := q.send(out); err != nil {
		return err
	}
	out = out[:0]
	answers := 0
	err := eachFrame(q.conn, func(line, body []byte) error {
		answers++
		return q.answered(line, body)
	}, func(now time.Time) error {
		for i := range answers {
			q.samples[len(q.samples)-answers+i] += now.UnixNano()
		}
		if now.Before(until) {
			for range answers {
				out = q.request(out)
			}
		}
		answers = 0
		if len(out) == 0 && q.waiting == 0 {
			return errAsked
		}
		err := q.send(out)
		out = out[:0]
		return err
	})
	if errors.Is(err, errAsked) {
		return nil
	}
	return err
}

// askFor asks n times, of which so many are in flight, and returns when all are answered.
func (q *requester) askFor(n, inFlight int) error {
	if err := giveUp(q.conn, 4*patience); err != nil {
		return err
	}
	var out []byte
	for range inFlight {
		out = q.request(out)
	}
	if err := q.send(out); err != nil {
		return err
	}
	left, answers := n-inFlight, 0
	err := eachFrame(q.conn, func(line, body []byte) error {
		answers++
		return q.answered(line, body)
	}, func(time.Time) error {
		out = out[:0]
		for range min(answers, left) {
			out = q.request(out)
			left--
		}
		answers = 0
		if left == 0 && q.waiting == 0 {
			return errAsked
		}
		return q.send(out)
	})
	if errors.Is(err, errAsked) {
		return nil
	}
	return err
}

// request appends the next request to out.
func (q *requester) request(out []byte) []byte {
	at := len(out) + q.token
	out = append(out, q.frames[q.next%uint64(len(q.frames))]...)
	for n, i := q.next, at+tokenDigits-1; i >= at; n, i = n>>4, i-1 {
		out[i] = "0123456789abcdef"[n&15]
	}
	s := &q.slots[q.next%requestSlots]
	*s = slot{number: q.next, used: true}
	q.fresh = append(q.fresh, s)
	q.waiting++
	q.next++
	return out
}

// send writes requests.
func (q *requester) send(out []byte) error {
	if len(out) == 0 {
		return nil
	}
	now := time.Now()
	for _, s := range q.fresh {
		s.sentAt = now
	}
	q.fresh = q.fresh[:0]
	_, err := q.conn.Write(out)
	return err
}

// answered checks an answer. Its sample is what has to be added to the time of arrival.
func (q *requester) answered(line, body []byte) error {
	rest, ok := bytes.CutPrefix(line, q.head)
	if !ok || len(rest) < tokenDigits {
		return fmt.Errorf("answer is %q", line)
	}
	if err := q.right(body); err != nil {
		return err
	}
	n, err := strconv.ParseUint(string(rest[:tokenDigits]), 16, 64)
	if err != nil {
		return fmt.Errorf("answer is %q", line)
	}
	s := &q.slots[n%requestSlots]
	if !s.used || s.number != n {
		return fmt.Errorf("request %d answered twice", n)
	}
	s.used = false
	q.waiting--
	q.samples = append(q.samples, -s.sentAt.UnixNano())
	return nil
}

// eachFrame reads conn and calls message for each MSG and batch after all of
// one read, with the time when it returned. It returns the first error; the end of
// conn by Close is none.
func eachFrame(conn io.ReadWriter, message func(line, body []byte) error, batch func(at time.Time) error) error {
	buf, held := make([]byte, 256<<10), 0
	for {
		n, err := conn.Read(buf[held:])
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		now := time.Now()
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
			if err := batch(now); err != nil {
				return err
			}
		}
	}
}

func oneFrame(conn io.Writer, b []byte, message func(line, body []byte) error) (int, error) {
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
