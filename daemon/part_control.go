package daemon

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// controlPart answers verbs on the control socket. There is one when the
// configuration names it, and under systemd in the unit's runtime directory; a
// broker started by hand has none unless asked for.
type controlPart struct {
	d      *Daemon
	server *control.Server
}

func (p *controlPart) name() string { return "control socket" }

func (p *controlPart) path(o *config.Options) string {
	if o.Process.ControlSocket != "" || p.d.System.RuntimeDir == "" {
		return o.Process.ControlSocket
	}
	return filepath.Join(p.d.System.RuntimeDir, "control.sock")
}

func (p *controlPart) start(cfg *config.Config) error {
	path := p.path(cfg.Options)
	if path == "" {
		return nil
	}
	log := p.d.logs.Logger("control")
	s, err := control.Listen(path, p, log)
	switch {
	case err == nil:
		p.server = s
	case cfg.Options.Process.ControlSocket != "":
		return err
	default: // nobody has asked for it by name, and clients can be served without
		log.Warn("The verbs cannot speak to this broker: "+err.Error(), logging.Err(err))
	}
	return nil
}

func (p *controlPart) prepare(old, new *config.Config) (*change, error) {
	from, to := p.path(old.Options), p.path(new.Options)
	if from == to {
		return nil, nil
	}
	var next *control.Server
	if to != "" {
		var err error
		if next, err = control.Listen(to, p, p.d.logs.Logger("control")); err != nil {
			return nil, err
		}
	}
	return &change{
		commit: func() {
			if p.server != nil {
				// Conversations on the old socket end by themselves; the one
				// that asked for this reload is among them.
				p.server.Close()
			}
			p.server = next
		},
		abort: func() {
			if next != nil {
				next.Stop()
			}
		},
	}, nil
}

// quiet takes no more verbs; those under way are answered.
func (p *controlPart) quiet() {
	if p.server != nil {
		p.server.Close()
	}
}

func (p *controlPart) stop() {
	if p.server != nil {
		p.server.Stop()
	}
}

// Control does what a verb asks. Reading is done here, on the conversation's
// goroutine; whatever changes something is handed to Run's.
func (p *controlPart) Control(ctx context.Context, req control.Request, peer control.Peer) control.Response {
	d := p.d
	if answer := questioned(req.Verb); answer != nil {
		return answer(d, ctx, &req, peer)
	}
	switch req.Verb {
	case control.VerbStatus:
		return control.Response{OK: true, Status: d.status()}
	case control.VerbHealth:
		return d.healthTarget(0)
	case control.VerbLatency:
		var q control.Latency
		switch err := decodeQuestion(&req, &q); {
		case err != nil:
			return control.Response{Error: err.Error()}
		case q.For < 0 || q.For > control.MaxLatency:
			return control.Response{Error: fmt.Sprintf("round trips are measured for at most %s", control.MaxLatency)}
		}
		return d.healthTarget(q.For)
	case control.VerbLogLevel:
		return d.logLevels(req.Levels, peer)
	case control.VerbReload, control.VerbStop, control.VerbDrain, control.VerbUpgrade, control.VerbPause, control.VerbResume:
	default:
		return control.Response{Error: "unknown verb " + req.Verb}
	}
	reply := make(chan control.Response, 1)
	select {
	case d.requests <- request{Request: req, peer: peer, reply: reply}:
	case <-d.ended:
		return control.Response{Error: "the broker is stopping"}
	case <-ctx.Done():
		return control.Response{Error: "the broker is stopping"}
	}
	select {
	case resp := <-reply:
		return resp
	case <-d.ended: // a stop or drain that is done, or overtaken by one
		select {
		case resp := <-reply:
			return resp
		default:
			err := endedWith(req.Verb)
			return control.Response{OK: err == "", Error: err}
		}
	}
}

func endedWith(verb string) string {
	switch verb {
	case control.VerbReload, control.VerbPause, control.VerbResume:
		return "the broker stopped before it could " + verb
	}
	return ""
}

// onRequest acts on a verb on Run's goroutine; true ends the daemon. Stop and
// drain are answered at the end, by the closing of d.ended.
func (d *Daemon) onRequest(req request) (end bool) {
	switch req.Verb {
	case control.VerbReload:
		d.reloadFor(req)
	case control.VerbStop:
		d.log.Info("Stop requested by " + req.peer.String())
		return true
	case control.VerbUpgrade:
		d.beginUpgrade(req)
	case control.VerbPause:
		d.onPause(req)
	case control.VerbResume:
		req.reply <- d.resumeClients(req.peer)
	case control.VerbDrain:
		d.log.Info("Drain requested by " + req.peer.String())
		if err := d.drain(); err != nil {
			req.reply <- control.Response{Error: err.Error()}
		}
	}
	return false
}

// logLevels changes levels and reports them.
func (d *Daemon) logLevels(set map[string]string, peer control.Peer) control.Response {
	known := d.logs.Levels()
	type step struct {
		name  string
		level logging.Level
		reset bool
	}
	var steps []step
	for name, word := range set { // all or nothing
		if _, ok := known[name]; !ok && name != "*" {
			return control.Response{Error: "unknown subsystem " + name, Levels: levelWords(known)}
		}
		if word == "default" {
			steps = append(steps, step{name: name, reset: true})
			continue
		}
		level, err := logging.ParseLevel(word)
		if err != nil {
			return control.Response{Error: err.Error()}
		}
		steps = append(steps, step{name: name, level: level})
	}
	for _, s := range steps {
		var err error
		if s.reset {
			err = d.logs.ResetLevel(s.name)
		} else {
			err = d.logs.SetLevel(s.name, s.level)
		}
		if err != nil {
			return control.Response{Error: err.Error()}
		}
		d.log.Info("Log level of " + s.name + " set to " + set[s.name] + " by " + peer.String())
	}
	return control.Response{OK: true, Levels: levelWords(d.logs.Levels())}
}

func levelWords(levels map[string]logging.Level) map[string]string {
	words := make(map[string]string, len(levels))
	for name, level := range levels {
		words[name] = level.String()
	}
	return words
}
