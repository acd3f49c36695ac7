package broker

import (
	"fmt"
	"strconv"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// Tracing writes a log line for each frame that comes in and goes out, as
// nats-server does with -V. Whether it is on is looked at once for each buffer of
// input. A sender that traces makes its plans without the short forms of delivery,
// so that every message passes [sender.to], and none is recognized by its head; a
// sender that does not has nothing more to do for the possibility of tracing.

// retrace takes notice of tracing being switched on or off.
func (s *sender) retrace(on bool) {
	s.traced = on
	s.forget()
}

// trace writes one line about the connection.
func (c *Client) trace(line string) {
	c.broker.log.Trace(c.name()+" - "+line, c.fields()...)
}

// traceOut writes a line about a frame other than a message that is sent to the
// client.
func (c *Client) traceOut(frame string) {
	if c.enabled(logging.Trace) {
		c.trace("->> [" + frame + "]")
	}
}

// traceEnd writes the line of a subscription that ends.
func (c *Client) traceEnd(s *Subscription) {
	if c.enabled(logging.Trace) {
		c.trace("<-> [DELSUB " + s.SID() + "]")
	}
}

// traceNames are the verbs of frames that are traced when they come in.
var traceNames = [...]string{
	proto.Pub: "PUB", proto.HPub: "HPUB", proto.Sub: "SUB", proto.Unsub: "UNSUB",
	proto.Ping: "PING", proto.Pong: "PONG", proto.Connect: "CONNECT", proto.Err: "",
}

// traceLine writes the line of a frame that came in.
func (c *Client) traceLine(f *proto.Frame) {
	name, arg := traceNames[f.Op], f.Arg
	switch f.Op {
	case proto.Ping, proto.Pong:
		c.trace("<<- [" + name + "]")
		return
	case proto.Connect:
		arg = logging.RedactConnect(arg)
	}
	if name != "" {
		c.trace("<<- [" + name + " " + string(arg) + "]")
	}
}

// traceFrame writes the lines of a frame that came in: with a message, what a mapping
// makes of its subject, and what is in it.
func (c *Client) traceFrame(f *proto.Frame) {
	c.traceLine(f)
	if f.Op != proto.Pub && f.Op != proto.HPub {
		return
	}
	if p := c.sender.plan(f.Subject); p.as != "" {
		c.traceMapping(p.subject, p.as)
	}
	if text := c.broker.tracedPayload(f.Body, f.Hdr); text != "" {
		c.trace("<<- " + text)
	}
}

func (c *Client) traceMapping(from, to string) {
	c.trace("<<- [MAPPING " + from + " -> " + to + "]")
}

// tracedPayload is the line about a message's content, "" if there is to be none.
// body has "\r\n" at its end.
func (b *Broker) tracedPayload(body []byte, hdr int) string {
	o := b.opts.Load()
	n := len(body) - len("\r\n")
	if o.TraceHeaders {
		n = hdr - len("\r\n\r\n") // neither the last line's end nor the blank line
	}
	switch {
	case n <= 0:
		return ""
	case o.MaxTracedLen > 0 && n > o.MaxTracedLen:
		text := strconv.Quote(string(logging.RedactPayload(body[:o.MaxTracedLen])))
		return "MSG_PAYLOAD: [" + text[:len(text)-1] + "...\"]"
	default:
		return "MSG_PAYLOAD: [" + strconv.Quote(string(logging.RedactPayload(body[:n]))) + "]"
	}
}

// traceDelivery writes the lines of a message that was given to a client.
func (s *sender) traceDelivery(sub *Subscription, subject []byte, f *proto.Frame) {
	c := sub.client
	verb, body, hdr := "MSG", f.Body, f.Hdr
	if hdr > 0 && c.has(flagHeaders) {
		verb = "HMSG"
	} else if hdr > 0 {
		body, hdr = body[hdr:], -1
	}
	line := fmt.Sprintf("->> [%s %s %s", verb, subject, sub.SID())
	if len(f.Reply) > 0 {
		line += " " + string(f.Reply)
	}
	if verb == "HMSG" {
		line += " " + strconv.Itoa(hdr)
	}
	c.trace(line + " " + strconv.Itoa(len(body)-len("\r\n")) + "]")
	if text := c.broker.tracedPayload(body, hdr); text != "" {
		c.trace("->> " + text)
	}
	if x := sub.more.Load(); x != nil && x.max > 0 && x.got.Load() == x.max {
		c.traceEnd(sub)
	}
}

// traceSystem reports whether traffic of the broker's own is traced.
func (b *Broker) traceSystem() bool {
	return b.log.Enabled(logging.Trace) && b.opts.Load().TraceVerbose
}

// traceOwn writes the lines of a message that the broker itself publishes.
func (b *Broker) traceOwn(f *proto.Frame) {
	verb, sizes := "PUB", strconv.Itoa(f.Size)
	if f.Hdr > 0 {
		verb, sizes = "HPUB", strconv.Itoa(f.Hdr)+" "+sizes
	}
	b.log.Trace(fmt.Sprintf("SYSTEM - <<- [%s %s %s %s]", verb, f.Subject, f.Reply, sizes))
	if text := b.tracedPayload(f.Body, f.Hdr); text != "" {
		b.log.Trace("SYSTEM - <<- " + text)
	}
}
