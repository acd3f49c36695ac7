package daemon

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/handover"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// request is something Run's goroutine shall do: a verb of the control socket.
type request struct {
	control.Request
	peer  control.Peer
	cause string                  // who asked, where it is no peer
	reply chan<- control.Response // has room for one answer
}

// statusPeriod is how often the status line is looked at; it is sent only when
// it reads differently.
const statusPeriod = 5 * time.Second

// Run starts the daemon, serves until it is told to stop, and returns the exit
// code. An error is one of the start: nobody was served.
func (d *Daemon) Run() (int, error) {
	signals := d.trap.wait()
	defer d.trap.release()
	defer d.watcher.Stop()

	var warnings []string
	d.limits, warnings = arrangeLimits()
	act := d.active.Load()
	d.banner(act.cfg)
	for _, w := range warnings {
		d.log.Warn(w)
	}
	for _, w := range d.atStart {
		d.log.Warn(w)
	}
	d.saysConfiguration(act)
	if err := d.notify.Open(); err != nil {
		d.log.Warn("Service manager: "+err.Error(), logging.Err(err))
	}
	err := d.awaitParcel()
	if err == nil {
		err = d.start()
	}
	if err != nil {
		d.tellPredecessor(err)
		d.reportStart(err)
		code := d.startCode(err)
		d.notify.Failure(err, code)
		d.logs.Close()
		return code, err
	}
	crashAt("started")
	d.tellPredecessor(nil)
	d.resume() // before all that clients need not wait for
	d.stored.EndRetired()
	d.endConversation(handover.Message{Kind: handover.Resumed})
	if act.watch != nil {
		d.watch(act.watch, act.refused)
	} else {
		d.watch(act.cfg, act.loaded)
	}
	d.keepLastGood(act)
	d.setState(stateRunning)
	d.saysWhoMayConnect()
	d.log.Info("Server is ready")
	time.AfterFunc(startOver, func() { releaseProgram(0) })
	d.warnOf("service manager", d.notify.Ready(d.statusText()))
	d.armStall()
	dog := d.startWatchdog()
	code := d.serve(signals)
	dog.stop()
	if !d.shutDown() {
		code = 1
	}
	return code, nil
}

// serve is the daemon's life: one thing at a time until one of them is the end.
func (d *Daemon) serve(signals <-chan os.Signal) (exitCode int) {
	tick := time.NewTicker(statusPeriod)
	defer tick.Stop()
	last := ""
	for {
		select {
		case sig := <-signals:
			d.log.Info(fmt.Sprintf("Trapped %q signal", sig.String()))
			if d.onSignal(sig) {
				return 0
			}
		case req := <-d.requests:
			if d.onRequest(req) {
				return 0
			}
		case paths := <-d.watcher.Changes():
			d.onFilesChanged(paths)
		case err := <-d.prepared():
			if d.onPrepared(err) {
				return 0
			}
		case <-d.renewing():
			d.onRenewal()
		case <-d.drained():
			return 0
		case <-tick.C:
			d.measureRates()
		}
		if text := d.statusText(); text != last {
			d.warnOf("service manager", d.notify.Status(text))
			last = text
		}
	}
}

// onSignal acts on one signal; true ends the daemon.
func (d *Daemon) onSignal(sig os.Signal) (end bool) {
	switch sig {
	case syscall.SIGHUP:
		d.reloadFor(request{cause: "SIGHUP"})
	case syscall.SIGUSR1:
		d.logs.Reopen() // says itself how it went
	case syscall.SIGUSR2:
		d.drain()
	case syscall.SIGINT:
		return true
	case syscall.SIGTERM:
		// A drain under way ends by itself, as with nats-server.
		return d.inState() != stateDraining
	}
	return false
}

// shutDown stops every part in the opposite order of their start. It reports false if a
// successor was to go on and none does.
func (d *Daemon) shutDown() (well bool) {
	d.setState(stateStopping)
	d.broker.EndPause()
	d.abandonUpgrade()
	d.warnOf("service manager", d.notify.Stopping("shutting down"))
	d.log.Info("Initiating Shutdown...")
	if d.handsOver() {
		d.bringToRest()
	}
	for _, p := range having[departs](d) {
		p.farewell()
	}
	for _, p := range reversed(d.parts[1:]) {
		if p != d.control {
			p.stop()
		}
	}
	well = d.succession.upgrade == nil || d.finishUpgrade()
	d.log.Info("Server Exiting..")
	close(d.ended) // verbs that wait are answered
	d.control.stop()
	d.parts[0].stop()
	d.notify.Close()
	return well
}

func (d *Daemon) warnOf(what string, err error) {
	if err != nil {
		d.log.Warn(what+": "+err.Error(), logging.Err(err))
	}
}
