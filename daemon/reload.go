package daemon

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/confparse"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/watch"
)

// reloading tells the service manager of a reload, and returns what tells it that it is over. That must follow whatever
// happens, or the manager waits for ever.
func (d *Daemon) reloading() (over func()) {
	d.warnOf("service manager", d.notify.Reloading("reading the configuration"))
	return func() { d.warnOf("service manager", d.notify.Ready(d.statusText())) }
}

// apply applies what was read, err with it, or changes nothing; unasked, what lowers the protection is refused.
func (d *Daemon) apply(cause string, check, unasked bool, next *active, warnings []config.Warning, err error) control.Response {
	cfg := next.cfg
	if !check {
		d.watch(cfg, next.loaded) // also when refused: the fix must be noticed
	}
	if err == nil && cfg.File == "" && len(cfg.Files) == 0 {
		err = errors.New("can only reload config when a file is provided using -c or --config")
	}
	if err != nil {
		return d.refuse(cause, check, err)
	}
	old := d.active.Load()
	changes := config.Diff(old.cfg, cfg)
	report := &control.Reload{
		Changes: reportChanges(changes, cfg), Warnings: warningTexts(warnings),
		File: cfg.File, Digest: cfg.Digest, Files: filesOf(cfg), Checked: check,
	}
	cfg.Forget() // nobody has it yet
	if err := restartOnly(changes); err != nil {
		resp := d.refuse(cause, check, err)
		if check {
			resp.Reload = report // what else there is, which a restart would bring
		}
		return resp
	}
	if unasked {
		if err := errUnasked(old, next); err != nil {
			return d.refuse(cause, check, err)
		}
	}
	ready, err := d.prepareAll(old.cfg, cfg)
	if err != nil {
		return d.refuse(cause, check, err)
	}
	if check {
		dropAll(ready)
		return control.Response{OK: true, Reload: report}
	}
	for _, c := range ready {
		if c != nil {
			c.commit()
		}
	}
	wasOpen := d.openWarning()
	d.active.Store(next)
	if open := d.openWarning(); open != "" && open != wasOpen {
		d.log.Event(logging.Warn, logging.OpenToAll, open)
	}
	d.announce(cause, changes, report.Warnings, cfg, old)
	d.watch(cfg, next.loaded) // config_watch itself may have changed
	d.keepLastGood(next)
	return control.Response{OK: true, Reload: report}
}

// prepareAll asks every part to get ready. If one refuses, all that agreed
// before are dropped and nothing has changed.
func (d *Daemon) prepareAll(old, new *config.Config) ([]*change, error) {
	ready := make([]*change, 0, len(d.parts))
	for _, p := range d.parts {
		c, err := p.prepare(old, new)
		if err != nil {
			dropAll(ready)
			return nil, fmt.Errorf("%s: %w", p.name(), err)
		}
		ready = append(ready, c)
	}
	return ready, nil
}

// dropAll drops prepared changes, the last one first.
func dropAll(ready []*change) {
	for i := len(ready) - 1; i >= 0; i-- {
		ready[i].drop()
	}
}

// restartOnly refuses changes that need a new process, naming them all.
func restartOnly(changes []config.Change) error {
	var names []string
	for _, c := range changes {
		if c.Class == config.Restart {
			names = append(names, c.Path)
		}
	}
	if names == nil {
		return nil
	}
	return needsRestart(strings.Join(names, ", "))
}

// ErrReloadNotSupported is a change of the configuration that needs a new process.
var ErrReloadNotSupported = errors.New("config reload not supported")

func needsRestart(what string) error {
	return fmt.Errorf("%w for %s: it needs a restart", ErrReloadNotSupported, what)
}

// CheckReload says why a broker that runs with old could not go over to new by a reload; nil if it could. It is
// [ErrReloadNotSupported] if a restart could. What depends on the state of a process (addresses, accounts that a resolver
// knows) is not looked at.
func CheckReload(old, new *config.Config) error {
	if err := restartOnly(config.Diff(old, new)); err != nil {
		return err
	}
	o, n := old.Options, new.Options
	if err := clusterStays(o.Cluster.Enabled(), n.Cluster.Enabled()); err != nil {
		return err
	}
	if n.Cluster.Enabled() {
		if err := knownAccounts(o, n); err != nil {
			return err
		}
	}
	return resolverStays(o, n)
}

// announce writes an applied reload to the log, a line for each change.
func (d *Daemon) announce(cause string, changes []config.Change, warnings []string, cfg *config.Config, old *active) {
	for _, w := range warnings {
		d.log.Warn(w)
	}
	for _, c := range changes {
		d.log.Info("Reloaded: "+changeLine(c), logging.String(logging.FieldOption, c.Path))
	}
	if len(changes) == 0 && old.err == nil && !old.lastGood {
		d.reloads.unchanged.Add(1)
	} else {
		d.reloads.applied.Add(1)
	}
	digest := ""
	if cfg.Digest != "" {
		digest = " (" + cfg.Digest + ")"
	}
	d.log.Event(logging.Info, logging.ReloadApplied, "Reloaded server configuration"+digest,
		logging.String(logging.FieldCause, cause), logging.Int(logging.FieldChanges, int64(len(changes))))
}

// changeLine is what nats-server writes behind "Reloaded: ".
func changeLine(c config.Change) string {
	if c.New == "" || c.Old == c.New || c.New == "added" {
		return c.Path
	}
	return c.Path + " = " + c.New
}

// refuse reports a reload that changed nothing.
func (d *Daemon) refuse(cause string, check bool, err error) control.Response {
	resp := control.Response{Error: firstError(err), Detail: Describe(err)}
	if check {
		return resp
	}
	d.reloads.refused.Add(1)
	act := *d.active.Load()
	act.refused, act.err = time.Now(), err
	d.active.Store(&act)
	d.log.Event(logging.Error, logging.ReloadRefused, "Failed to reload server configuration: "+plainErrors(err),
		logging.String(logging.FieldReason, firstError(err)), logging.String(logging.FieldConfigFile, act.cfg.File),
		logging.String(logging.FieldCause, cause), logging.Err(err))
	d.reportUnusable()
	return resp
}

// firstError is the first mistake, in one line, and how many more there are.
func firstError(err error) string {
	var list confparse.Errors
	if errors.As(err, &list) && len(list) > 1 {
		return fmt.Sprintf("%s (and %d more)", list[0].Error(), len(list)-1)
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// plainErrors lists every mistake in one line, for the log.
func plainErrors(err error) string {
	var list confparse.Errors
	if !errors.As(err, &list) {
		return strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = e.Error()
	}
	return strings.Join(texts, "; ")
}

// Describe writes a configuration's mistakes the long way, each with the line
// in question, when err holds such; otherwise its text.
func Describe(err error) string {
	var list confparse.Errors
	if !errors.As(err, &list) {
		return err.Error()
	}
	var b bytes.Buffer
	list.Render(&b, false)
	return strings.TrimRight(b.String(), "\n")
}

func reportChanges(changes []config.Change, cfg *config.Config) []control.Change {
	list := make([]control.Change, len(changes))
	for i, c := range changes {
		list[i] = control.Change{Option: c.Path, Old: c.Old, New: c.New, Class: c.Class.String()}
		if at, ok := cfg.Origin(c.Path); ok {
			list[i].Where = at.Pos().String()
		}
	}
	return list
}

func warningTexts(list config.Warnings) []string {
	var texts []string
	for _, w := range list {
		texts = append(texts, w.Error.Error())
	}
	return texts
}

// filesOf lists the files a configuration was made from.
func filesOf(cfg *config.Config) []string {
	var list []string
	for _, f := range cfg.Files {
		list = append(list, f.Path)
	}
	return list
}

// watchedPaths are the files and directories in which a change may mean a
// different configuration.
func watchedPaths(cfg *config.Config) []string {
	list := append(filesOf(cfg), cfg.Missed...)
	if cfg.File != "" {
		list = append(list, cfg.File) // it may not have been readable
	}
	for _, c := range cfg.Certificates {
		list = append(list, c.Path)
	}
	return append(list, cfg.Dirs...)
}

// watch makes the watcher look after what the configuration depends on. since
// is when reading it began.
func (d *Daemon) watch(cfg *config.Config, since time.Time) {
	if cfg == nil || cfg.File == "" || !d.active.Load().cfg.Options.Process.ConfigWatch {
		d.watcher.Set(nil, since)
		return
	}
	d.watcher.Set(watchedPaths(cfg), since)
}

// unchanged reports whether the configuration in effect was made of what the files hold now, and goes on watching. It
// costs little, and a file is reported as changed after every reload that followed a change at once.
func (d *Daemon) unchanged(paths []string) bool {
	act, now := d.active.Load(), time.Now()
	if act.err != nil || act.lastGood || d.renewal != nil {
		return false
	}
	known := make(map[string][sha256.Size]byte)
	for _, f := range act.cfg.Files {
		known[f.Path] = f.Digest
	}
	for _, f := range act.cfg.Certificates {
		known[f.Path] = f.Digest
	}
	for _, path := range paths {
		digest, ok := known[path]
		text, err := os.ReadFile(path)
		if !ok || err != nil || sha256.Sum256(text) != digest {
			return false
		}
	}
	d.watch(act.cfg, now)
	return true
}

// onFilesChanged reloads because files did. A change that changes nothing (a
// touched file) is not worth a line.
func (d *Daemon) onFilesChanged(paths []string) {
	if !d.serves() || !d.active.Load().cfg.Options.Process.ConfigWatch {
		return
	}
	if d.unchanged(paths) {
		return
	}
	next, warnings, err := d.load()
	files := filesOf(next.cfg)
	if watch.BeingWritten(files) { // somebody has begun since it was reported
		d.watch(next.cfg, time.Time{}) // it is reported again when it is at rest, whatever was written until now
		return
	}
	if watch.ChangedSince(files, next.loaded) {
		d.watch(next.cfg, next.loaded) // the same
		return
	}
	act := d.active.Load()
	if err == nil && act.err == nil && !act.lastGood && next.cfg.Digest == act.cfg.Digest && len(config.Diff(act.cfg, next.cfg)) == 0 {
		d.watch(next.cfg, next.loaded)
		return
	}
	if d.awaitsPair(next, err) {
		d.renewal.paths = paths
		d.watch(next.cfg, next.loaded)
		return
	}
	refused := err
	if err == nil && act.cfg.File != "" {
		refused = errUnasked(act, next)
	}
	if refused != nil && act.err != nil && refused.Error() == act.err.Error() {
		d.watch(next.cfg, next.loaded) // as bad as before: said already
		return
	}
	d.log.Info("Configuration changed on disk: " + strings.Join(paths, ", "))
	defer d.reloading()()
	d.apply("change of "+strings.Join(paths, ", "), false, true, next, warnings, err)
}
