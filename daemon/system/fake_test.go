package system

import (
	"context"

	"github.com/nats-broker/nats-broker/daemon/broker"
)

// intoSystem lets everyone into the system account.
type intoSystem struct{}

func (intoSystem) Requires() broker.AuthRequirements { return broker.AuthRequirements{} }

func (intoSystem) Authenticate(context.Context, *broker.AuthRequest) (*broker.Identity, error) {
	return &broker.Identity{Account: "$SYS"}, nil
}
