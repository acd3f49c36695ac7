package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// questioned are the verbs whose questions have a form of their own, and that need not run on Run's goroutine.
func questioned(verb string) func(d *Daemon, ctx context.Context, req *control.Request, peer control.Peer) control.Response {
	switch verb {
	case control.VerbConnections:
		return answering((*Daemon).listConnections)
	case control.VerbClose:
		return answering((*Daemon).closeConnections)
	case control.VerbSubscribers:
		return answering((*Daemon).subscribers)
	case control.VerbMay:
		return answering((*Daemon).may)
	case control.VerbChecks:
		return answering((*Daemon).healthChecks)
	case control.VerbWatch:
		return (*Daemon).watchMessages
	case control.VerbScrub:
		return (*Daemon).scrub
	case control.VerbReport:
		return (*Daemon).reportAll
	case control.VerbMask:
		return answering(func(d *Daemon, q *control.Text, _ control.Peer) (*control.Text, error) {
			return &control.Text{Text: d.mask().Text(q.Text)}, nil
		})
	}
	return nil
}

// answering makes a verb of a function: its question is decoded, its answer encoded.
func answering[Q, A any](f func(*Daemon, *Q, control.Peer) (A, error)) func(*Daemon, context.Context, *control.Request, control.Peer) control.Response {
	return func(d *Daemon, _ context.Context, req *control.Request, peer control.Peer) control.Response {
		var q Q
		if err := decodeQuestion(req, &q); err != nil {
			return control.Response{Error: err.Error()}
		}
		a, err := f(d, &q, peer)
		if err != nil {
			return control.Response{Error: err.Error()}
		}
		return control.Answered(a)
	}
}

// decodeQuestion refuses what it does not know: a newer verb may mean something by it.
func decodeQuestion(req *control.Request, into any) error {
	if len(req.Ask) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(req.Ask))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("bad question of %s: %w", req.Verb, err)
	}
	return nil
}

// accountCalled finds an account by its name, or by the name that its JWT gives it, if only one has that.
func (d *Daemon) accountCalled(name string) (*broker.Account, error) {
	if name == "" {
		return d.broker.Global(), nil
	}
	if a := d.broker.Account(name); a != nil {
		return a, nil
	}
	var found *broker.Account
	for _, a := range d.broker.Accounts() {
		switch {
		case d.accountName(a.Name()) != name:
		case found != nil:
			return nil, fmt.Errorf("several accounts are called %q: use the public key", name)
		default:
			found = a
		}
	}
	if found == nil {
		return nil, fmt.Errorf("there is no account %q", name)
	}
	return found, nil
}

// by are the fields of a line about what a verb did.
func by(peer control.Peer, more ...logging.Field) []logging.Field {
	return append(more, logging.Int(logging.FieldUID, int64(peer.UID)))
}
