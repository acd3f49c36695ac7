package daemon

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/monitor"
)

// rates are the traffic of the last few seconds.
type rates struct {
	at            time.Time
	in, out       uint64
	inSec, outSec float64
}

// measureRates compares the counters with those of the last time.
func (d *Daemon) measureRates() {
	t := d.traffic()
	now := &rates{at: time.Now(), in: t.InMsgs, out: t.OutMsgs}
	if before := d.rates.Load(); before != nil {
		if secs := now.at.Sub(before.at).Seconds(); secs > 0 {
			now.inSec = float64(now.in-before.in) / secs
			now.outSec = float64(now.out-before.out) / secs
		}
	}
	d.rates.Store(now)
}

// statusText is the line systemctl status shows: what matters, the worst
// first.
func (d *Daemon) statusText() string {
	act := d.active.Load()
	t := d.traffic()
	var parts []string
	switch {
	case act.lastGood:
		parts = append(parts, fmt.Sprintf("NOT the configuration on disk, which is bad (%s): serving with the last good one", brief(act.err)))
	case act.err != nil:
		parts = append(parts, fmt.Sprintf("reload refused at %s: %s", clock(act.refused), brief(act.err)))
	}
	parts = append(parts, d.streamProblems()...)
	if w := d.lossWarning(); w != "" {
		parts = append(parts, w)
	}
	if s := d.inState(); s != stateRunning {
		parts = append(parts, s)
	}
	count := counted(uint64(t.Clients), "client")
	if act.cfg.Options.Cluster.Enabled() {
		count += ", " + counted(uint64(t.Routes), "route")
	}
	if s := d.streamStatus(); s != nil {
		count += ", " + counted(uint64(s.Streams), "stream")
	}
	if r := d.rates.Load(); r != nil {
		count += ", " + rateText(r.inSec) + " msgs/s in"
	}
	parts = append(parts, count, configText(act))
	return strings.Join(parts, "; ")
}

// configText tells which configuration is in effect.
func configText(act *active) string {
	if act.cfg.File == "" {
		return "no configuration file"
	}
	what := "configuration of "
	if act.lastGood {
		what = "last good configuration of "
	}
	return what + clock(act.loaded) + " from " + counted(uint64(len(act.cfg.Files)), "file")
}

func clock(t time.Time) string { return t.Format("15:04:05") }

// brief is the first line of an error, cut to fit a status line.
func brief(err error) string {
	if err == nil {
		return "unknown"
	}
	text := firstError(err)
	const limit = 200
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}

func counted(n uint64, what string) string {
	if n != 1 {
		what += "s"
	}
	return grouped(n) + " " + what
}

// grouped writes a number with its thousands set off: 1,204.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// rateText writes a rate with two or three significant figures: 18k.
func rateText(v float64) string {
	switch {
	case v < 10 && v > 0:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v < 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v < 10e3:
		return strconv.FormatFloat(v/1e3, 'f', 1, 64) + "k"
	case v < 1e6:
		return strconv.FormatFloat(v/1e3, 'f', 0, 64) + "k"
	default:
		return strconv.FormatFloat(v/1e6, 'f', 1, 64) + "M"
	}
}

// problems are the reasons for which `nats-broker status` exits with 1.
func (d *Daemon) problems() []string { return append(d.configProblems(), d.streamProblems()...) }

// configProblems say why the configuration in effect is not the one on disk.
func (d *Daemon) configProblems() []string {
	act := d.active.Load()
	var list []string
	switch {
	case act.lastGood:
		list = append(list, "the configuration on disk is bad, the last good one is in effect: "+plainErrors(act.err))
	case act.err != nil:
		list = append(list, "a changed configuration was refused at "+clock(act.refused)+": "+plainErrors(act.err))
	}
	return list
}

// checks explain health to people.
func (d *Daemon) checks() []monitor.Check {
	list := []monitor.Check{{Name: "state", OK: d.inState() == stateRunning, Detail: d.inState()}}
	problems := d.configProblems()
	c := monitor.Check{Name: "configuration", OK: len(problems) == 0, Detail: strings.Join(problems, "; ")}
	if c.OK {
		c.Detail = configText(d.active.Load())
	}
	list = append(list, c)
	for _, p := range having[checked](d) {
		list = append(list, p.checks()...)
	}
	return list
}

// status is the answer to `nats-broker status`.
func (d *Daemon) status() *control.Status {
	act := d.active.Load()
	s := &control.Status{
		State: d.inState(), Text: d.statusText(), Problems: d.problems(),
		PID: os.Getpid(), Version: d.Identity.Own,
		ServerName: d.broker.Options().ServerName, ServerID: d.broker.ID(), Started: d.started,
		Listeners: d.listeners(),
		Config: control.Config{
			File: act.cfg.File, Digest: act.cfg.Digest, Files: filesOf(act.cfg), Loaded: act.loaded,
			Watching: act.cfg.Options.Process.ConfigWatch && act.cfg.File != "", LastGood: act.lastGood,
		},
		Traffic: d.traffic(), Streams: d.streamStatus(),
		Limits: control.Limits{Files: d.limits.files, Memory: d.limits.memory, Processors: d.limits.processors},
		Levels: levelWords(d.logs.Levels()),
	}
	for _, w := range []string{d.openWarning(), d.lossWarning()} {
		if w != "" {
			s.Warnings = append(s.Warnings, w)
		}
	}
	for _, n := range d.logs.Drops() {
		s.LogDrops += n
	}
	if act.err != nil {
		s.Config.Error = plainErrors(act.err)
		if !act.refused.IsZero() {
			s.Config.Refused = &act.refused
		}
	}
	return s
}

// listeners are the addresses listened on.
func (d *Daemon) listeners() []control.Listener {
	var list []control.Listener
	o := d.active.Load().cfg.Options
	for _, p := range having[listens](d) {
		places := p.places(o)
		for _, l := range p.listening() {
			addr := l.listener.Addr().String()
			if i := slices.IndexFunc(places, func(p place) bool { return p.name == l.name }); i >= 0 {
				addr = l.anywhere(places[i])
			}
			list = append(list, control.Listener{Name: l.name, Addr: addr, Inherited: l.inherited, URL: monitorURL(&l, o.Monitor.BasePath)})
		}
	}
	return list
}

// monitorURL is where this machine reaches a socket of the monitor, as `nats-broker top` takes it; empty for other sockets.
func monitorURL(l *listening, base string) string {
	base = strings.TrimSuffix(base, "/")
	switch at := l.listener.Addr(); {
	case l.scheme != "http" && l.scheme != "https":
		return ""
	case at.Network() != "unix":
		return l.scheme + "://" + reachable(at) + base
	case base == "":
		return "unix://" + at.String()
	default:
		return "unix://" + at.String() + ":" + base
	}
}

// healthTarget tells `nats-broker health` where to connect. lasts is for how long, if not for a moment.
func (d *Daemon) healthTarget(lasts time.Duration) control.Response {
	h := &control.Health{}
	for _, c := range d.core.current() {
		h.Addrs = append(h.Addrs, reachable(c.addr()))
	}
	if d.inState() != stateRunning || len(h.Addrs) == 0 {
		return control.Response{Error: "the broker is " + d.inState()}
	}
	if t := d.broker.Options().TLS; t != nil {
		// Where INFO comes if the handshake does not in time, who wants to begin with it may be late.
		o := t.Options()
		h.TLS, h.First = true, o.First && o.FirstFallback == 0
	}
	if d.gate.Requires().Auth {
		ticket := d.gate.tickets.issue(lasts)
		h.User, h.Token, h.Subject = ticketUser, ticket.secret, ticket.subject
	}
	return control.Response{OK: true, Health: h}
}
