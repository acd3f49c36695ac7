package daemon

import (
	"context"
	"slices"
	"time"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

var _ handsOn = (*ticketKeysPart)(nil)

// ticketKeysPart has the keys of session tickets, a set for each kind of listener, from the first configuration to the
// last process: clients that come back after a restart, or an upgrade, resume what they had.
type ticketKeysPart struct {
	client, websocket *transport.TicketKeys
	handsOver         func() bool // whether keys of connections may leave the process
}

func newTicketKeysPart(handsOver func() bool) *ticketKeysPart {
	return &ticketKeysPart{transport.NewTicketKeys(), transport.NewTicketKeys(), handsOver}
}

func (p *ticketKeysPart) name() string { return "keys of session tickets" }

func (p *ticketKeysPart) start(*config.Config) error { return nil }

func (p *ticketKeysPart) prepare(_, _ *config.Config) (*change, error) { return nil, nil }

func (p *ticketKeysPart) stop() {}

// Section, settle, leave and take implement [handsOn].
func (p *ticketKeysPart) section() string { return "ticket keys" }

func (p *ticketKeysPart) settle(context.Context) {}

func (p *ticketKeysPart) leave() (*section, error) {
	if !p.handsOver() {
		return nil, nil
	}
	state := &ticketKeysState{left(p.client), left(p.websocket)}
	return &section{state: fields.Append(nil, state)}, nil
}

func (p *ticketKeysPart) take(s *section) error {
	if s == nil || !p.handsOver() {
		return nil
	}
	var state ticketKeysState
	if err := fields.Read(s.state, &state); err != nil {
		return err
	}
	if err := p.client.Continue(taken(state.client)); err != nil {
		return err
	}
	return p.websocket.Continue(taken(state.websocket))
}

// ticketKeysState is what is left: the keys of each kind of listener, the newest first.
type ticketKeysState struct{ client, websocket []ticketKeyState }

// Fields implements [fields.Record].
func (s *ticketKeysState) Fields(f *fields.Codec) {
	fields.List(f, 1, &s.client)
	fields.List(f, 2, &s.websocket)
}

type ticketKeyState struct {
	id, secret []byte
	made       int64 // nanoseconds since 1970
}

// Fields implements [fields.Record].
func (s *ticketKeyState) Fields(f *fields.Codec) {
	f.Bytes(1, &s.id)
	f.Bytes(2, &s.secret)
	fields.Number(f, 3, &s.made)
}

func left(k *transport.TicketKeys) (list []ticketKeyState) {
	for _, key := range k.Keys() {
		list = append(list, ticketKeyState{key.ID, key.Secret, key.Made.UnixNano()})
	}
	return list
}

func taken(list []ticketKeyState) (keys []transport.TicketKey) {
	for _, s := range list {
		keys = append(keys, transport.TicketKey{ID: slices.Clone(s.id), Secret: slices.Clone(s.secret), Made: time.Unix(0, s.made)})
	}
	return keys
}
