package broker

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// permissions is what a connection may do, in a form that can be swapped.
type permissions struct{ Permissions }

// permissions returns what the connection may do; nil for everything.
func (c *Client) permissions() Permissions {
	if p := c.perms.Load(); p != nil {
		return p.Permissions
	}
	return nil
}

// raftPrefix is what only the system account may publish to.
const raftPrefix = "$NRG."

// serversOnly reports whether a literal subject is one that the client may not publish to whatever its permissions
// are, and though a message it received asks for an answer there.
func (c *Client) serversOnly(to string) bool { return c.sender.acc.ServersOnly(to) }

// ServersOnly reports whether a literal subject is one that no client of the account may publish to.
func (a *Account) ServersOnly(to string) bool {
	if to == "" || to[0] != '_' && to[0] != '$' {
		return false
	}
	return subject.IsGatewayReply(to) || strings.HasPrefix(to, raftPrefix) && a != a.broker.System()
}

// canPublish decides on a literal subject, leaving answers aside.
func (c *Client) canPublish(subject string) bool {
	if c.serversOnly(subject) {
		return false
	}
	p := c.permissions()
	// subject may be overwritten after the call; the answer may be kept with it.
	return p == nil || p.CanPublish(strings.Clone(subject))
}

// setPermissions changes what the connection may do from now on. The lock is held.
func (c *Client) setPermissions(p Permissions) {
	before := c.answers
	c.answers = nil
	if p == nil {
		c.perms.Store(nil)
		return
	}
	c.perms.Store(&permissions{p})
	r := p.Responses()
	switch {
	case r == nil:
	case before != nil: // what it was asked before may still be answered, by the rule of now
		c.answers = before
		before.now.Store(&answering{*r, p})
	default:
		c.answers = &answers{open: make(map[string]*answer)}
		c.answers.now.Store(&answering{*r, p})
	}
}

// SetPermissions changes what the connection may do, nil for everything. What it
// subscribed to and may no longer is taken from it, and it is told so.
func (c *Client) SetPermissions(p Permissions) {
	c.mu.Lock()
	c.setPermissions(p)
	acc := c.acc
	var gone []*Subscription
	c.subs.all(func(s *Subscription) bool {
		ok, filter := true, false
		if p != nil {
			ok, filter = p.CanSubscribe(s.Subject(), s.Queue())
		}
		if !ok {
			gone = append(gone, s)
			return true
		}
		s.restrict(p, filter, c.answers)
		return true
	})
	for _, s := range gone {
		c.subs.remove(s)
		acc.remove(s)
	}
	c.mu.Unlock()
	acc.index.Invalidate()
	for _, s := range gone {
		c.traceEnd(s)
		text := fmt.Sprintf("Permissions Violation for Subscription to %q (sid %q)", s.Subject(), s.SID())
		if q := s.Queue(); q != "" {
			text = fmt.Sprintf("Permissions Violation for Subscription to %q using queue %q (sid %q)", s.Subject(), q, s.SID())
		}
		c.tellErr(text)
		c.broker.log.Info(fmt.Sprintf("%s - Removed sub %q (sid %q) for user %q - not authorized",
			c.name(), s.Subject(), s.SID(), c.User()), append(c.whose(), logging.String(logging.FieldSubject, s.Subject()))...)
	}
}

// restrict changes what is looked at when a message is delivered. The client's
// lock is held.
func (s *Subscription) restrict(p Permissions, filter bool, a *answers) {
	old := s.more.Load()
	if !filter && a == nil && (old == nil || old.max == 0) {
		s.more.Store(nil)
		return
	}
	x := &subExtra{answers: a}
	if filter {
		x.filter = p
	}
	if old != nil {
		x.max = old.max
		x.got.Store(old.got.Load())
	}
	s.more.Store(x)
}

// User returns the authenticated user, empty for none.
func (c *Client) User() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.who == nil {
		return ""
	}
	return c.who.User
}

// Identity returns what the authenticator said of the connection, nil before it
// was asked. It must not be changed.
func (c *Client) Identity() *Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.who
}

// Connect returns what the client said in CONNECT, nil before it did. It must not be
// changed.
func (c *Client) Connect() *ConnectOptions {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connect
}

// Close closes the connection for a reason. If text is not empty, the client is
// told it as an error before.
func (c *Client) Close(r Reason, text string) {
	if c.has(flagClosed) {
		return // for another reason, which it was told
	}
	if text != "" {
		c.tellErr(text)
	}
	c.close(r, nil)
}

// answers are the messages that a connection may answer. Its lock is a leaf.
type answers struct {
	now atomic.Pointer[answering]

	mu     sync.Mutex
	open   map[string]*answer // by reply subject
	added  int                // since the last pruning
	pruned time.Time
}

// answering is what counts for answers: the rule for them, and what may be published
// anyway.
type answering struct {
	rule ResponsePermission
	may  Permissions
}

type answer struct {
	asked time.Time
	n     int
}

// When answers that can no longer be given are forgotten.
const (
	pruneAnswers      = 4096
	pruneAnswersAfter = time.Second
)

// ask notes a message that is delivered and wants an answer.
func (a *answers) ask(reply []byte) {
	if a.now.Load().may.CanPublish(string(reply)) {
		return
	}
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open[string(reply)] = &answer{asked: now}
	a.added++
	if a.added > pruneAnswers || now.Sub(a.pruned) > pruneAnswersAfter {
		for k, v := range a.open {
			if a.over(v, now) {
				delete(a.open, k)
			}
		}
		a.added, a.pruned = 0, now
	}
}

func (a *answers) over(v *answer, now time.Time) bool {
	rule := &a.now.Load().rule
	return rule.MaxMsgs > 0 && v.n >= rule.MaxMsgs || rule.Expires > 0 && now.Sub(v.asked) > rule.Expires
}

// answering reports whether the client may publish where it may not otherwise, to
// answer messages.
func (c *Client) answering() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answers != nil
}

// mayAnswer reports whether the client may publish to a subject because a message
// it received asked for it, and counts the answer. A request to JetStream is no answer: who asked for it
// would have it made by somebody else.
func (c *Client) mayAnswer(to []byte) bool {
	c.mu.Lock()
	a := c.answers
	c.mu.Unlock()
	if a == nil || c.serversOnly(asString(to)) || subject.IsJetStreamRequest(to) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.open[string(to)]
	if v == nil {
		return false
	}
	if a.over(v, time.Now()) {
		delete(a.open, string(to))
		return false
	}
	v.n++
	return true
}
