package daemon

import (
	"cmp"
	"runtime"
	"time"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// banner writes the first lines of the log, those that operators and tests look
// for, in nats-server's form.
func (d *Daemon) banner(cfg *config.Config) {
	id := d.Identity
	d.log.Info("Starting " + id.Name)
	d.log.Info("  Version:  " + id.Version)
	d.log.Info("  Git:      [" + cmp.Or(id.Commit, "not set") + "]")
	d.log.Debug("  Go build: " + runtime.Version())
	if cfg.Options.Cluster.Enabled() {
		d.log.Info("  Cluster:  " + d.cluster.clusterName())
	}
	d.log.Info("  Name:     " + d.broker.Options().ServerName)
	d.log.Info("  ID:       " + d.broker.ID())
	for _, line := range d.limits.lines() {
		d.log.Info(line)
	}
}

// saysWhoMayConnect warns of listeners that let anybody of other machines in, or tells that here nobody is asked.
func (d *Daemon) saysWhoMayConnect() {
	if open := d.openWarning(); open != "" {
		d.log.Event(logging.Warn, logging.OpenToAll, open)
		return
	}
	if clients := d.core.current(); len(clients) > 0 && !asksForCredentials(d.active.Load().cfg.Options) {
		scheme := "nats://"
		if d.broker.Options().TLS != nil {
			scheme = "tls://"
		}
		d.log.Info("Clients need no credentials: " + scheme + reachable(clients[0].addr()))
	}
}

// saysConfiguration tells which file is in effect.
func (d *Daemon) saysConfiguration(a *active) {
	if a.lastGood {
		d.log.Event(logging.Error, logging.LastGoodInUse,
			"The configuration on disk is bad, starting with the last good one of "+a.loaded.Format(time.DateTime)+": "+plainErrors(a.err),
			logging.String(logging.FieldReason, firstError(a.err)), logging.String(logging.FieldConfigFile, d.Invocation.ConfigFile), logging.Err(a.err))
	}
	if a.cfg.File == "" {
		d.log.Info("No configuration file: what is set by the command line and the environment, and defaults, are in use")
		return
	}
	digest := a.cfg.Digest
	if digest != "" {
		digest = " (" + digest + ")"
	}
	d.log.Info("Using configuration file: " + a.cfg.File + digest)
}
