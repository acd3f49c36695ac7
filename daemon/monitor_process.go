package daemon

import (
	"fmt"
	"sync"
	"time"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/monitor"
)

// The monitor's view of the process around the core.

// processSource tells of reloads, the log and the watchdog.
type processSource struct{ d *Daemon }

func (s processSource) Process() monitor.ProcessFigures {
	d := s.d
	act := d.active.Load()
	f := monitor.ProcessFigures{
		Reloads: map[string]uint64{
			"applied": d.reloads.applied.Load(), "refused": d.reloads.refused.Load(), "unchanged": d.reloads.unchanged.Load(),
		},
		LastGoodConfig: act.loaded, OnLastGood: act.lastGood, RefusedPending: act.err != nil && !act.lastGood, LogDrops: d.logs.Drops(),
	}
	if fed := d.fed.Load(); fed != 0 {
		f.WatchdogPing = time.Unix(0, fed)
	}
	for _, c := range d.certificates() {
		f.Certificates = append(f.Certificates, monitor.Certificate{Use: c.use, Subject: c.Subject, NotBefore: c.NotBefore, NotAfter: c.NotAfter})
	}
	return f
}

// logSource is the log's tail.
type logSource struct{ logs *logging.Manager }

var levelTags = map[logging.Level]string{
	logging.Trace: "TRC", logging.Debug: "DBG", logging.Info: "INF", logging.Warn: "WRN", logging.Error: "ERR", logging.Fatal: "FTL",
}

func (s logSource) Tail(after uint64, limit int) []monitor.LogLine {
	var lines []monitor.LogLine
	for _, l := range s.logs.Tail(limit) {
		if l.Seq > after {
			lines = append(lines, monitor.LogLine{Seq: l.Seq, Time: l.Time.UTC(), Level: levelTags[l.Level], Subsystem: l.Subsystem, Text: l.Message})
		}
	}
	return lines
}

// configSource shows the configuration in effect. The list is made once for
// each configuration.
type configSource struct {
	active func() *config.Config
	text   func(*config.Config) (*config.Config, bool) // see [Daemon.textOf]

	mu    sync.Mutex // leaf lock
	of    *config.Config
	shown []monitor.Setting
}

func (s *configSource) Settings() []monitor.Setting {
	cfg := s.active()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of != cfg {
		from := cfg
		if again, ok := s.text(cfg); ok {
			from = again
		}
		s.of, s.shown = cfg, listSettings(from)
	}
	return s.shown
}

// listSettings translates the effective configuration, which comes masked.
func listSettings(cfg *config.Config) []monitor.Setting {
	effective := cfg.Settings(true)
	list := make([]monitor.Setting, len(effective))
	for i, e := range effective {
		s := monitor.Setting{Path: e.Path, Value: e.Value, Origin: string(e.Layer), Default: e.Layer == config.LayerDefault}
		switch {
		case e.Line > 0:
			s.Place = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
		case e.File != "":
			s.Place = e.File
		}
		if row := config.Lookup(e.Path); row != nil {
			s.Doc, s.Secret = row.Doc, row.Secret
		}
		list[i] = s
	}
	return list
}
