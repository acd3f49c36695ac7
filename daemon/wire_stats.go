package daemon

import (
	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/control"
)

// traffic reads the counters of all parts.
func (d *Daemon) traffic() control.Traffic {
	var t control.Traffic
	for _, p := range having[counts](d) {
		p.count(&t)
	}
	if r := d.rates.Load(); r != nil {
		t.InMsgsRate, t.OutMsgsRate = r.inSec, r.outSec
	}
	return t
}

func addTraffic(t *control.Traffic, more broker.Traffic) {
	t.InMsgs += uint64(more.InMsgs)
	t.InBytes += uint64(more.InBytes)
	t.OutMsgs += uint64(more.OutMsgs)
	t.OutBytes += uint64(more.OutBytes)
}
