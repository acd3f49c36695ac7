package leaf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// The type of the connections, as authenticators and users' restrictions call it, and as monitoring does.
const (
	connectionType = "LEAFNODE"
	clientType     = "leafnode"
)

// noOrigin is a cluster name that the protocol uses for itself.
const noOrigin = "_"

// Pauses before a connection is dialled again that could not last.
const (
	circlePause  = 30 * time.Second
	versionPause = 5 * time.Second
)

// processConnect handles CONNECT: who dialled says who it is.
func (l *Link) processConnect(arg []byte) error {
	if l.dialer != nil || l.state != opening {
		return &refusal{reason: "Protocol Violation", log: "unexpected CONNECT"}
	}
	var c connect
	if err := json.Unmarshal(arg, &c); err != nil {
		return &refusal{reason: "Protocol Violation", log: fmt.Sprintf("CONNECT: %v", err)}
	}
	who, err := l.authenticate(&c)
	if err != nil {
		return err
	}
	if err := l.judge(&c); err != nil {
		return err
	}
	name := who.Account
	if name == "" {
		name = broker.GlobalAccount
	}
	acc := l.srv.broker.Account(name)
	if acc == nil {
		return &refusal{reason: "Missing Account", tell: "Authorization Violation", log: fmt.Sprintf("account %q missing", name)}
	}
	o := l.srv.opts.Load()
	l.acc, l.name, l.cluster, l.remoteAccount = acc, c.Name, c.Cluster, c.RemoteAccount
	l.proto = c.Proto
	l.toHub, l.isolated, l.headers = c.Hub, o.Isolate || c.Isolate, o.Headers && c.Headers
	if l.mode() == "" {
		l.setMode(orElse(c.Compression, "not supported"))
	}
	l.mu.Lock()
	l.who = who
	l.mu.Unlock()
	l.grant(who, c.DenyPub, c.Domain)
	if o.MinVersion != "" && olderThan(c.Version, o.MinVersion) {
		l.Out.Send(l.admission().frame()) // so that the other side takes the refusal for one
		return &refusal{reason: "Minimum Version Required", delay: versionPause,
			tell: fmt.Sprintf("connection rejected since minimum version required is %q", o.MinVersion),
			log:  fmt.Sprintf("connection rejected since minimum version required is %q", o.MinVersion)}
	}
	return l.enter(who)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// authenticate finds out who the peer is.
func (l *Link) authenticate(c *connect) (*broker.Identity, error) {
	a := l.srv.opts.Load().Authenticator
	if a == nil {
		return &broker.Identity{}, nil
	}
	l.presented = &broker.AuthRequest{
		CID: l.id, Nonce: l.nonce, Remote: l.remote, TLS: l.session, Connection: connectionType, Type: clientType,
		Connect: &broker.ConnectOptions{
			ConnectInfo: proto.ConnectInfo{User: c.User, Pass: c.Pass, Name: c.Name, Headers: c.Headers},
			Nkey:        c.Nkey, JWT: c.JWT, Sig: c.Sig, Token: c.Token, Version: c.Version, Protocol: c.Proto, ProxySig: c.ProxySig,
		},
	}
	ctx, cancel := context.WithTimeout(l.srv.ctx, l.srv.opts.Load().AuthTimeout)
	defer cancel()
	who, err := a.Authenticate(ctx, l.presented)
	if err != nil {
		return nil, l.denied(err)
	}
	return who, nil
}

// denied is the end of a connection that is not let in.
func (l *Link) denied(err error) error {
	r := &refusal{reason: "Authentication Failure", tell: "Authorization Violation", log: "authentication error"}
	if who := l.presented.Connect.Claims(); who != "" {
		r.log += " - " + who
	}
	var d *broker.Denied
	if !errors.As(err, &d) {
		return r
	}
	if d.Note != "" && d.Level == logging.Error {
		l.srv.log.Error(l.label + " - " + d.Note)
	} else if d.Note != "" {
		l.srv.log.Debug(l.label + " - " + d.Note)
	}
	if d.Late {
		r.reason, r.tell = "Authentication Timeout", "Authentication Timeout"
	} else if d.Reason != 0 {
		r.reason = d.Reason.String()
	}
	return r
}

// judge decides whether a server that says so much may be a leaf node here, or a hub.
func (l *Link) judge(c *connect) error {
	refuse := func(reason, text string) error { return &refusal{reason: reason, tell: text, log: text} }
	switch own := l.srv.broker.Options().Cluster; {
	case c.Lang != "":
		return refuse("Incorrect Port", "attempted to connect to leaf node port")
	case strings.Contains(c.Cluster, " "):
		return refuse("Protocol Violation", "cluster name cannot contain spaces or new lines")
	case c.Cluster == noOrigin:
		return refuse("Protocol Violation", "cluster name is reserved")
	case own != "" && c.Cluster == own:
		return refuse("Cluster Names Identical", "remote leafnode has same cluster name")
	case c.Gateway != "":
		return refuse("Wrong Gateway", fmt.Sprintf("Rejecting connection from gateway %q on the leafnode port", c.Gateway))
	}
	return nil
}

// olderThan reports whether a version is less than another one: three numbers with dots between.
func olderThan(version, least string) bool {
	v, ok := numbers(version)
	w, _ := numbers(least)
	if !ok {
		return true
	}
	for i := range v {
		if v[i] != w[i] {
			return v[i] < w[i]
		}
	}
	return false
}

func numbers(version string) (n [3]int, ok bool) {
	version, _, _ = strings.Cut(strings.TrimPrefix(version, "v"), "-")
	parts := strings.Split(version, ".")
	for i := range n {
		if i >= len(parts) {
			return n, false
		}
		var err error
		if n[i], err = strconv.Atoi(parts[i]); err != nil {
			return n, false
		}
	}
	return n, true
}

// grant puts the rights of a leaf node into effect that has dialled: what the user may publish comes from it, what the
// user may subscribe to goes there.
func (l *Link) grant(who *broker.Identity, denied []string, domain string) {
	var publish, subscribe *Rules
	if f := l.srv.opts.Load().Rules; f != nil && who.Permissions != nil {
		publish, subscribe = f(who.Permissions)
	}
	both, out := l.domains(domain)
	out = append(append([]string(nil), denied...), out...)
	l.rights.Store(&rights{
		checked: publish, down: subscribe,
		take: publish.with(both...), send: subscribe.with(out...).with(both...),
	})
	o := l.srv.opts.Load()
	l.limits = proto.Limits{ControlLine: maxLine, Payload: orLimit(who.MaxPayload, o.MaxPayload)}
	l.maxSubs = orLimit(who.MaxSubscriptions, o.MaxSubscriptions)
}

// orLimit is a limit of an identity, or that of everybody; 0 is none.
func orLimit(of, all int) int {
	switch {
	case of == 0:
		return all
	case of < 0:
		return 0
	}
	return of
}

// admission is the INFO by which a peer learns that it is let in, and as what.
func (l *Link) admission() *info {
	i := l.srv.ownInfo(l)
	r := l.rights.Load()
	if !r.down.none() {
		i.Import = r.down
	}
	if !r.checked.none() {
		i.Export = r.checked
	}
	i.RemoteAccount, i.ConnectInfo = l.acc.Name(), true
	i.SystemAccount = l.acc == l.srv.broker.System()
	return i
}

// enter makes the connection of a peer that has dialled serve its account.
func (l *Link) enter(who *broker.Identity) error {
	l.presentPublisher(who.User)
	if err := l.srv.register(l); err != nil {
		return err
	}
	if l.srv.broker.Account(l.acc.Name()) != l.acc { // it went before it could see us
		return &refusal{reason: "Missing Account", tell: "Authorization Violation", log: fmt.Sprintf("account %q missing", l.acc.Name())}
	}
	l.Out.Send(l.admission().frame())
	l.serves()
	return nil
}

// presentPublisher makes what delivers the peer's messages.
func (l *Link) presentPublisher(user string) {
	l.pub = broker.NewLinkPublisher(l.acc, broker.Source{
		Link: l, Hub: l.toHub, Origin: l.originOf(), About: l.about(user),
	}, proto.LeafLead)
	l.pub.Known(l)
	l.pub.Bound(l.limits.Payload)
}

// originOf is the cluster to which the peer's messages do not go back by another connection.
func (l *Link) originOf() string {
	if l.toHub {
		return ""
	}
	return l.cluster
}

// serves is called when the handshake is over.
func (l *Link) serves() {
	l.state = serving
	l.srv.attach(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finished = true
	if !l.ended {
		l.timer.Reset(firstPing)
	}
}
