package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
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
	arriving int8 // batches that the goroutine of the beginning still handles, see [Broker.serve]

	broker *Broker
	by     *passage
	cid    uint64
	remote net.Addr
	ip     string
	port   uint16
	start  time.Time
	nonce  string

	flags  atomic.Uint32
	reason atomic.Int32 // Reason, once it is being closed

	perms               atomic.Pointer[permissions]
	maxPayload, maxLine atomic.Int64

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
	answers *answers // what may be answered; nil without such a permission
	named   bool     // log lines tell what the client says of itself
	tls     *tls.ConnectionState
	tlsInfo *TLSInfo
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
	flagPonged                   // the first PONG was sent
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
//
// What comes at first takes much stack: handshakes, CONNECT, an authenticator. It runs here; then a new goroutine, whose
// stack is small and stays it for as long as the client is quiet, goes on.
func (b *Broker) serve(nc net.Conn, by *passage) {
	c, o := b.enter(nc, by)
	if c == nil {
		return
	}
	c.arriving = arrivalBatches
	first, err := c.open(o)
	if err != nil {
		c.teardown(err)
		return
	}
	c.watch()
	err = c.run(arrival{c}, first)
	c.arriving = 0
	if err != transport.ErrMoved {
		c.ended(err)
		return
	}
	b.work.Add(1)
	go c.stay() // to its end; Stop waits for it
}

// arrivalBatches is how many batches are handled before a connection counts as arrived, if the usual CONNECT and PING do
// not come in them.
const arrivalBatches = 2

// arrival handles what a connection brings first.
type arrival struct{ c *Client }

func (a arrival) Receive(in *transport.Input) (used, need int, err error) {
	c := a.c
	used, need, err = c.Receive(in)
	c.arriving--
	in.Move = err == nil && (c.arriving == 0 || c.has(flagPonged))
	return used, need, err
}

// stay serves a connection that has arrived. Its stack is part of what every quiet connection costs.
func (c *Client) stay() {
	defer c.broker.work.Done()
	c.live(nil)
}

// enter takes a connection into the books; nil if it cannot stay. The opening is what
// happens before the first frame, nil for nothing.
func (b *Broker) enter(nc net.Conn, by *passage) (*Client, *Opening) {
	defer b.entering.Done()
	c := &Client{broker: b, by: by, cid: b.lastCID.Add(1), start: time.Now()}
	if err := transport.NewConn(&c.Conn, nc); err != nil {
		b.log.Error(fmt.Sprintf("Client Accept Error: %v", err), logging.Err(err))
		_ = nc.Close()
		return nil, nil
	}
	c.prepare(nc)
	o, err := c.greet()
	if err != nil {
		c.Conn.Close(true)
		return nil, nil
	}
	return c, o
}

// live serves a connection to its end, or until it is frozen.
func (c *Client) live(first []byte) { c.ended(c.run(c, first)) }

// ended is what becomes of a connection that nobody serves any more.
func (c *Client) ended(err error) {
	if err != transport.ErrFrozen || !c.rest() {
		c.teardown(err)
	}
}

// prepare fills in what a connection starts with.
func (c *Client) prepare(nc net.Conn) {
	b := c.broker
	o := b.opts.Load()
	c.setRemote(nc.RemoteAddr())
	now := c.start.UnixNano()
	c.last.Store(now)
	c.heard.Store(now)
	c.flags.Store(flagVerbose | flagPedantic)
	c.acc = b.global
	c.applyLimits(o)
	c.sender = newSender(b.global, FromClient, proto.PubLead, c.cid)
	c.sender.self = c
}

// orUnlimited is a limit as a number to compare with.
func orUnlimited(n int) int {
	switch {
	case n == Nothing:
		return 0
	case n <= 0:
		return noLimit
	}
	return n
}

// greet sends INFO and takes the connection into the books. It returns what is to happen
// before the first frame, nil for nothing.
func (c *Client) greet() (o *Opening, err error) {
	b := c.broker
	b.totalConn.Add(1)
	req := b.requires(c.by.door)
	if req.Nonce {
		c.nonce = newNonce()
	}
	c.awaiting = req.Auth
	if c.enabled(logging.Debug) {
		c.debug("Client connection created")
	}
	d := c.by.door
	ip := c.ip
	if d.Proxy.Enabled {
		ip = "" // the balancer's, perhaps
	}
	hello := b.helloOf(d).line(c.cid, ip, c.nonce)
	first := len(d.Steps) == 0 && (d.TLS == nil || !d.TLS.Options().First)
	if d.TLS != nil || d.Proxy.Enabled || len(d.Steps) > 0 {
		o = &Opening{c: c, door: d, proxy: d.Proxy.trusts(c.remote), hello: hello, greeted: first}
	}
	if first {
		c.Out.Send(hello)
	}
	if err := b.register(c); err != nil {
		if errors.Is(err, errTooMany) {
			switch {
			case len(d.Steps) == 0:
				c.tellErr(err.Error())
			case d.TLS == nil:
				c.Out.Send(d.Full)
			}
			c.errorLine(err.Error())
			c.debug("Client connection closed: %s", MaxConnectionsExceeded)
			b.remember(c, MaxConnectionsExceeded)
		}
		return nil, err
	}
	if err := c.acc.join(c); err != nil {
		b.unregister(c)
		return nil, err
	}
	// What was reloaded before the connection was in the books passed it by.
	c.applyLimits(b.opts.Load())
	return o, nil
}

// watch starts the timers of the connection.
func (c *Client) watch() {
	c.mu.Lock()
	c.ping.begin(c, c.awaiting, c.by.door.pingInterval(c.broker.opts.Load()))
	c.mu.Unlock()
}

// run serves the connection; a panic in doing so is an error of this connection.
func (c *Client) run(h transport.Handler, first []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = c.panicked(p)
		}
	}()
	return c.Conn.Serve(h, first)
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
	c.sender.retire()
	acc.leave(c)
	b.unregister(c)
	c.Farewell(closeStatus(r), r.String())
	var fe *transport.FrameError
	c.Conn.Close((r != ReadFailed || errors.As(err, &fe)) && r != WriteFailed && r != SlowConsumerPendingBytes &&
		r != SlowConsumerWriteDeadline && r != TLSHandshakeError)
}

// reasonOf says why a connection ended that ended with err.
func reasonOf(err error) Reason {
	if err == nil || err == io.EOF { // the commonest; what follows is not for nothing
		return ClientClosed
	}
	var ce *closeError
	var pe *transport.PendingError
	var de *transport.DeadlineError
	var we *transport.WriteError
	switch {
	case errors.Is(err, io.EOF):
		return ClientClosed
	case err == transport.ErrFrozen:
		return ServerShutdown
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
		c.broker.log.Event(logging.Info, logging.SlowConsumer, c.name()+" - "+err.Error(),
			append(c.whose(), logging.String(logging.FieldReason, err.Error()))...)
	case StaleConnection:
		n.stale.Add(1)
	case WriteFailed:
		c.debug("%v", err)
	case ClientClosed:
	default:
		var fe *transport.FrameError
		if errors.As(err, &fe) {
			c.errorLine("read error: " + fe.Error())
			break
		}
		var ce *closeError
		if !errors.As(err, &ce) || ce.err == nil {
			break
		}
		if r == AuthenticationViolation {
			c.broker.log.Event(logging.Error, logging.AuthenticationFailed, c.name()+" - "+ce.err.Error(),
				append(c.whose(), logging.String(logging.FieldReason, ce.err.Error()))...)
			break
		}
		c.errorLine(ce.err.Error())
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
	subs.all(func(s *Subscription) bool { c.traceEnd(s); acc.remove(s); return true })
}

func (c *Client) enabled(l logging.Level) bool { return c.broker.log.Enabled(l) }

// debug logs a line about the connection.
func (c *Client) debug(format string, args ...any) {
	if c.enabled(logging.Debug) {
		c.broker.log.Debug(c.name()+" - "+fmt.Sprintf(format, args...), c.fields()...)
	}
}

// errorLine logs what the client did wrong.
func (c *Client) errorLine(text string) {
	c.broker.log.Mistake(c.name()+" - "+text, c.whose()...)
}

// deniedLine logs that the client tried what it is not allowed to do with a subject.
func (c *Client) deniedLine(subject, text string) {
	c.broker.log.Event(logging.Error, logging.PermissionsViolation, c.name()+" - "+text,
		append(c.whose(), logging.String(logging.FieldSubject, subject))...)
}

// name is what log lines call the connection: where it is from and, once it is known,
// what the client says of itself and who it is. The client's lock is not held.
func (c *Client) name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.label()
}

// label is name with the lock held.
func (c *Client) label() string {
	from := c.remote.String()
	if c.by.via != "" {
		from = c.ip + "/" + c.by.via
	}
	label := fmt.Sprintf("%s - %s:%d", from, c.by.door.Prefix, c.cid)
	if !c.named {
		return label
	}
	o, text := c.connect, ""
	if o.Version != "" {
		text = "v" + o.Version
	}
	for _, s := range [...]string{o.Lang, o.Name} {
		if s == "" {
			continue
		}
		if text != "" {
			text += ":"
		}
		text += s
	}
	if text != "" {
		label += fmt.Sprintf(" - %q", text)
	}
	if c.who != nil && c.who.Label != "" {
		account := c.acc.name
		if c.who.AccountLabel != "" {
			account = c.who.AccountLabel
		}
		label += fmt.Sprintf(" - %q", account+"/"+c.who.Label)
	}
	return label
}

func (c *Client) fields() []logging.Field {
	return []logging.Field{logging.Uint(logging.FieldClientID, c.cid)}
}

// whose is fields with where the connection is from and who it is.
func (c *Client) whose() []logging.Field {
	c.mu.Lock()
	account, user := c.acc.name, ""
	if c.who != nil {
		user = c.who.User
	}
	c.mu.Unlock()
	return append(c.fields(), logging.String(logging.FieldRemote, c.remote.String()),
		logging.String(logging.FieldAccount, account), logging.String(logging.FieldUser, user))
}
