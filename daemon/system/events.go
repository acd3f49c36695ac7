package system

import (
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
)

// The events of connections. JWTs are left out of them: they are credentials, whatever
// else they say.

const (
	connectSchema    = "io.nats.server.advisory.v1.client_connect"
	disconnectSchema = "io.nats.server.advisory.v1.client_disconnect"
)

type connectEvent struct {
	Event
	Server ServerInfo         `json:"server"`
	Client *broker.ClientInfo `json:"client"`
}

// disconnectEvent is also the event of a connection that was refused. Sent and
// Received are as the client sees it.
type disconnectEvent struct {
	Event
	Server   ServerInfo         `json:"server"`
	Client   *broker.ClientInfo `json:"client"`
	Sent     Traffic            `json:"sent"`
	Received Traffic            `json:"received"`
	Reason   string             `json:"reason"`
}

// observer makes events of what the broker observes.
type observer struct{ *Service }

// comingsAndGoings are the subjects of an account's clients that come and go. Those of the last account are kept: mostly
// nobody listens, and then to write them would be all that is done.
type comingsAndGoings struct{ account, connect, disconnect string }

func (s *Service) comings(account string) *comingsAndGoings {
	if last := s.last.Load(); last != nil && last.account == account {
		return last
	}
	prefix := "$SYS.ACCOUNT." + account
	now := &comingsAndGoings{account, prefix + ".CONNECT", prefix + ".DISCONNECT"}
	s.last.Store(now)
	return now
}

// Joined tells of a client that was let in.
func (o observer) Joined(c *broker.Client) {
	s := o.Service
	subject := s.comings(c.AccountName()).connect
	if !s.in.Load().Interested(subject) {
		return
	}
	i := c.About()
	i.NameTag = s.nameOf(i.Account)
	e := connectEvent{Event: s.newEvent(connectSchema), Client: i}
	s.Emit(subject, func(si ServerInfo) any { e.Server = si; return e })
}

// Left tells of a client that is gone.
func (o observer) Left(c *broker.Client, d *broker.ConnInfo) {
	s := o.Service
	if subject := s.comings(d.Account).disconnect; s.in.Load().Interested(subject) {
		s.tellLeft(subject, c, d)
	}
}

// tellLeft is for itself because of its stack: mostly nobody listens.
func (s *Service) tellLeft(subject string, c *broker.Client, d *broker.ConnInfo) {
	e := s.ended(c, d, d.Reason)
	s.Emit(subject, func(si ServerInfo) any { e.Server = si; return e })
}

// Refused tells operators, and the account the client was in, of one that may not be
// here.
func (o observer) Refused(c *broker.Client, why broker.Reason) {
	s := o.Service
	const inAccount = "$SYS.ACCOUNT.CLIENT.AUTH.ERR"
	everywhere := "$SYS.SERVER." + s.broker.ID() + ".CLIENT.AUTH.ERR"
	d := c.Info(false)
	a := s.broker.Account(d.Account)
	if !s.in.Load().Interested(everywhere) && (a == nil || !a.Interested(inAccount)) {
		return
	}
	e := s.ended(c, d, why.String())
	toAll := e // each is changed when its turn to be sent has come
	toAll.Event = s.newEvent(disconnectSchema)
	if a != nil {
		s.EmitIn(a, inAccount, func(si ServerInfo) any { e.Server = si; return e })
	}
	s.Emit(everywhere, func(si ServerInfo) any { toAll.Server = si; return toAll })
}

// Counted tells of an account with more or fewer connections; of the global account
// nothing is told.
func (o observer) Counted(a *broker.Account) {
	if a != o.broker.Global() {
		o.changed(a)
	}
}

func (s *Service) ended(c *broker.Client, d *broker.ConnInfo, why string) disconnectEvent {
	e := disconnectEvent{Event: s.newEvent(disconnectSchema), Client: c.About(), Reason: why,
		Sent:     Traffic{Amount: Amount{d.InMsgs, d.InBytes}},
		Received: Traffic{Amount: Amount{d.OutMsgs, d.OutBytes}},
	}
	stop := d.Stop
	if stop.IsZero() {
		stop = time.Now().UTC()
	}
	e.Client.Stop, e.Client.RTT, e.Client.NameTag = &stop, d.RTT, s.nameOf(d.Account)
	return e
}
