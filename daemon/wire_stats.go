package daemon

import "github.com/nats-broker/nats-broker/daemon/control"

// traffic reads the core's counters.
func (d *Daemon) traffic() control.Traffic {
	s := d.broker.Stats()
	_, routes, crossed := d.cluster.figures()
	t := control.Traffic{
		Clients:       s.Connections,
		Routes:        routes,
		Subscriptions: uint64(max(s.Subscriptions, 0)),
		SlowConsumers: uint64(max(s.SlowConsumers, 0)),
		InMsgs:        uint64(s.InMsgs + crossed.InMsgs), InBytes: uint64(s.InBytes + crossed.InBytes),
		OutMsgs: uint64(s.OutMsgs + crossed.OutMsgs), OutBytes: uint64(s.OutBytes + crossed.OutBytes),
	}
	if r := d.rates.Load(); r != nil {
		t.InMsgsRate, t.OutMsgsRate = r.inSec, r.outSec
	}
	return t
}
