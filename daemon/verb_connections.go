package daemon

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/monitor"
)

// listConnections is /connz.
func (d *Daemon) listConnections(q *monitor.ConnzOptions, _ control.Peer) (*monitor.Connz, error) {
	if q.Account != "" {
		a, err := d.accountCalled(q.Account)
		if err != nil {
			return nil, err
		}
		q.Account = a.Name()
	}
	z, err := d.reporter().Connz(*q)
	if err != nil {
		return nil, err
	}
	for _, c := range z.Conns { // what it says can be read without it
		c.JWT = ""
	}
	return z, nil
}

// maxCloseReason bounds what a client is told of why it is closed, in bytes.
const maxCloseReason = 256

// closeConnections closes those that are named, or all of a user, of an account, or of both.
func (d *Daemon) closeConnections(q *control.Close, peer control.Peer) (*control.Closed, error) {
	if len(q.CIDs) == 0 && q.User == "" && q.Account == "" {
		return nil, errors.New("which connections are meant is not said")
	}
	if len(q.CIDs) > 0 && (q.User != "" || q.Account != "") {
		return nil, errors.New("connections by number, or by user and account: one of them is meant")
	}
	if len(q.Reason) > maxCloseReason || strings.ContainsFunc(q.Reason, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\'' }) {
		return nil, fmt.Errorf("the reason has more than %d bytes, or characters that do not fit into a line", maxCloseReason)
	}
	answer := &control.Closed{CIDs: []uint64{}}
	meant, err := d.connectionsMeant(q, answer)
	if err != nil {
		return nil, err
	}
	for _, c := range meant {
		c.Close(broker.Kicked, q.Reason)
		answer.CIDs = append(answer.CIDs, c.CID())
	}
	slices.Sort(answer.CIDs)
	if n := len(answer.CIDs); n > 0 {
		d.log.Info(fmt.Sprintf("Closed %s of %s for %s%s", counted(uint64(n), "connection"), whose(q), peer, because(q.Reason)), by(peer,
			logging.Int(logging.FieldCount, int64(n)), logging.String(logging.FieldReason, q.Reason))...)
	}
	return answer, nil
}

// connectionsMeant finds them; those that are not there are noted.
func (d *Daemon) connectionsMeant(q *control.Close, answer *control.Closed) (list []*broker.Client, err error) {
	for _, cid := range q.CIDs {
		if c := d.broker.Client(cid); c != nil && !slices.Contains(list, c) {
			list = append(list, c)
		} else if c == nil {
			answer.Missing = append(answer.Missing, cid)
		}
	}
	if len(q.CIDs) > 0 {
		return list, nil
	}
	account := ""
	if q.Account != "" {
		a, err := d.accountCalled(q.Account)
		if err != nil {
			return nil, err
		}
		account = a.Name()
	}
	for _, c := range d.broker.Clients() {
		if (q.User == "" || c.User() == q.User) && (account == "" || c.AccountName() == account) {
			list = append(list, c)
		}
	}
	return list, nil
}

// whose says what was meant, for the log.
func whose(q *control.Close) string {
	var parts []string
	if len(q.CIDs) > 0 {
		parts = append(parts, "those named")
	}
	if q.User != "" {
		parts = append(parts, fmt.Sprintf("user %q", q.User))
	}
	if q.Account != "" {
		parts = append(parts, fmt.Sprintf("account %q", q.Account))
	}
	return strings.Join(parts, " in ")
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}
