package broker

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Client is a client's connection. Its goroutine, in [Broker.serve], is the only
// one to use the fields up to mu.
type Client struct {
	transport.Conn

	sender   sender
	limits   proto.Limits
	awaiting bool // nothing but CONNECT is taken
	ponged   bool // the first PONG was sent

	broker *Broker
	cid    uint64
	ip     string
	port   uint16
	start  time.Time
	nonce  string

	flags  atomic.Uint32
	reason atomic.Int32 // Reason, once it is being closed

	inMsgs, inBytes atomic.Int64
	last            atomic.Int64 // unix nanoseconds: messages, or changes of interest
	heard           atomic.Int64 // unix nanoseconds: the same, or PING

	mu      sync.Mutex // protects what follows
	acc     *Account
	who     *Identity
	connect *ConnectOptions
	subs    sidSet
	queue   *string // the queue group used last, shared by subscriptions
	maxSubs int
	label   string // in front of log lines
	ping    pinger
}

// Flags of a client, for others to see.
const (
	flagHeaders      = 1 << iota // it takes headers
	flagConnected                // CONNECT was received
	flagClosed                   // it is being closed
	flagVerbose                  // wants +OK
	flagPedantic                 // wants subjects checked
	flagNoResponders             // wants to know of requests that nobody gets
	flagAsyncInfo                // takes INFO at any time
)

func (c *Client) has(f uint32) bool { return c.flags.Load()&f != 0 }

func (c *Client) set(f uint32, on bool) {
	if on {
		c.flags.Or(f)
	} else {
		c.flags.And(^f)
	}
}

// CID returns the connection's id.
func (c *Client) CID() uint64 { return c.cid }

func (c *Client) traffic() Traffic {
	out := c.Out.Stats()
	return Traffic{InMsgs: c.inMsgs.Load(), InBytes: c.inBytes.Load(), OutMsgs: int64(out.Msgs), OutBytes: int64(out.Bytes)}
}

// serve makes a client of an established connection and serves it to its end.
func (b *Broker) serve(nc net.Conn) {
	c := &Client{broker: b, cid: b.lastCID.Add(1), start: time.Now()}
	if err := transport.NewConn(&c.Conn, nc); err != nil {
		b.log.Error(fmt.Sprintf("Client Accept Error: %v", err), logging.Err(err))
		_ = nc.Close()
		return
	}
	c.prepare(nc)
	if err := c.greet(); err != nil {
		c.Conn.Close(true)
		return
	}
	err := c.run()
	c.teardown(err)
}

// prepare fills in what a connection starts with.
func (c *Client) prepare(nc net.Conn) {
	b := c.broker
	o := b.opts.Load()
	c.label = nc.RemoteAddr().String()
	if tcp, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		c.ip, c.port = tcp.IP.String(), uint16(tcp.Port)
	}
	c.label += " - cid:" + strconv.FormatUint(c.cid, 10)
	now := c.start.UnixNano()
	c.last.Store(now)
	c.heard.Store(now)
	c.flags.Store(flagVerbose | flagPedantic)
	c.maxSubs = orUnlimited(o.MaxSubscriptions)
	c.limits = proto.Limits{ControlLine: o.MaxControlLine, Payload: orUnlimited(o.MaxPayload)}
	c.Out.Limits(o.MaxPending, o.WriteDeadline)
	c.acc = b.global
	c.sender = sender{acc: b.global, self: c, echo: true, random: c.cid * 0x9E3779B97F4A7C15}
}

func orUnlimited(n int) int {
	if n <= 0 {
		return noLimit
	}
	return n
}

// greet sends INFO and takes the connection into the books.
func (c *Client) greet() error {
	b := c.broker
	b.totalConn.Add(1)
	req := b.opts.Load().Authenticator.Requires()
	if req.Nonce {
		c.nonce = newNonce()
	}
	c.awaiting = req.Auth
	if c.enabled(logging.Debug) {
		c.debug("Client connection created")
	}
	var room [1024]byte
	c.Out.Send(b.hello.Load().append(room[:0], c.cid, c.ip, c.nonce))
	if err := b.register(c); err != nil {
		if errors.Is(err, errTooMany) {
			c.Out.Send(errFrame(err.Error()))
			c.errorLine(err.Error())
			b.remember(c, MaxConnectionsExceeded)
		}
		return err
	}
	c.acc.join(c)
	c.mu.Lock()
	c.ping.begin(c, req.Auth)
	c.mu.Unlock()
	return nil
}

// run serves the connection; a panic in doing so is an error of this connection.
func (c *Client) run() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &closeError{InternalClient, fmt.Errorf("panic: %v", p)}
			c.broker.log.Event(logging.Error, logging.ConnectionPanic,
				fmt.Sprintf("%s - panic: %v\n%s", c.label, p, debug.Stack()))
		}
	}()
	return c.Conn.Serve(c, nil)
}

// close ends the connection from outside.
func (c *Client) close(r Reason, err error) {
	c.set(flagClosed, true)
	c.Abort(&closeError{r, err})
}

// teardown takes a connection that has ended out of the books.
func (c *Client) teardown(err error) {
	c.set(flagClosed, true)
	r := reasonOf(err)
	c.reason.Store(int32(r))
	c.mu.Lock()
	c.ping.stop()
	acc := c.acc
	c.mu.Unlock()
	c.reportEnd(r, err)
	b := c.broker
	b.remember(c, r)
	c.dropAll()
	acc.leave(c)
	b.unregister(c)
	c.Conn.Close(r != ReadFailed && r != WriteFailed && r != SlowConsumerPendingBytes &&
		r != SlowConsumerWriteDeadline && r != TLSHandshakeError)
}

// reasonOf says why a connection ended that ended with err.
func reasonOf(err error) Reason {
	var ce *closeError
	var pe *transport.PendingError
	var de *transport.DeadlineError
	var we *transport.WriteError
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return ClientClosed
	case errors.As(err, &ce):
		return ce.reason
	case errors.As(err, &pe):
		return SlowConsumerPendingBytes
	case errors.As(err, &de):
		return SlowConsumerWriteDeadline
	case errors.As(err, &we):
		return WriteFailed
	}
	return ReadFailed
}

// reportEnd logs and counts the end of a connection.
func (c *Client) reportEnd(r Reason, err error) {
	n := &c.broker.counts
	switch r {
	case SlowConsumerPendingBytes, SlowConsumerWriteDeadline:
		n.slow.Add(1)
		c.acc.mu.Lock()
		c.acc.slow++
		c.acc.mu.Unlock()
		c.broker.log.Event(logging.Info, logging.SlowConsumer, c.label+" - "+err.Error(), c.fields()...)
	case StaleConnection:
		n.stale.Add(1)
	case WriteFailed:
		c.debug("%v", err)
	case ClientClosed:
	default:
		var ce *closeError
		if errors.As(err, &ce) && ce.err != nil {
			c.errorLine(ce.err.Error())
		}
	}
	if c.enabled(logging.Debug) {
		c.debug("Client connection closed: %s", r)
	}
}

// dropAll removes all subscriptions.
func (c *Client) dropAll() {
	c.mu.Lock()
	subs := c.subs
	c.subs = sidSet{}
	acc := c.acc
	c.mu.Unlock()
	subs.all(func(s *Subscription) { acc.index.Remove(s) })
}

func (c *Client) enabled(l logging.Level) bool { return c.broker.log.Enabled(l) }

// debug logs a line about the connection.
func (c *Client) debug(format string, args ...any) {
	if c.enabled(logging.Debug) {
		c.broker.log.Debug(c.name()+" - "+fmt.Sprintf(format, args...), c.fields()...)
	}
}

func (c *Client) errorLine(text string) {
	c.broker.log.Error(c.name()+" - "+text, c.fields()...)
}

func (c *Client) name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.label
}

func (c *Client) fields() []logging.Field {
	return []logging.Field{logging.Uint("NATS_CLIENT_ID", c.cid)}
}
