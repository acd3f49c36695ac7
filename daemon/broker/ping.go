package broker

import (
	"math/rand/v2"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// firstPing is when the first PING is sent at the latest, to learn the RTT.
const firstPing = 2 * time.Second

// rttInterval is how often the RTT is measured of a connection that needs no PING.
const rttInterval = time.Hour

// pinger watches whether the peer is there. The client's lock protects it.
type pinger struct {
	timer    *time.Timer
	auth     *time.Timer // ends the time for CONNECT, and then that of the credentials
	out      int         // PINGs not answered
	interval time.Duration
	sent     time.Time
	rtt      time.Duration
	admitted time.Time // when it was found out who the client is
}

// justAdmitted reports whether the client may not have got the answer yet to the PING that it sent with its CONNECT.
func (p *pinger) justAdmitted(interval time.Duration) bool {
	return time.Since(p.admitted) < min(time.Second, interval/2)
}

// begin starts watching a connection, of which nothing is asked before the time is over.
func (p *pinger) begin(c *Client, auth bool, first time.Duration) {
	if auth {
		p.auth = time.AfterFunc(c.by.door.authTimeout(c.broker.opts.Load()), c.authTimeout)
	}
	p.timer = time.AfterFunc(first, c.pingDue)
}

// authenticated ends the time for CONNECT.
func (p *pinger) authenticated() {
	if p.auth != nil {
		p.auth.Stop()
		p.auth = nil
	}
}

// expire has the connection end at a moment, if it is not the zero time; what was set
// before is forgotten.
func (p *pinger) expire(c *Client, when time.Time) {
	p.authenticated()
	if !when.IsZero() && p.timer != nil {
		p.auth = time.AfterFunc(time.Until(when), c.authExpired)
	}
}

// connected notes a CONNECT.
func (p *pinger) connected(c *Client, again bool) {
	p.authenticated()
	if p.timer == nil {
		return
	}
	p.rtt = max(time.Since(c.start), 1)
	o := c.broker.opts.Load()
	d := c.by.door.pingInterval(o)
	if !o.NoShortFirstPing {
		d = min(d, firstPing)
	}
	if jitter := int64(d / 5); jitter > 0 {
		d += time.Duration(rand.Int64N(jitter))
	}
	p.timer.Reset(d)
}

// answered notes a PONG.
func (p *pinger) answered() {
	p.out = 0
	if !p.sent.IsZero() {
		p.rtt = max(time.Since(p.sent), 1)
	}
}

// stop ends the watch.
func (p *pinger) stop() {
	p.authenticated()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

// authTimeout ends a connection that has not authenticated in time.
func (c *Client) authTimeout() {
	c.tellErr("Authentication Timeout")
	c.debug("Authentication Timeout")
	c.close(AuthenticationTimeout, nil)
}

// authExpired ends a connection whose credentials have expired.
func (c *Client) authExpired() {
	c.tellErr("User Authentication Expired")
	c.debug("User Authentication Expired")
	c.close(AuthenticationExpired, nil)
}

// pingDue sends a PING, or ends a connection that left too many unanswered.
func (c *Client) pingDue() {
	c.mu.Lock()
	p := &c.ping
	if p.timer == nil {
		c.mu.Unlock()
		return
	}
	if c.enabled(logging.Debug) {
		c.broker.log.Debug(c.label() + " - Client Ping Timer")
	}
	o := c.broker.opts.Load()
	interval := c.by.door.pingInterval(o)
	if c.connect != nil && (!c.has(flagConnected) || p.justAdmitted(interval)) {
		// Who it is is being found out, and the client waits for that: a PING now
		// would come where it expects the answer to its own.
		p.timer.Reset(firstPing)
		c.mu.Unlock()
		return
	}
	now := time.Now()
	quiet := now.Sub(time.Unix(0, c.heard.Load()))
	ping := quiet >= interval || p.rtt == 0 || now.Sub(p.sent) > rttInterval
	if ping && p.out+1 > o.PingMax {
		c.mu.Unlock()
		c.debug("Stale Client Connection - Closing")
		c.Out.Send(errFrame("Stale Connection"))
		c.close(StaleConnection, nil)
		return
	}
	if ping {
		p.out++
		p.sent = now
	}
	p.timer.Reset(interval)
	c.mu.Unlock()
	if ping {
		c.traceOut("PING")
		c.Out.Send(asBytes("PING\r\n"))
	}
}

// processPing answers PING.
func (c *Client) processPing() {
	c.heard.Store(time.Now().UnixNano())
	c.traceOut("PONG")
	c.reply(asBytes("PONG\r\n"))
	if c.has(flagPonged) || !c.has(flagConnected) {
		return
	}
	// A client that connects takes nothing but PONG at first: only when that is in the
	// queue, others may send INFO. What they did not send meanwhile is sent here.
	hello, payload := c.broker.helloOf(c.by.door), c.maxPayload.Load()
	c.replyInfo(hello, payload)
	c.sender.flush()
	c.set(flagPonged, true)
	if h, p := c.broker.helloOf(c.by.door), c.maxPayload.Load(); h != hello || p != payload {
		c.replyInfo(h, p)
	}
}

// replyInfo stages the INFO that tells a client its account, if the client takes INFO
// at any time.
func (c *Client) replyInfo(hello *greeting, payload int64) {
	if c.has(flagAsyncInfo) {
		c.reply(hello.lineOf(c.acc.quoted, c.acc == c.broker.System(), int(payload), c.cid, c.ip))
	}
}
