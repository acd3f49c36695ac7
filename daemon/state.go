package daemon

import (
	"sync/atomic"

	"github.com/nats-broker/nats-broker/daemon/control"
)

// The states of the process, as the control socket reports them.
const (
	stateStarting = control.StateStarting
	stateRunning  = control.StateRunning
	statePaused   = control.StatePaused
	stateDraining = control.StateDraining
	stateStopping = control.StateStopping
)

func (d *Daemon) setState(s string) { d.state.Store(&s) }
func (d *Daemon) inState() string   { return *d.state.Load() }

// serves reports whether the broker is not about to go: it runs, or is paused.
func (d *Daemon) serves() bool { return d.inState() == stateRunning || d.inState() == statePaused }

// reloadCounts count the outcomes of reloads, for monitoring.
type reloadCounts struct {
	applied, refused, unchanged atomic.Uint64
}
