package daemon

import (
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/jetstream"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// literal refuses what nobody can publish to.
func literal(s string) error {
	switch {
	case !subject.ValidStrict(s, false):
		return fmt.Errorf("%q is not a valid subject", s)
	case !subject.IsLiteral(s):
		return fmt.Errorf("%q has wildcards: messages are published on subjects without", s)
	}
	return nil
}

// subscribers tells who would receive a message.
func (d *Daemon) subscribers(q *control.SubscribersQuery, _ control.Peer) (*control.Subscribers, error) {
	if err := literal(q.Subject); err != nil {
		return nil, err
	}
	a, err := d.accountCalled(q.Account)
	if err != nil {
		return nil, err
	}
	answer := &control.Subscribers{Account: d.accountName(a.Name()), Subject: q.Subject, Receivers: []control.Receiver{}}
	most := control.MaxReceivers
	if q.Limit > 0 {
		most = min(most, q.Limit)
	}
	a.Receivers(q.Subject, q.Request, func(r *broker.Receiver) {
		answer.Total++
		if len(answer.Receivers) < most {
			answer.Receivers = append(answer.Receivers, d.receiver(r))
		}
	})
	return answer, nil
}

// receiver describes one for people.
func (d *Daemon) receiver(r *broker.Receiver) control.Receiver {
	c := control.Receiver{
		Kind: string(r.Kind), Account: d.accountName(r.Account), Subject: r.Subject, Pattern: r.Pattern, Queue: r.Queue, Share: r.Share, Last: r.Last,
		SID: r.SID, Withheld: r.Withheld, Via: r.Via,
	}
	if r.Client != nil {
		var i broker.ConnInfo
		r.Client.Describe(&i)
		c.CID, c.Name, c.User = i.CID, i.Name, i.User
	}
	if named, ok := r.Remote.(interface{ PeerName() string }); ok {
		c.Name = named.PeerName()
	}
	switch s := r.Sink.(type) {
	case nil:
	case *jetstream.Stream:
		c.Kind, c.Name = "stream", s.Name()
	default:
		c.Kind, c.Name = string(broker.PartReceives), "JetStream API"
	}
	return c
}
