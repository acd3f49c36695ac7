package daemon

import (
	"fmt"
	"time"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// A certificate and its key are two files, and are renewed one after the other. A reload in between would find two that
// do not belong together. Such a pair is not judged before the other file has had time to come: the certificate in use
// stays, nothing of the configuration changes, and whoever asked for a reload waits for the answer.

// Times of a renewal.
const (
	pairPatience = 30 * time.Second       // for the other file
	pairLook     = 250 * time.Millisecond // how often it is looked for
)

// renewal is a reload that waits for the other half of a pair. It belongs to Run's goroutine.
type renewal struct {
	pair  config.CertPair
	until time.Time
	tick  *time.Ticker
	asked []request // for reloads
	paths []string  // that changed, without anybody asking
}

// renewing ticks while a reload waits.
func (d *Daemon) renewing() <-chan time.Time {
	if d.renewal == nil {
		return nil
	}
	return d.renewal.tick.C
}

// awaitsPair reports whether what was read, with an error, is to be read again later, since half of a pair is new; the
// caller adds to the renewal what shall be done then.
func (d *Daemon) awaitsPair(next *active, err error) bool {
	if err == nil {
		return false
	}
	pair, half := config.HalfRenewed(d.active.Load().cfg, next.cfg)
	if !half || d.renewal != nil && !time.Now().Before(d.renewal.until) {
		return false
	}
	if d.renewal == nil {
		d.renewal = &renewal{until: time.Now().Add(pairPatience), tick: time.NewTicker(pairLook)}
	}
	if d.renewal.pair != pair {
		d.renewal.pair = pair
		d.log.Info(fmt.Sprintf("Certificate %s and key %s do not belong together, one of them is new: waiting up to %s for the other",
			pair.CertFile, pair.KeyFile, pairPatience), logging.String(logging.FieldCertificate, pair.CertFile))
	}
	return true
}

// onRenewal reads again what waits, when the pair is complete or it has waited long enough.
func (d *Daemon) onRenewal() {
	r := d.renewal
	if r.pair.Load() != nil && time.Now().Before(r.until) {
		return
	}
	asked, paths := r.asked, r.paths
	r.asked, r.paths = nil, nil
	for _, req := range asked {
		d.reloadFor(req)
	}
	if len(asked) == 0 {
		d.onFilesChanged(paths)
	}
	if r.asked == nil && r.paths == nil {
		r.tick.Stop()
		d.renewal = nil
	}
}

// reloadFor reads the configuration again and applies it, or changes nothing, for somebody who asked; with half a pair,
// later. If it is to be checked only nothing is applied in any case.
func (d *Daemon) reloadFor(req request) {
	cause := req.cause
	if cause == "" {
		cause = "request of " + req.peer.String()
	}
	over := func() {}
	if !req.Check {
		over = d.reloading()
	}
	next, warnings, err := d.load()
	if !req.Check && d.awaitsPair(next, err) {
		d.renewal.asked = append(d.renewal.asked, req) // the service manager waits as well
		return
	}
	resp := d.apply(cause, req.Check, false, next, warnings, err)
	over()
	if req.reply != nil {
		req.reply <- resp
	}
}

// awaitFreshPairs reads the configuration of a start again while a pair is half there that is being renewed just now.
func (d *Daemon) awaitFreshPairs(act *active, warnings config.Warnings, err error) (*active, config.Warnings, error) {
	for err != nil && config.FreshHalf(act.cfg, pairPatience) {
		time.Sleep(pairLook)
		act, warnings, err = d.load()
	}
	return act, warnings, err
}
