package leaf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// handshakeTime is how long TLS may take with a hub of which the remote does not say it.
const handshakeTime = 3 * time.Second

// finishTime is how long a hub may take to say that it has let us in.
const finishTime = 2 * time.Second

var errWrongPort = &refusal{reason: "Incorrect Port", log: "attempted to connect to wrong port"}

// approach waits for the first INFO of a hub that we have dialled, and encrypts. It returns the INFO, and
// what else was read already.
func (l *Link) approach() (first []byte, err error) {
	begins := l.cfg.TLS != nil && l.cfg.TLS.Options().First
	if begins {
		if err := l.encrypt(nil); err != nil {
			return nil, err
		}
	}
	first, rest, err := l.firstInfo()
	if err != nil {
		return nil, err
	}
	var i info
	if err := json.Unmarshal(bytes.TrimSpace(first[len("INFO"):]), &i); err != nil {
		return nil, &refusal{reason: "Protocol Violation", log: fmt.Sprintf("INFO: %v", err)}
	}
	if begins || !i.TLSRequired && l.cfg.TLS == nil && l.url.Scheme != "tls" && !l.dialer.secured.Load() {
		return append(first, rest...), nil
	}
	if err := l.encrypt(rest); err != nil {
		return nil, err
	}
	return first, nil
}

// firstInfo reads a line, which must be an INFO.
func (l *Link) firstInfo() (line, rest []byte, err error) {
	until := time.Now().Add(l.cfg.InfoTimeout)
	var got []byte
	for {
		if i := bytes.IndexByte(got, '\n'); i >= 0 {
			line, rest = got[:i+1:i+1], got[i+1:]
			break
		}
		if len(got) > maxHelloLine {
			return nil, nil, errWrongPort
		}
		more, err := l.Await(max(time.Until(until), time.Millisecond))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, nil, &refusal{reason: "Read Error", log: fmt.Sprintf("no INFO within %v", l.cfg.InfoTimeout)}
		}
		if err != nil {
			return nil, nil, err
		}
		got = append(got, more...)
	}
	if !strings.EqualFold(string(line[:min(len(line), 5)]), "INFO ") {
		return nil, nil, errWrongPort
	}
	return line, rest, nil
}

// anyTLS is for hubs that want TLS of a remote that says nothing of it.
var anyTLS = func() *transport.TLS {
	t, err := transport.LoadTLS(transport.TLSOptions{})
	if err != nil {
		panic("leaf: " + err.Error()) // there are no files in it
	}
	return t
}

func (l *Link) encrypt(first []byte) (err error) {
	t := l.cfg.TLS
	if t == nil {
		t = anyTLS()
	}
	l.srv.log.Debug(l.label + " - Starting TLS leafnode client handshake")
	if l.session, err = l.SecureClient(t, l.cfg.tlsHost(l.url), first); err != nil {
		return l.notSecured(err)
	}
	l.dialer.secured.Store(true) // nobody takes it back by saying that TLS is not needed
	return nil
}

// processInfo handles INFO: the first one of a hub, one that compression is negotiated by, that by which a hub says that it has
// let us in, and those that come later.
func (l *Link) processInfo(i *info) (err error) {
	if l.dialer == nil {
		if l.state == opening && !l.negotiated {
			l.renewed, err = l.negotiate(i.Compression)
		}
		return err
	}
	switch {
	case l.state == opening:
		if !l.negotiated {
			if i.CID == 0 || i.LeafURLs == nil && !i.InfoOnConnect {
				return errWrongPort
			}
			if l.renewed, err = l.negotiate(i.Compression); err != nil || l.renewed {
				return err
			}
		}
		return l.greetHub(i)
	case l.state == waiting && i.ConnectInfo:
		l.learn(i)
		return l.begin()
	default:
		l.learn(i)
	}
	return nil
}

// greetHub says who we are.
func (l *Link) greetHub(i *info) error {
	switch {
	case strings.Contains(i.Cluster, " "):
		return &refusal{reason: "Protocol Violation", tell: "cluster name cannot contain spaces or new lines", log: "cluster name cannot contain spaces or new lines"}
	case i.Cluster == noOrigin:
		return &refusal{reason: "Protocol Violation", tell: "cluster name is reserved", log: "cluster name is reserved"}
	}
	o := l.srv.opts.Load()
	l.theirs = i
	l.headers, l.proto = o.Headers && i.Headers, i.Proto
	if l.mode() == "" {
		l.setMode("not supported")
	}
	l.dialer.learn(l.cfg, i.LeafURLs)
	c := connect{
		Version: o.Version, ID: l.srv.broker.ID(), Domain: o.Domain, Name: o.ServerName, Hub: l.cfg.Hub, Cluster: l.srv.broker.Options().Cluster,
		Headers: l.headers, JetStream: o.JetStream, DenyPub: l.cfg.DenyImports, Compression: l.mode(), RemoteAccount: l.cfg.Account,
		Proto: leafProto, Isolate: l.cfg.RequestIsolation,
	}
	if c.Name == "" {
		c.Name = c.ID
	}
	if c.Cluster == "" {
		c.Cluster = c.Name // so that what comes from here is known, as nats-server has it
	}
	if l.cfg.Proof != nil {
		p, err := l.cfg.Proof(i.Nonce)
		if err != nil {
			return &refusal{reason: "Authentication Failure", log: fmt.Sprintf("Error signing the nonce: %v", err)}
		}
		c.JWT, c.Nkey, c.Sig = p.JWT, p.Nkey, p.Sig
	}
	if u := l.url.User; u != nil {
		c.User = u.Username()
		var with bool
		if c.Pass, with = u.Password(); !with {
			c.Token = c.User
		}
	}
	l.state = waiting
	l.Out.Send(c.frame())
	l.watch(finishTime)
	if !i.InfoOnConnect {
		return l.begin()
	}
	return nil
}

// learn takes note of what a hub says later: where it is found, and what may cross.
func (l *Link) learn(i *info) {
	l.dialer.learn(l.cfg, i.LeafURLs)
	if l.acc != nil && i.ConnectInfo {
		return // once is enough
	}
	if i.ConnectInfo || i.Import != nil || i.Export != nil { // one about other servers says nothing of rights
		l.theirs.Import, l.theirs.Export = i.Import, i.Export
	}
	if i.RemoteAccount != "" {
		l.remoteAccount = i.RemoteAccount
	}
	if l.state == serving {
		l.regrant()
	}
}

// begin makes the connection serve its account: the hub has let us in.
func (l *Link) begin() error {
	acc := l.srv.broker.Account(l.cfg.Account)
	if acc == nil {
		return &refusal{reason: "Missing Account", log: fmt.Sprintf("account %q missing", l.cfg.Account)}
	}
	o := l.srv.opts.Load()
	l.acc, l.name, l.cluster = acc, orElse(l.theirs.ServerName, l.theirs.ServerID), l.theirs.Cluster
	l.isolated = o.Isolate || l.cfg.Isolate
	l.both, l.keep = l.domains(l.theirs.Domain)
	l.rights.Store(l.rightsByHub())
	l.limits = proto.Limits{ControlLine: maxLine, Payload: o.MaxPayload}
	l.maxSubs = o.MaxSubscriptions
	l.presentPublisher("")
	if err := l.srv.register(l); err != nil {
		return err
	}
	if l.srv.broker.Account(l.cfg.Account) != acc { // it went before it could see us
		return &refusal{reason: "Missing Account", log: fmt.Sprintf("account %q missing", l.cfg.Account)}
	}
	l.serves()
	return nil
}

// rightsByHub are what may cross as the hub has told and the remote is configured.
func (l *Link) rightsByHub() *rights {
	return &rights{
		send:    l.theirs.Export.with(l.cfg.DenyExports...).with(l.both...).with(l.keep...),
		take:    l.theirs.Import.with(l.cfg.DenyImports...).with(l.both...),
		checked: (*Rules)(nil).with(l.cfg.DenyImports...),
	}
}

// regrant puts rights into effect that a hub has changed.
func (l *Link) regrant() {
	old := l.rights.Load()
	now := l.rightsByHub()
	if now.send.equal(old.send) && now.take.equal(old.take) {
		return
	}
	l.rights.Store(now)
	clear(l.passed)
	l.acc.Outdate()
	l.interest.retell(l, old.take, now.take)
}

// processError handles what the peer says is wrong.
func (l *Link) processError(text string) error {
	text = strings.Trim(text, "'")
	r := &refusal{reason: "Parse Error", log: "Leafnode Error '" + text + "'"}
	switch {
	case strings.Contains(text, "remote leafnode has same cluster name"):
		r.reason, r.delay = "Cluster Names Identical", circlePause
		r.log = fmt.Sprintf("Leafnode connection dropped with same cluster name error. Delaying attempt to reconnect for %v", circlePause)
	case strings.Contains(text, "minimum version required"):
		r.reason, r.delay = "Minimum Version Required", versionPause
		r.log = fmt.Sprintf("Leafnode connection dropped due to minimum version requirement. Delaying attempt to reconnect for %v", versionPause)
	case strings.Contains(text, "Loop detected"):
		r.reason, r.delay, r.log = "Protocol Violation", circlePause, text
	case strings.Contains(text, "Permissions Violation"):
		r.reason, r.delay = "Protocol Violation", circlePause
	case strings.Contains(text, "Authorization Violation"):
		r.reason = "Authentication Failure"
	}
	return r
}
