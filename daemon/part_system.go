package daemon

import (
	"context"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/system"
)

var (
	_ leaves  = (*systemPart)(nil)
	_ departs = (*systemPart)(nil)
	_ handsOn = (*systemPart)(nil)
)

// systemPart is the broker's side of the system account: requests and events. It
// does nothing where there is no system account.
//
// It is made before the parts that register handlers with it, and starts before
// clients are let in. It falls silent before all others stop (farewell), so that what
// it has to say about the end still finds its way.
type systemPart struct {
	service *system.Service
	off     bool   // the configuration wants no system account
	build   string // our version
}

func newSystemPart(cfg *config.Config, build string, b *broker.Broker, src system.Source, log *logging.Logger) *systemPart {
	return &systemPart{service: system.New(b, systemOptions(cfg.Options, build), src, log), off: cfg.Options.NoSystemAccount, build: build}
}

func (p *systemPart) name() string { return "system account" }

func (p *systemPart) start(*config.Config) error {
	if p.off {
		return nil
	}
	return p.service.Start()
}

// prepare follows the configuration; the core has changed before.
func (p *systemPart) prepare(_, new *config.Config) (*change, error) {
	commit, err := p.service.Prepare(systemOptions(new.Options, p.build))
	if err != nil {
		return nil, err
	}
	return &change{commit: commit}, nil
}

// lameDuck tells others that the broker is about to go.
func (p *systemPart) lameDuck() { p.service.LameDuck() }

// Section, settle, leave and take implement [handsOn]: the next process has our id, and must not number what it tells
// other servers from the beginning.
func (p *systemPart) section() string { return "system account" }

func (p *systemPart) settle(context.Context) {}

// numbersAhead is how many messages may still be sent after leave.
const numbersAhead = 1 << 20

// systemState is what is left.
type systemState struct{ seq uint64 }

// Fields implements [fields.Record].
func (s *systemState) Fields(f *fields.Codec) { fields.Number(f, 1, &s.seq) }

func (p *systemPart) leave() (*section, error) {
	return &section{state: fields.Append(nil, &systemState{p.service.Sequence() + numbersAhead})}, nil
}

func (p *systemPart) take(s *section) error {
	if s == nil {
		return nil
	}
	var state systemState
	if err := fields.Read(s.state, &state); err != nil {
		return err
	}
	p.service.Continue(state.seq)
	return nil
}

// farewell says what there is to say at the end, and ends the service.
func (p *systemPart) farewell() { p.service.Stop() }

func (p *systemPart) stop() { p.service.Stop() }
