package leaf

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Lines of a peer that is not let in yet, and of one that is.
const (
	maxHelloLine = 64 << 10
	maxLine      = 1 << 20
)

var helloLimits = proto.Limits{ControlLine: maxHelloLine, Payload: 1}

// Receive handles what has arrived: see [transport.Handler].
func (l *Link) Receive(in *transport.Input) (used, need int, err error) {
	l.heard.Store(time.Now().UnixNano())
	if l.pub != nil {
		l.pub.Begin(in)
		defer l.pub.End()
	}
	var msgs, size int
	f := &l.frame
	for used < len(in.Data) {
		if l.pub != nil {
			if n, k, bytes := l.pub.Again(in.Data[used:], &l.msg); n > 0 {
				used, msgs, size = used+n, msgs+k, size+bytes
				continue
			}
		}
		n, want, e := proto.NextLeaf(in.Data[used:], &l.limits, f)
		if e != nil {
			return used, 0, l.unreadable(e, in.Data[used:])
		}
		if n == 0 {
			need = want
			break
		}
		if f.Op == proto.RouteMsg || f.Op == proto.RouteHMsg {
			msgs++
			size += f.Size
		}
		before := l.pub
		err = l.handle(f, in.Data[used:used+n], in)
		used += n
		if l.pub != before {
			l.pub.Begin(in)
			defer l.pub.End()
		}
		if err != nil || l.renewed {
			l.renewed = false
			break
		}
	}
	if msgs > 0 {
		l.inMsgs.Add(int64(msgs))
		l.inBytes.Add(int64(size))
	}
	*f, l.msg = proto.RouteFrame{}, proto.Frame{} // they hold on to the buffer
	return used, need, err
}

// unreadable is the end of a connection on which something stands that is no frame.
func (l *Link) unreadable(e error, data []byte) error {
	if e == proto.ErrPayload && l.state == serving {
		return &refusal{reason: "Maximum Payload Exceeded", tell: "Maximum Payload Violation", log: "maximum payload exceeded"}
	}
	if l.state != serving {
		return l.early()
	}
	return &refusal{reason: "Parse Error", tell: e.Error(),
		log: fmt.Sprintf("Leafnode parser ERROR, proto='%q...'", data[:min(len(data), 32)])}
}

// early refuses a peer that does not begin with the handshake. One that has dialled has not said who it is.
func (l *Link) early() *refusal {
	if l.dialer == nil {
		return &refusal{reason: "Authentication Failure", tell: "Authorization Violation", log: "authentication error"}
	}
	return &refusal{reason: "Protocol Violation", tell: "Authorization Violation", log: "leafnode connection did not begin with its handshake"}
}

// handle does what one frame says.
func (l *Link) handle(f *proto.RouteFrame, frame []byte, in *transport.Input) error {
	if l.dialer == nil && l.state != serving && f.Op != proto.RouteConnect && f.Op != proto.RouteInfo {
		return l.early()
	}
	switch f.Op {
	case proto.RoutePing:
		copy(in.Batch.Lane(&l.Out.Outlet).Reserve(6), "PONG\r\n")
	case proto.RoutePong:
		l.ponged()
	case proto.RouteInfo:
		var i info
		if err := json.Unmarshal(f.Arg, &i); err != nil {
			return &refusal{reason: "Protocol Violation", log: fmt.Sprintf("INFO: %v", err)}
		}
		return l.processInfo(&i)
	case proto.RouteErr:
		return l.processError(string(f.Arg))
	case proto.RouteOK:
	case proto.RouteConnect:
		return l.processConnect(f.Arg)
	default:
		return l.traffic(f, frame)
	}
	return nil
}

// traffic does what frames of a connection say that serves an account.
func (l *Link) traffic(f *proto.RouteFrame, frame []byte) error {
	if l.state == waiting && l.acc == nil { // a hub that does not say that it has let us in
		if err := l.begin(); err != nil {
			return err
		}
	}
	if l.state != serving {
		return l.early()
	}
	switch f.Op {
	case proto.RouteMsg, proto.RouteHMsg:
		return l.deliver(f, frame)
	case proto.RouteSub:
		return l.subscribe(f)
	case proto.RouteUnsub:
		l.unsubscribe(f)
	}
	return nil
}

// maxPassed bounds what is remembered of the rules, and maxMemo the length of what is remembered of whatever comes from a peer.
const (
	maxPassed = 4096
	maxMemo   = 256
)

// passes reports whether a message on a subject may come from the peer. ends says that, if not, the connection is
// to end.
func (l *Link) passes(subj []byte) (ok, ends bool) {
	r := l.rights.Load()
	rules := r.take
	if !l.toHub {
		rules = r.checked
	}
	if rules.none() {
		return true, false
	}
	ends = !l.toHub && l.dialer == nil
	if ok, known := l.passed[string(subj)]; known {
		return ok, ends
	}
	if l.passed == nil || len(l.passed) >= maxPassed {
		l.passed = make(map[string]bool)
	}
	ok = rules.passes(string(subj))
	if len(subj) <= maxMemo {
		l.passed[string(subj)] = ok
	}
	return ok, ends
}

// violated is the end of a connection over which a leaf node has done what it may not.
func violated(what string, subj []byte) error {
	return &refusal{
		reason: "Protocol Violation", tell: fmt.Sprintf("Permissions Violation for %s to %q", what, subj),
		log: fmt.Sprintf("%s Violation on %q - Check other side configuration", what, subj), delay: circlePause,
	}
}

// deliver gives a message to whom it is for.
func (l *Link) deliver(f *proto.RouteFrame, frame []byte) error {
	if ok, ends := l.passes(f.Subject); !ok {
		if ends {
			return violated("Publish", f.Subject)
		}
		return nil
	}
	m := &l.msg
	f.Message(frame, m)
	l.queues = l.queues[:0]
	for q := range f.Queues() {
		l.queues = append(l.queues, l.names.Of(q))
	}
	if ack, shown := proto.CutShown(m.Reply); shown != nil {
		m.Reply, m.Shown, m.Tail = ack, shown, nil
	}
	l.pub.Deliver(l.acc, broker.Published, m, false, l.queues)
	return nil
}
