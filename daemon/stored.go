package daemon

import (
	"net"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// retireStored ends listeners that the process before us left with the service
// manager and that the configuration no longer wants: another address, none,
// or one that a socket unit serves.
func (d *Daemon) retireStored(o *config.Options) {
	own := make(map[string]endpoint)
	for _, p := range having[listens](d) {
		for _, at := range p.places(o) {
			own[at.name] = at.at
		}
	}
	for _, name := range d.System.Sockets.Names() {
		delete(own, name)
	}
	ended, err := d.stored.Retire(d.succession.line != nil, func(name string, at net.Addr) bool {
		e, ok := own[name]
		return ok && e.wants(at)
	})
	d.warnOf("service manager", err)
	for _, s := range ended {
		d.log.Info("Closed the listener kept over the restart, "+s.String()+": the configuration does not want it",
			logging.String(logging.FieldListener, s.Addr.String()))
	}
}

// takeStored returns the listener of that name which the process before us
// left, or nil: open one then.
func (d *Daemon) takeStored(name string) net.Listener {
	l, err := d.stored.Take(name)
	d.warnOf("stored listener", err)
	if l == nil {
		return nil
	}
	d.log.Info("Taking over the "+name+" listener kept over the restart, "+l.Addr().String(),
		logging.String(logging.FieldListener, l.Addr().String()))
	return l
}

// keepStored leaves copies of listeners with the service manager, in place of
// those it had under that name. A failure costs the next restart a moment
// without a listener and is no reason to stop.
func (d *Daemon) keepStored(name string, listeners ...net.Listener) {
	d.warnOf("service manager", d.stored.Keep(name, listeners...))
}
