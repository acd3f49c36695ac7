package daemon

import (
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/fieldstest"
)

func TestTicketKeysAreCarriedWhole(t *testing.T) {
	fieldstest.Complete[ticketKeysState](t)
	fieldstest.Complete[ticketKeyState](t)
}
