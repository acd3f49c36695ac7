package daemon

import (
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/control"
)

// The states of the process, as the control socket reports them.
const (
	stateStarting = control.StateStarting
	stateRunning  = control.StateRunning
	stateDraining = control.StateDraining
	stateStopping = control.StateStopping
)

func (d *Daemon) setState(s string) { d.state.Store(&s) }
func (d *Daemon) inState() string   { return *d.state.Load() }

// reloadCounts count the outcomes of reloads, for monitoring.
type reloadCounts struct {
	applied, refused, unchanged atomic.Uint64
}
