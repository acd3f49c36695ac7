package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/monitor"
)

// reportPart is a file of a report and what it is made of.
type reportPart struct {
	name, about string
	text        func(d *Daemon) ([]byte, error)
}

const reportedLog = 2000 // lines

// reportParts are the broker's files of a report.
var reportParts = []reportPart{
	{"version.txt", "program, build and command line", (*Daemon).reportVersion},
	{"configuration.conf", "effective configuration with the origin of each value, secrets masked", (*Daemon).effective},
	{"status.json", "what nats-broker status --json says", func(d *Daemon) ([]byte, error) { return indented(d.status()) }},
	{"health.json", "what nats-broker health --json says", func(d *Daemon) ([]byte, error) {
		list, err := d.healthChecks(&control.ChecksQuery{CertWarn: 30, CertCritical: 7, LimitWarn: 80, LimitCritical: 95}, control.Peer{})
		if err != nil {
			return nil, err
		}
		return indented(list)
	}},
	{"metrics.txt", "what /metrics says", func(d *Daemon) ([]byte, error) { return d.monitor.run.Scraped() }},
	{"varz.json", "what /varz says", func(d *Daemon) ([]byte, error) { return indented(d.reporter().Varz()) }},
	{"connz.json", "open connections, what /connz?auth=1&subs=1 says", func(d *Daemon) ([]byte, error) {
		return connzOf(d, monitor.ConnzOptions{Username: true, Subscriptions: true})
	}},
	{"connz-closed.json", "connections that were closed last", func(d *Daemon) ([]byte, error) {
		return connzOf(d, monitor.ConnzOptions{Username: true, State: monitor.ConnClosed, Sort: monitor.ByStop})
	}},
	{"routez.json", "what /routez says", func(d *Daemon) ([]byte, error) { return indented(d.reporter().Routez(monitor.RoutezOptions{})) }},
	{"leafz.json", "what /leafz says", func(d *Daemon) ([]byte, error) { return indented(d.reporter().Leafz(monitor.LeafzOptions{})) }},
	{"subsz.json", "what /subsz says", func(d *Daemon) ([]byte, error) {
		z, err := d.reporter().Subsz(monitor.SubszOptions{})
		if err != nil {
			return nil, err
		}
		return indented(z)
	}},
	{"accstatz.json", "what /accstatz?unused=1 says", func(d *Daemon) ([]byte, error) {
		return indented(d.reporter().Accstatz(monitor.AccstatzOptions{IncludeUnused: true}))
	}},
	{"jsz.json", "what /jsz?accounts=1&streams=1&consumers=1 says", func(d *Daemon) ([]byte, error) {
		z, err := d.reporter().Jsz(monitor.JszOptions{Accounts: true, Streams: true, Consumers: true})
		if err != nil {
			return nil, err
		}
		return indented(z)
	}},
	{"goroutines.txt", "what the goroutines do", func(*Daemon) ([]byte, error) {
		var b bytes.Buffer
		err := pprof.Lookup("goroutine").WriteTo(&b, 1)
		return b.Bytes(), err
	}},
	{"log-tail.txt", "the last lines of the log, whatever its sinks", (*Daemon).reportLog},
}

func connzOf(d *Daemon, o monitor.ConnzOptions) ([]byte, error) {
	z, err := d.listConnections(&o, control.Peer{})
	if err != nil {
		return nil, err
	}
	return indented(z)
}

func indented(v any) ([]byte, error) {
	text, err := json.MarshalIndent(v, "", "  ")
	return append(text, '\n'), err
}

func (d *Daemon) reportVersion() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "version %s, commit %s\nprocess %d, up %s\narguments %q\n", d.Identity.Own, d.Identity.Commit, os.Getpid(),
		time.Since(d.started).Round(time.Second), monitor.MaskArguments(os.Args))
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b.Bytes(), nil
	}
	fmt.Fprintln(&b)
	_, err := b.WriteString(info.String())
	return b.Bytes(), err
}

func (d *Daemon) reportLog() ([]byte, error) {
	var b bytes.Buffer
	for _, l := range (logSource{d.logs}).Tail(0, reportedLog) {
		fmt.Fprintf(&b, "%s [%s] %s: %s\n", l.Time.Format(time.RFC3339Nano), l.Level, l.Subsystem, l.Text)
	}
	return b.Bytes(), nil
}

// reportAll says the broker's files of a report, one after the other.
func (d *Daemon) reportAll(_ context.Context, _ *control.Request, peer control.Peer) control.Response {
	if d.inState() == stateStarting {
		return control.Response{Error: errors.New("the broker is starting").Error()}
	}
	d.log.Info("Report requested by "+peer.String(), by(peer)...)
	return control.Response{OK: true, Follow: func(ctx context.Context, say func(any) error) {
		mask := d.mask()
		for _, p := range reportParts {
			if ctx.Err() != nil {
				return
			}
			f := control.ReportFile{Name: p.name, About: p.about}
			if text, err := p.text(d); err != nil {
				f.Missing = mask.Text(err.Error())
			} else {
				f.Text = mask.Text(strings.ToValidUTF8(string(text), "�"))
			}
			if say(f) != nil {
				return
			}
		}
	}}
}
