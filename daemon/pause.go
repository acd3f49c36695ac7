package daemon

import (
	"fmt"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// maxPauseTime bounds how long clients may be moved away for.
const maxPauseTime = 24 * time.Hour

// onPause stops letting clients in. Run's goroutine.
func (d *Daemon) onPause(req request) {
	var q control.Pause
	if err := decodeQuestion(&req.Request, &q); err != nil {
		req.reply <- control.Response{Error: err.Error()}
		return
	}
	o := d.active.Load().cfg.Options.LameDuck
	if q.Grace == 0 {
		q.Grace = o.GracePeriod
	}
	if q.Spread == 0 {
		q.Spread = max(o.Duration-q.Grace, 0)
	}
	switch {
	case q.Grace < 0 || q.Spread < 0 || q.Grace > maxPauseTime || q.Spread > maxPauseTime:
		req.reply <- control.Response{Error: fmt.Sprintf("clients cannot be moved within %s and %s", q.Grace, q.Spread)}
		return
	case d.inState() != stateRunning:
		req.reply <- control.Response{Error: "the broker is " + d.inState()}
		return
	}
	moved, ok := d.broker.Pause(!q.Keep, q.Grace, q.Spread)
	if !ok {
		req.reply <- control.Response{Error: "the broker is about to stop"}
		return
	}
	d.cluster.pause()
	d.setState(statePaused)
	d.log.Event(logging.Warn, logging.BrokerPaused, "Paused by "+req.peer.String()+": no clients are let in", by(req.peer)...)
	if !q.Wait || q.Keep {
		req.reply <- d.pauseState()
		return
	}
	go func() { // ends when the clients are gone, or with the pause, which a stop ends too
		<-moved
		req.reply <- d.pauseState()
	}()
}

// resumeClients lets clients in again. Run's goroutine.
func (d *Daemon) resumeClients(peer control.Peer) control.Response {
	if d.inState() != statePaused || !d.broker.Unpause() {
		return control.Response{Error: "the broker is " + d.inState() + ", and not paused"}
	}
	d.setState(stateRunning)
	d.cluster.resume()
	d.log.Event(logging.Info, logging.BrokerResumed, "Resumed by "+peer.String()+": clients are let in", by(peer)...)
	return d.pauseState()
}

func (d *Daemon) pauseState() control.Response {
	return control.Answered(control.Paused{State: d.inState(), Clients: d.broker.NumClients()})
}
