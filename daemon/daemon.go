package daemon

import (
	"debug/elf"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/sysd"
	"github.com/nats-broker/nats-broker/daemon/watch"
)

// Params is what a Daemon is made from.
type Params struct {
	Identity   Identity
	Invocation *config.Invocation
	Environ    []string          // as os.Environ gives it
	System     *sysd.Environment // what the service manager left for us
}

// Daemon is a broker process. Make one by New, run it by Run, once.
type Daemon struct {
	Params
	notify *sysd.Notifier
	stored *sysd.Store // copies of our own listeners, for the next process
	logs   *logging.Manager
	log    *logging.Logger

	broker    *broker.Broker
	parts     []part // in the order of their start
	core      *corePart
	cluster   *clusterPart
	operator  *operatorPart
	leaf      *leafPart
	jetStream *jetStreamPart
	web       *webSocketPart
	system    *systemPart
	tickets   *ticketKeysPart
	gate      *gate
	monitor   *monitorPart
	profile   *profilePart
	control   *controlPart
	watcher   *watch.Watcher
	trap      *trap

	limits  limits
	started time.Time
	atStart []string // warnings of the first configuration, for the log

	succession succession
	renewal    *renewal // a reload that waits for half a pair of certificate and key; nil: none. Run's goroutine

	// For Run's goroutine to act on. Signals, verbs and the watcher send here.
	requests chan request
	gone     chan struct{} // closed at the end of a drain; nil: none. Run's goroutine
	ended    chan struct{} // closed when Run is about to return: answers to verbs that wait for the end

	// Published by Run's goroutine for everyone to read.
	active  atomic.Pointer[active]
	state   atomic.Pointer[string]
	rates   atomic.Pointer[rates]
	reloads reloadCounts
	masked  atomic.Pointer[madeMask]
	watches atomic.Int32 // how many look at messages
	fed     atomic.Int64 // when the watchdog was last fed, unix nanoseconds
}

// active is the configuration in effect and how we came to it. Immutable.
type active struct {
	cfg      *config.Config
	loaded   time.Time
	lastGood bool      // it is the saved copy of the last good one
	refused  time.Time // a newer one was refused then; zero: none
	err      error     // why

	read  *recorder      // what was read; nil for the last good one
	watch *config.Config // whose files are to be watched, when not cfg's
}

// StartError is a failure to start a part; it is in the log already.
type StartError struct{ Err error }

func (e *StartError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *StartError) Unwrap() error { return e.Err }

// New loads the configuration and makes the subsystems, but starts nothing
// that others could see.
func New(p Params) (_ *Daemon, err error) {
	releaseProgram(elf.PF_X) // what packages were initialised by; half of the constants are needed again
	notify, err := sysd.NewNotifier(p.System.NotifySocket)
	if err != nil {
		return nil, err
	}
	d := &Daemon{Params: p, notify: notify, stored: sysd.NewStore(p.System, notify), requests: make(chan request), ended: make(chan struct{})}
	d.setState(stateStarting)
	if err := d.answerPredecessor(); err != nil {
		return nil, err
	}
	d.findParcel()
	d.trap = setTrap()
	defer func() {
		if err != nil {
			d.trap.release()
			d.tellPredecessor(err)
			if became := d.returnParcel(); became != "" {
				err = fmt.Errorf("%w\n(%s)", err, became)
			}
		}
	}()
	began := time.Now()
	keys := broker.NewServerKeys() // while the configuration is read
	act, err := d.firstConfig()
	if err != nil {
		return nil, err
	}
	act.cfg.Forget()
	d.active.Store(act)
	d.started = began
	if err := d.makeParts(act.cfg, keys); err != nil {
		return nil, err
	}
	return d, nil
}

// load reads the configuration as the command line says. What could be read is
// returned with an error too: it tells which files to watch.
func (d *Daemon) load() (*active, config.Warnings, error) {
	read := newRecorder()
	act := &active{loaded: time.Now(), read: read}
	cfg, warnings, err := config.Load(d.loadRequest(d.Invocation.ConfigFile, read.read))
	act.cfg = cfg
	return act, warnings, err
}

func (d *Daemon) loadRequest(file string, read func(string) ([]byte, error)) config.LoadRequest {
	return config.LoadRequest{
		File: file, Invocation: d.Invocation, Environ: d.Environ, Credentials: d.System.CredentialsDir, ReadFile: read,
	}
}

// writerPatience is how long a start waits for a file of the configuration that
// somebody is writing.
const writerPatience = 2 * time.Second

// firstConfig is the configuration to start with: the one on disk, or, under
// the packaged unit, the last good one when that is bad.
func (d *Daemon) firstConfig() (*active, error) {
	act, warnings, err := d.load()
	if act.cfg.File != "" && watch.AwaitRest(filesOf(act.cfg), writerPatience) {
		act, warnings, err = d.load()
	}
	act, warnings, err = d.awaitFreshPairs(act, warnings, err)
	if err == nil {
		d.atStart = warningTexts(warnings)
		return act, nil
	}
	good, none := d.lastGood()
	if none != nil {
		if d.lastGoodPath() != "" {
			err = fmt.Errorf("%w\n(and no last good configuration to start with: %v)", err, none)
		}
		if d.startIsHopeless() {
			err = &hopeless{err}
		}
		return nil, err
	}
	good.refused, good.err = act.loaded, err
	good.watch = act.cfg // the fix must be noticed
	return good, nil
}

// makeParts makes the subsystems in the order in which they start.
func (d *Daemon) makeParts(cfg *config.Config, keys func() (*broker.ServerKeys, error)) error {
	logPart, err := openLog(cfg, d.Identity)
	if err != nil {
		return err
	}
	d.logs, d.log = logPart.logs, logPart.logs.Logger("daemon")
	d.operator = newOperatorPart(cfg, d.logs.Logger("auth"))
	authPart, err := newAuthPart(cfg, d.operator.book, d.logs.Logger("auth"))
	if err != nil {
		return err
	}
	d.tickets = newTicketKeysPart(func() bool { return d.active.Load().cfg.Options.Process.TLSHandover })
	opts, err := coreOptions(cfg.Options, d.tickets.client)
	if err != nil {
		return err
	}
	opts.Authenticator, opts.Keys = authPart.gate(), keys
	if d.broker, err = broker.New(opts, d.logs.Logger("broker")); err != nil {
		return err
	}
	authPart.broker, d.gate = d.broker, authPart.door
	d.openParcel() // before anybody asks for the server's id
	d.system = newSystemPart(cfg, d.Identity.Own, d.broker, d.systemSource(), d.logs.Logger("system"))
	d.core = newCorePart(d)
	if d.cluster, err = newClusterPart(cfg, d.broker, d.core, d.logs.Logger("cluster")); err != nil {
		return err
	}
	d.leaf = newLeafPart(d)
	d.jetStream = newJetStreamPart(d)
	d.web = newWebSocketPart(d)
	d.operator.connect(d)
	d.profile = &profilePart{d: d, log: d.log}
	d.monitor = newMonitorPart(d)
	d.control = &controlPart{d: d}
	d.watcher = watch.New(watch.Options{}, d.logs.Logger("watch"))
	d.parts = []part{
		logPart,
		&pidPart{log: d.log},
		d.profile,
		d.operator, // its accounts before those who may use them
		authPart,
		d.monitor, // before clients, so that a start can be watched
		d.system,  // before clients, whose first request may be to it; it asks the monitor
		d.jetStream,
		d.web, // before the core, which takes over connections of its doors
		d.core,
		d.cluster, // clients are told of peers, peers of clients
		d.leaf,    // what they are told of is there
		d.tickets,
		&certificatePart{log: d.logs.Logger("tls"), presented: d.presented},
		d.control,
		&portsPart{exe: d.Identity.Exe, log: d.log, list: d.ports},
	}
	return nil
}

// start starts every part in order; on error those that ran are stopped.
func (d *Daemon) start() error {
	cfg := d.active.Load().cfg
	d.retireStored(cfg.Options)
	if err := d.unpack(); err != nil {
		return d.undoStart(nil, fmt.Errorf("taking over connections: %w", err))
	}
	for i, p := range d.parts {
		if err := p.start(cfg); err != nil {
			return d.undoStart(d.parts[1:i+1], err)
		}
	}
	err := d.errUnusedSockets()
	for _, p := range having[admits](d) {
		if err == nil {
			err = p.admit()
		}
	}
	if err == nil && cfg.Options.Cluster.Enabled() && cfg.Options.Port <= 0 {
		d.cluster.announce()
	}
	if err != nil {
		return d.undoStart(d.parts[1:], err)
	}
	return nil
}

// undoStart stops the parts that ran.
func (d *Daemon) undoStart(ran []part, err error) error {
	if became := d.returnParcel(); became != "" {
		d.log.Warn("The start fails: " + became)
	}
	d.tellPredecessor(err)
	for _, p := range reversed(ran) {
		p.stop()
	}
	return &StartError{err}
}

func reversed(list []part) []part {
	out := make([]part, 0, len(list))
	for i := len(list) - 1; i >= 0; i-- {
		out = append(out, list[i])
	}
	return out
}

// ReportFailure tells the service manager why the process is about to exit.
func ReportFailure(system *sysd.Environment, err error, exitCode int) {
	if notify, bad := sysd.NewNotifier(system.NotifySocket); bad == nil {
		notify.Failure(err, exitCode)
		notify.Close()
	}
}

// WasLogged reports whether an error of Run is in the log already, so that
// nobody needs to print it again.
func WasLogged(err error) bool {
	var start *StartError
	return errors.As(err, &start)
}

func fmtError(what string, err error) error { return fmt.Errorf("%s: %w", what, err) }
