package daemon

import (
	"errors"
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/auth"
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// may tells what a user may, by the configuration, or by what its connections were given.
func (d *Daemon) may(q *control.MayQuery, _ control.Peer) (*control.May, error) {
	switch {
	case q.Action == control.Publish && q.Queue != "":
		return nil, errors.New("a queue group is one of subscriptions")
	case q.Action == control.Publish:
		if err := literal(q.Subject); err != nil {
			return nil, err
		}
	case q.Action != control.Subscribe:
		return nil, fmt.Errorf("%q: it is publish or subscribe", q.Action)
	case !subject.Valid(q.Subject):
		return nil, fmt.Errorf("%q is not a valid subject", q.Subject)
	}
	answer := &control.May{MayQuery: *q, Verdicts: []control.Verdict{}}
	if id, ok := d.gate.auth.Configured(q.User); ok {
		answer.Known = true
		answer.Verdicts = append(answer.Verdicts, d.verdict(q, id.Account, id.Permissions))
		return answer, nil
	}
	seen := map[*auth.Permissions]bool{}
	for _, c := range d.broker.Clients() {
		if c.User() != q.User || q.User == "" || c.User() == ticketUser {
			continue
		}
		var p *auth.Permissions
		if r, ok := c.Identity().Permissions.(rights); ok {
			p = r.Permissions
		}
		answer.Known = true
		if !seen[p] {
			seen[p] = true
			v := d.verdict(q, c.AccountName(), p)
			v.CID = c.CID()
			answer.Verdicts = append(answer.Verdicts, v)
		}
	}
	return answer, nil
}

// verdict is what somebody with these permissions may in an account.
func (d *Daemon) verdict(q *control.MayQuery, account string, p *auth.Permissions) (v control.Verdict) {
	v.Account = d.accountName(account)
	a, most := d.broker.Account(account), d.broker.Options().MaxSubTokens
	switch {
	case a == nil:
		v.Why = "there is no such account"
	case q.Action == control.Publish && a.ServersOnly(q.Subject):
		v.Why = "only servers may publish there"
	case q.Action == control.Publish:
		v.May, v.Why = p.WhyPublish(q.Subject)
	case q.Queue == broker.SystemQueue:
		v.Why = "only servers may join that queue group"
	default:
		v.May, v.Why, v.Held, v.Only = p.WhySubscribe(q.Subject, q.Queue)
		if v.May && most > 0 && subject.Tokens([]byte(q.Subject)) > most {
			v.May, v.Why = false, fmt.Sprintf("the subject has more than max_sub_tokens, %d", most)
		}
	}
	return v
}
