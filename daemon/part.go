package daemon

import (
	"github.com/nats-broker/nats-broker/daemon/config"
)

// part is something that runs as the configuration says: a subsystem, or a
// file that must exist while the broker runs. Parts are started in order and
// stopped in the opposite one, all by Run's goroutine.
type part interface {
	// name is for error messages: "client listener", "monitor".
	name() string
	// start makes it run as cfg says.
	start(cfg *config.Config) error
	// prepare makes everything ready for a change from old to new without
	// changing what others can see. A nil change means that nothing of it
	// concerns this part.
	prepare(old, new *config.Config) (*change, error)
	// stop ends it; called once, also after a failed start.
	stop()
}

// change is one part's share of a reload, ready to be carried out or dropped:
// exactly one of commit and abort is called. commit cannot fail: whatever can
// is done by prepare.
type change struct {
	commit func()
	abort  func() // nil: nothing to undo
}

func (c *change) drop() {
	if c != nil && c.abort != nil {
		c.abort()
	}
}
