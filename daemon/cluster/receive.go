package cluster

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/proto"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Lines of a peer that is not registered yet, and of one that is.
const (
	maxHelloLine = 64 << 10
	maxLine      = 1 << 20
)

// Receive handles what has arrived: see [transport.Handler].
func (r *Route) Receive(in *transport.Input) (used, need int, err error) {
	r.heard.Store(time.Now().UnixNano())
	r.catchUp()
	if r.known && !r.settled.Load() {
		r.settled.Store(true)
	}
	r.pub.Begin(in)
	defer r.pub.End()
	var msgs, size int
	f := &r.frame
	for used < len(in.Data) {
		if c := in.Data[used]; !r.known && c|0x20 != 'c' && r.hs.stranger() {
			return used, 0, errStranger
		}
		if n, k, bytes := r.pub.Again(in.Data[used:], &r.msg); n > 0 {
			used, msgs, size = used+n, msgs+k, size+bytes
			continue
		}
		n, want, e := proto.NextRoute(in.Data[used:], r.limits(), r.account != "", f)
		if e != nil {
			return used, 0, &refusal{reason: "Parse Error", tell: e.Error(),
				log: fmt.Sprintf("Router parser ERROR, proto='%q...'", in.Data[used:min(len(in.Data), used+32)])}
		}
		if n == 0 {
			need = want
			break
		}
		if f.Op == proto.RouteMsg || f.Op == proto.RouteHMsg || f.Op == proto.RouteLeafMsg {
			msgs++
			size += f.Size
		}
		err = r.handle(f, in.Data[used:used+n], in)
		used += n
		if err != nil || r.renewed {
			r.renewed = false
			break
		}
	}
	if msgs > 0 {
		r.inMsgs.Add(int64(msgs))
		r.inBytes.Add(int64(size))
	}
	*f, r.msg = proto.RouteFrame{}, proto.Frame{} // they hold on to the buffer
	return used, need, err
}

func (r *Route) limits() *proto.Limits {
	if !r.known {
		return &helloLimits
	}
	return &routeLimits
}

var (
	helloLimits = proto.Limits{ControlLine: maxHelloLine, Payload: 1}
	routeLimits = proto.Limits{ControlLine: maxLine}
)

// errEarly refuses a peer that does not begin with the handshake.
var errEarly = &refusal{reason: "Protocol Violation", tell: "Authorization Violation", log: "route did not begin with its handshake"}

// errStranger refuses a peer that says something before it has said who it is.
var errStranger = denied("")

// handle does what one frame says.
func (r *Route) handle(f *proto.RouteFrame, frame []byte, in *transport.Input) error {
	if !r.known {
		switch f.Op {
		case proto.RouteInfo, proto.RouteConnect, proto.RoutePing, proto.RoutePong, proto.RouteErr, proto.RouteOK:
		default:
			return errEarly
		}
	}
	switch f.Op {
	case proto.RouteMsg, proto.RouteHMsg, proto.RouteLeafMsg:
		r.deliver(f, frame)
	case proto.RouteSub, proto.RouteLeafSub:
		return r.subscribe(f)
	case proto.RouteUnsub, proto.RouteLeafUnsub:
		r.unsubscribe(f)
	case proto.RoutePing:
		copy(in.Batch.Lane(&r.Out.Outlet).Reserve(6), "PONG\r\n")
	case proto.RoutePong:
		r.ponged()
	case proto.RouteInfo:
		var i info
		if err := json.Unmarshal(f.Arg, &i); err != nil {
			return fmt.Errorf("INFO: %w", err)
		}
		return r.processInfo(&i)
	case proto.RouteConnect:
		return r.processConnect(f.Arg)
	case proto.RouteErr:
		return &refusal{reason: "Parse Error", log: "Route Error " + string(f.Arg)}
	}
	return nil
}

func (r *Route) processConnect(arg []byte) error {
	var c connect
	if err := json.Unmarshal(arg, &c); err != nil {
		return fmt.Errorf("CONNECT: %w", err)
	}
	r.presented.Store(&[2]string{c.User, c.Pass})
	adopt, err := r.hs.onConnect(&c, r.naming())
	if err == nil && adopt != nil {
		r.hub.rename(*adopt, c.Name)
	}
	return err
}

func (r *Route) naming() naming {
	name, dynamic := r.hub.Name()
	return naming{name, dynamic}
}

// processInfo handles the INFO by which the peer becomes a route, and those that
// come later.
func (r *Route) processInfo(i *info) error {
	if r.known {
		return r.processNews(i)
	}
	adopt, err := r.hs.onInfo(i, r.naming())
	if err != nil {
		return err
	}
	h := r.hub
	if adopt != nil {
		h.rename(*adopt, i.ServerID)
	}
	if r.renewed, err = r.negotiate(i.Compression); err != nil || r.renewed {
		return err
	}
	i.locate(r.remote)
	if err := h.register(r, i); err != nil {
		h.log.Debug(fmt.Sprintf("%s - Detected duplicate remote route %q", r.label, i.ServerID))
		return err
	}
	r.known = true
	if c := &h.opts.Load().Compression; !c.Equal(r.agreed) {
		r.follow(c) // it changed during the handshake, when nobody looked for this one
	}
	r.mu.Lock()
	r.theirImport, r.theirExport = i.Import, i.Export
	r.mu.Unlock()
	if r.delayed {
		own := h.ownInfo(r)
		own.Compression = r.agreed.Told(r.mode())
		r.Out.Send(own.frame())
	}
	h.log.Debug(fmt.Sprintf("%s - Registering remote route %q", r.label, i.ServerID))
	h.introduce(r, i)
	r.mu.Lock()
	r.timer.Reset(firstPing)
	r.mu.Unlock()
	return nil
}

// firstPing is early, to learn the round-trip time.
const firstPing = time.Second

// processNews handles an INFO of a registered peer: about itself, or about another
// server.
func (r *Route) processNews(i *info) error {
	h := r.hub
	switch {
	case i.Gateway != "":
		return nil // about what we do not take part in
	case i.ReqID != "":
		r.processMove(i)
	case i.ServerID != r.info.ServerID:
		h.learn(i, r.noPool)
	case i.LameDuck:
		h.mu.Lock()
		r.peer.lameDuck = true
		h.mu.Unlock()
		h.tellClients()
	default:
		h.mu.Lock()
		back := r.peer.lameDuck // it stays after all
		r.peer.lameDuck = false
		h.mu.Unlock()
		if back {
			h.tellClients()
		}
		r.theirRules(i.Import, i.Export)
		if i.SmallerPool && h.moved(r.peer, i) { // one of us; a nats-server does not tell
			h.tellClients()
		}
	}
	return nil
}

// deliver gives a message to clients here.
func (r *Route) deliver(f *proto.RouteFrame, frame []byte) {
	a := r.accountOf(f)
	if a == nil {
		return
	}
	m := &r.msg
	f.Message(frame, m)
	r.queues = r.queues[:0]
	for q := range f.Queues() {
		r.queues = append(r.queues, r.names.Of(q))
	}
	if ack, shown := proto.CutShown(m.Reply); shown != nil {
		m.Reply, m.Shown, m.Tail = ack, shown, nil
	}
	if f.Op == proto.RouteLeafMsg && string(f.Origin) != noOrigin {
		r.pub.DeliverFrom(f.Origin, a, m, r.queues)
		return
	}
	r.pub.Deliver(a, r.came(f), m, false, r.queues)
}

// accountOf finds the account of a message; nil if it is not here.
func (r *Route) accountOf(f *proto.RouteFrame) *broker.Account {
	if r.account != "" {
		f.Account = nil
		if a := r.accounts[r.account]; a != nil {
			return a
		}
		return r.lookup(r.account)
	}
	if a := r.accounts[string(f.Account)]; a != nil {
		return a
	}
	return r.lookup(string(f.Account))
}

func (r *Route) lookup(name string) *broker.Account {
	if name == "" {
		return nil
	}
	a := r.hub.broker.Account(name)
	if a != nil {
		r.accounts[name] = a
	}
	return a
}
