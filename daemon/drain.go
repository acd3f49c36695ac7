package daemon

import (
	"errors"
	"net"
	"time"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// errDraining answers who asks for what is under way.
var errDraining = errors.New("the broker is draining already")

// drain enters lame duck mode: no new clients, those that are here are told
// and closed one after another; when the last is gone the daemon ends. Run's
// goroutine.
func (d *Daemon) drain() error {
	if !d.serves() {
		return errDraining
	}
	d.broker.EndPause()
	d.setState(stateDraining)
	o := d.active.Load().cfg.Options.LameDuck
	// The manager must not kill us for taking as long as was configured.
	if err := d.notify.Stopping("lame duck mode, " + counted(uint64(d.traffic().Clients), "client") + " left"); err != nil {
		d.log.Warn("Service manager: "+err.Error(), logging.Err(err))
	}
	d.warnOf("service manager", d.notify.ExtendTimeout(o.Duration+o.GracePeriod+drainMargin))
	for _, p := range having[leaves](d) {
		p.lameDuck()
	}
	d.gone = make(chan struct{})
	go func() { // ends when the last client is gone; Stop of the core cuts it short
		defer close(d.gone)
		d.broker.LameDuck()
	}()
	return nil
}

// drainMargin is what the end of a drain may take beyond the configured time.
const drainMargin = 30 * time.Second

// drained is closed when a drain is over; nil, which blocks for ever, when
// there is none.
func (d *Daemon) drained() <-chan struct{} { return d.gone }

// reachable is an address at which a listener can be reached from this host.
func reachable(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return a.String()
	}
	if !tcp.IP.IsUnspecified() {
		return tcp.String()
	}
	local := *tcp
	local.IP = net.IPv6loopback
	if tcp.IP.To4() != nil || hasIPv4() {
		local.IP = net.IPv4(127, 0, 0, 1)
	}
	return local.String()
}

// hasIPv4 reports whether this host has an IPv4 loopback; a listener on the
// unspecified IPv6 address takes IPv4 connections as well.
func hasIPv4() bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsLoopback() && ip.IP.To4() != nil {
			return true
		}
	}
	return false
}
