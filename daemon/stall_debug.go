//go:build stallhook

package daemon

import (
	"os"
	"os/signal"
	"syscall"
)

// armStall makes SIGTTIN hang the core. Only in builds with the tag stallhook,
// which are made for the test of the watchdog.
func (d *Daemon) armStall() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTTIN)
	go func() { // for as long as the process lives
		<-c
		d.broker.Stall()
	}()
}
