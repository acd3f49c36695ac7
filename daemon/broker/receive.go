package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/subject"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Receive handles what has arrived: see [transport.Handler].
func (c *Client) Receive(in *transport.Input) (used, need int, err error) {
	s := &c.sender
	s.begin(in)
	c.readLimits()
	f := frames.Get().(*proto.Frame)
	var msgs, bytes int
	for buf := in.Data; used < len(buf); {
		if n, k, size := c.again(buf[used:], f); n > 0 {
			used, msgs, bytes = used+n, msgs+k, bytes+size
			continue
		}
		if c.awaiting && buf[used]|0x20 != 'c' {
			if err = c.unasked(); err != nil {
				break
			}
		}
		n, want, e := proto.Next(buf[used:], &c.limits, f)
		if e != nil {
			if s.traced && !errors.Is(e, proto.ErrUnknownOp) && !errors.Is(e, proto.ErrControlLine) {
				c.traceLine(f)
			}
			err = c.refuse(e, f, buf[used:])
			break
		}
		if n == 0 {
			need = want
			if want > 0 && f.Op == proto.HPub && !c.has(flagHeaders) {
				err = &closeError{ProtocolViolation, errNoHeaders}
			}
			break
		}
		used += n
		if s.traced {
			c.traceFrame(f)
		}
		if f.Op == proto.Pub || f.Op == proto.HPub {
			msgs++
			bytes += f.Size
			err = c.publish(f)
		} else {
			err = c.command(f)
		}
		if err != nil {
			break
		}
	}
	if msgs > 0 {
		c.inMsgs.Add(int64(msgs))
		c.inBytes.Add(int64(bytes))
		now := time.Now().UnixNano()
		c.last.Store(now)
		c.heard.Store(now)
	}
	s.end()
	*f = proto.Frame{}
	frames.Put(f)
	return used, need, err
}

// readLimits takes the limits that hold from here on.
func (c *Client) readLimits() {
	c.limits = proto.Limits{ControlLine: int(c.maxLine.Load()), Payload: int(c.maxPayload.Load())}
	if c.limits.Payload == 0 {
		c.limits.Payload = -1
	}
}

// frames are lent out while there is data: a connection that waits needs none.
var frames = sync.Pool{New: func() any { return new(proto.Frame) }}

// special are the flags of a client for whose messages more is to be done.
const special = flagVerbose | flagPedantic

// again handles the commonest of frames: more messages on the subject of the last. n is
// their length, msgs their number, bytes the size of their payloads; n is 0 if the next
// frame is something else.
//
// Whether the plan is current is looked at once: who subscribes from now on subscribes
// after all of them had arrived.
func (c *Client) again(buf []byte, f *proto.Frame) (n, msgs, bytes int) {
	s := &c.sender
	p := s.last
	if p == nil || p.head == "" || c.flags.Load()&special != 0 || p.denied || !p.current(s.acc.index) {
		return 0, 0, 0
	}
	if p.nobody {
		if n, msgs, bytes = c.skip(p, buf); n > 0 {
			return n, msgs, bytes
		}
	}
	n = proto.Again(buf, p.head, c.limits.Payload, f)
	if n == 0 || f.Hdr >= 0 && (!c.has(flagHeaders) || s.acc.mayTrace(f)) {
		return 0, 0, 0
	}
	k := s.publishAgain(p, f, buf, n)
	return n * k, k, f.Size * k
}

// publishAgain delivers the messages at the beginning of buf that have the same line,
// and returns how many those are. f is the first, and n its length.
func (s *sender) publishAgain(p *plan, f *proto.Frame, buf []byte, n int) (k int) {
	k = 1
	if !s.runs(p, f) {
		s.publish(p, f)
		return k
	}
	k += proto.Repeats(buf, n, n-len(f.Body))
	if f.Hdr > 0 && k > 1 {
		k = s.silent(f, buf, n, k)
	}
	s.publishRun(p, f, run{k, n})
	return k
}

// skip passes over the messages at the beginning of buf that are published by a plan
// that nobody receives by.
func (c *Client) skip(p *plan, buf []byte) (n, msgs, bytes int) {
	for {
		size, line, payload := proto.Skip(buf[n:], p.head, c.limits.Payload)
		if size == 0 {
			break
		}
		k := 1 + proto.Repeats(buf[n:], size, line)
		n, msgs, bytes = n+size*k, msgs+k, bytes+payload*k
	}
	c.sender.uncounted += uint64(msgs)
	return n, msgs, bytes
}

var errNoHeaders = errors.New("message headers not supported")

// publish handles PUB and HPUB.
func (c *Client) publish(f *proto.Frame) error {
	if f.Hdr > 0 && c.sender.acc.mayTrace(f) && c.has(flagHeaders) {
		return c.publishAsked(f)
	}
	return c.publishBy(c.sender.plan(f.Subject), f)
}

// publishBy publishes a message by its plan.
func (c *Client) publishBy(p *plan, f *proto.Frame) error {
	s := &c.sender
	flags := c.flags.Load()
	if flags&special != 0 || p.denied || f.Hdr >= 0 && flags&flagHeaders == 0 || len(f.Reply) > 2 && subject.IsReservedReply(f.Reply) {
		if stop, err := c.checked(p, f, flags); stop {
			return err
		}
	}
	if !s.publish(p, f) && len(f.Reply) > 0 && flags&flagNoResponders != 0 {
		c.noResponders(f)
	}
	return nil
}

// checked does what is to be done with some messages before they are delivered.
// stop says that this one is not.
func (c *Client) checked(p *plan, f *proto.Frame, flags uint32) (stop bool, err error) {
	if f.Hdr >= 0 && flags&flagHeaders == 0 {
		return true, &closeError{ProtocolViolation, errNoHeaders}
	}
	if flags&flagPedantic != 0 && !subject.ValidLiteral(f.Subject) {
		c.sendErr("Invalid Publish Subject")
	}
	if c.refused(p) {
		return true, nil
	}
	if subject.IsReservedReply(f.Reply) {
		text := fmt.Sprintf("Permissions Violation for Publish with Reply of %q", f.Reply)
		if t := c.sender.trail; t != nil {
			t.Refuse(text)
		}
		c.sendErr(text)
		c.deniedLine(string(f.Reply), fmt.Sprintf("Publish Violation - Reply %q", f.Reply))
		return true, nil
	}
	if flags&flagVerbose != 0 {
		c.sendOK()
	}
	return false, nil
}

// refused reports whether a message must not be delivered by its plan, and says so to
// the client. What counts is the subject behind mappings.
func (c *Client) refused(p *plan) bool {
	if !p.denied || c.mayAnswer(asBytes(p.seen())) {
		return false
	}
	c.deny(strings.Clone(p.seen()))
	return true
}

// deny tells the client, and the log, that it may not publish to a subject.
func (c *Client) deny(to string) {
	text := fmt.Sprintf("Permissions Violation for Publish to %q", to)
	if t := c.sender.trail; t != nil {
		t.Refuse(text)
	}
	c.sendErr(text)
	c.deniedLine(to, fmt.Sprintf("Publish Violation - Subject %q", to))
}

// noResponders tells the publisher that nobody gets its request.
func (c *Client) noResponders(f *proto.Frame) {
	sub := c.replySubscription(f.Reply)
	if sub == nil {
		return
	}
	n := len("NATS/1.0 503\r\nNats-Subject: \r\n\r\n") + len(f.Subject)
	c.reply(fmt.Appendf(nil, "HMSG %s %s %d %d\r\nNATS/1.0 503\r\nNats-Subject: %s\r\n\r\n\r\n",
		f.Reply, sub.SID(), n, n, f.Subject))
}

// replySubscription finds this client's plain subscription for a reply subject.
func (c *Client) replySubscription(reply []byte) *Subscription {
	p := c.sender.lookup(reply)
	for _, n := range p {
		one, l := n.Members()
		if one != nil && one.client == c {
			return one
		}
		if l == nil {
			continue
		}
		for _, sub := range l.Plain {
			if sub.client == c {
				return sub
			}
		}
	}
	return nil
}

// command handles everything but messages.
func (c *Client) command(f *proto.Frame) error {
	switch f.Op {
	case proto.Ping:
		c.processPing()
	case proto.Pong:
		c.mu.Lock()
		c.ping.answered()
		c.mu.Unlock()
	case proto.Sub:
		c.active()
		c.subscribe(f)
	case proto.Unsub:
		c.active()
		c.unsubscribe(f)
	case proto.Connect:
		return c.processConnect(f.Arg)
	case proto.Info:
		if !json.Valid(f.Arg) {
			return &closeError{ProtocolViolation, errors.New("invalid INFO")}
		}
	case proto.Err:
		return &closeError{ParseFailed, fmt.Errorf("Client Error %s", f.Arg)}
	}
	return nil
}

func (c *Client) active() {
	now := time.Now().UnixNano()
	c.last.Store(now)
	c.heard.Store(now)
}

// refuse answers what cannot be understood and ends the connection.
func (c *Client) refuse(err error, f *proto.Frame, at []byte) error {
	switch {
	case errors.Is(err, proto.ErrUnknownOp):
		c.sendErr(err.Error())
		return &closeError{ProtocolViolation, fmt.Errorf("Client parser ERROR, proto='%q...'", at[:min(len(at), 32)])}
	case errors.Is(err, proto.ErrControlLine):
		c.sendErr(err.Error())
		return &closeError{MaxControlLineExceeded, fmt.Errorf("%w: max_control_line %d (snip: %q...)",
			err, c.limits.ControlLine, logging.RedactConnect(at[:min(len(at), 128)]))}
	case errors.Is(err, proto.ErrPayload):
		c.refuseTraced(f, at, err.Error())
		c.sendErr("Maximum Payload Violation")
		return &closeError{MaxPayloadExceeded, fmt.Errorf("%w: %d vs %d", err, f.Size, c.limits.Payload)}
	}
	return &closeError{ProtocolViolation, err}
}

// reply stages bytes for this client itself, behind what was staged for it before.
func (c *Client) reply(p []byte) {
	copy(c.sender.lane(c).Reserve(len(p)), p)
}

func (c *Client) sendOK() {
	c.traceOut("OK")
	c.reply(asBytes("+OK\r\n"))
}

// sendErr tells the client of an error, in the place of an answer.
func (c *Client) sendErr(text string) {
	c.traceOut("-ERR " + text)
	c.reply(errFrame(text))
}

// tellErr tells the client of an error at once, from any goroutine. The client's
// lock is not held.
func (c *Client) tellErr(text string) {
	c.traceOut("-ERR " + text)
	c.Out.Send(errFrame(text))
}

func errFrame(text string) []byte { return append(append([]byte("-ERR '"), text...), "'\r\n"...) }
