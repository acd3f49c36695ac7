package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

// receiver is one subscribing connection. Its goroutine reads, checks every
// byte of every message and counts; all other fields are set before it starts.
type receiver struct {
	conn    io.ReadWriteCloser
	buf     []byte
	flow    *flow
	sids    []string // sid of subject k; nil: subscription "1" gets everything
	ordered bool     // gets every message of every publisher that sends to it
	from    int      // only publisher, or -1 for any
	headers bool
	pace    atomic.Pointer[pacing] // measure latency against this, or nil

	next     []uint64 // per publisher: the number awaited (ordered) or the least allowed
	got      uint64
	checksum uint64 // sum of mix(number), to compare a queue group with what was sent
	samples  []int64
	lastHead []byte // head of the previous message, to compare in one go
	lastSubj int

	pong chan struct{} // one token a PONG
	fail chan error    // the reader's end; capacity 1
}

// mix spreads a message number over 64 bits, so that sums of it tell sets apart.
func mix(n uint64) uint64 {
	n = (n ^ n>>31) * 0x9e3779b97f4a7c15
	return n ^ n>>29
}

// run reads until the connection ends. Owner: flow, which closes conn.
func (r *receiver) run() {
	held := 0
	for {
		n, err := r.conn.Read(r.buf[held:])
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				err = nil
			}
			r.fail <- err
			return
		}
		held += n
		used, err := r.take(r.buf[:held])
		if err != nil {
			r.fail <- err
			return
		}
		held = copy(r.buf, r.buf[used:held])
		if held == len(r.buf) {
			r.fail <- fmt.Errorf("frame beyond %d bytes", len(r.buf))
			return
		}
	}
}

// take checks the complete frames in b and returns how many bytes they have.
func (r *receiver) take(b []byte) (int, error) {
	var now int64
	pace := r.pace.Load()
	if pace != nil {
		now = time.Since(pace.began).Nanoseconds()
	}
	pos, before := 0, r.got
	for {
		n, err := r.frame(b[pos:], pace, now)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			break
		}
		pos += n
	}
	if d := r.got - before; d > 0 {
		r.flow.arrived(d)
	}
	return pos, nil
}

// frame checks the first frame of b, or returns 0 if it is not complete.
func (r *receiver) frame(b []byte, pace *pacing, now int64) (int, error) {
	head := len(r.lastHead)
	size := r.flow.payload
	if r.headers {
		size += len(headerBlock)
	}
	same := head > 0 && bytes.HasPrefix(b, r.lastHead)
	if !same {
		nl := bytes.IndexByte(b, '\n')
		if nl < 0 {
			return 0, nil
		}
		head = nl + 1
		if b[0] != 'M' && b[0] != 'H' {
			return head, r.other(b[:head])
		}
	}
	end := head + size + 2
	if len(b) < end {
		return 0, nil
	}
	body := b[head : head+size]
	if r.headers {
		if string(body[:len(headerBlock)]) != headerBlock {
			return 0, fmt.Errorf("headers changed: %q", body[:len(headerBlock)])
		}
		body = body[len(headerBlock):]
	}
	if b[end-2] != '\r' || b[end-1] != '\n' {
		return 0, fmt.Errorf("no CRLF behind the payload of %q", b[:head])
	}
	subj := int(binary.LittleEndian.Uint32(body[12:]))
	if !same || subj != r.lastSubj {
		if err := r.checkHead(b[:head], subj, binary.LittleEndian.Uint64(body)); err != nil {
			return 0, err
		}
		if !r.flow.fresh {
			r.lastHead = append(r.lastHead[:0], b[:head]...)
			r.lastSubj = subj
		}
	}
	return end, r.checkBody(body, pace, now)
}

// checkHead compares the line of a MSG or HMSG with what it has to be.
func (r *receiver) checkHead(head []byte, subj int, seq uint64) error {
	if subj >= len(r.flow.subjects) {
		return fmt.Errorf("payload of %q is not ours", head)
	}
	subject := r.flow.subjects[subj]
	if r.flow.fresh {
		subject = fmt.Sprintf("%s%0*d", subject[:len(subject)-freshDigits], freshDigits, seq)
	}
	sid := "1"
	if r.sids != nil {
		sid = r.sids[subj]
	}
	var want string
	if r.headers {
		want = "HMSG " + subject + " " + sid + " " + strconv.Itoa(len(headerBlock)) + " " + strconv.Itoa(len(headerBlock)+r.flow.payload) + "\r\n"
	} else {
		want = "MSG " + subject + " " + sid + " " + strconv.Itoa(r.flow.payload) + "\r\n"
	}
	if string(head) != want {
		return fmt.Errorf("got %q, want %q", head, want)
	}
	return nil
}

func (r *receiver) checkBody(body []byte, pace *pacing, now int64) error {
	seq := binary.LittleEndian.Uint64(body)
	pub := int(binary.LittleEndian.Uint32(body[8:]))
	if pub >= len(r.next) || (r.from >= 0 && pub != r.from) {
		return fmt.Errorf("message %d of publisher %d came to the wrong subscriber", seq, pub)
	}
	if r.ordered && seq != r.next[pub] || seq < r.next[pub] {
		return fmt.Errorf("message %d of publisher %d came when %d was next", seq, pub, r.next[pub])
	}
	r.next[pub] = seq + 1
	rest := body[stampSize:]
	if len(body) >= secondFrom {
		if binary.LittleEndian.Uint64(body[len(body)-8:]) != seq {
			return fmt.Errorf("message %d is torn", seq)
		}
		rest = rest[:len(rest)-8]
	}
	if !bytes.Equal(rest, pattern[stampSize:stampSize+len(rest)]) {
		return fmt.Errorf("bytes of message %d changed", seq)
	}
	if pace != nil {
		r.samples = append(r.samples, now-pace.due(pub, seq))
	}
	r.checksum += mix(seq)
	r.got++
	return nil
}

// other handles what is not a message.
func (r *receiver) other(line []byte) error {
	switch {
	case string(line) == "PONG\r\n":
		r.pong <- struct{}{}
	case string(line) == "PING\r\n":
		_, err := r.conn.Write([]byte("PONG\r\n"))
		return err
	case bytes.HasPrefix(line, []byte("INFO ")):
	default:
		return fmt.Errorf("server says %q", line)
	}
	return nil
}

// pacing says when each message of a paced run is due. It is not changed once
// receivers have it.
type pacing struct {
	began time.Time
	first []uint64 // per publisher: number of the first message of the run
	gap   time.Duration
	turn  time.Duration // between two publishers; 0: all send at once
}

// due returns the moment of message seq of publisher pub in nanoseconds after
// began: what a message waits because an earlier one was late counts as well.
func (p *pacing) due(pub int, seq uint64) int64 {
	return int64(seq-p.first[pub])*p.gap.Nanoseconds() + int64(pub)*p.turn.Nanoseconds()
}

// counter is an atomic counter on a cache line of its own.
type counter struct {
	_ [64]byte
	n atomic.Uint64
	_ [56]byte
}
