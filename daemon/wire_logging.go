package daemon

import (
	"os"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// loggingOptions translates the configuration for the logging subsystem.
func loggingOptions(o *config.Options, id Identity, getenv func(string) string) (logging.Options, error) {
	l := &o.Log
	opts := logging.Options{
		Time: l.Time, UTC: l.UTC,
		Debug: l.Debug, Trace: l.Trace, TraceVerbose: l.TraceVerbose, TraceHeaders: l.TraceHeaders,
		MaxTracedLen: l.MaxTracedLen,
		Stderr:       l.Stderr,
		File:         l.File, FileLimit: l.FileLimit, FileMax: int(l.FileMax),
		Syslog:        l.Syslog,
		Remote:        l.Remote.URL,
		RemoteRFC3164: l.Remote.Format == "rfc3164",
		RemoteRFC5424: l.Remote.Format == "rfc5424",
		RemoteTLS: logging.RemoteTLS{
			CAFile: l.Remote.TLS.CAFile, CertFile: l.Remote.TLS.CertFile,
			KeyFile: l.Remote.TLS.KeyFile, ServerName: l.Remote.TLS.ServerName,
		},
		RemoteQueue:   l.Remote.Queue,
		NoRepeatLimit: l.NoRepeatLimit,
		Identifier:    id.Exe,
		Version:       id.Own,
	}
	if l.Format == "json" {
		opts.Format = logging.FormatJSON
	}
	for name, word := range l.Levels {
		level, err := logging.ParseLevel(word)
		if err != nil {
			return opts, err
		}
		if opts.Levels == nil {
			opts.Levels = map[string]logging.Level{}
		}
		opts.Levels[name] = level
	}
	opts.FromEnvironment(getenv)
	return opts, nil
}

// logPart keeps the log as configured. It is started before everything else,
// by openLog, so that start has nothing left to do.
type logPart struct {
	id   Identity
	logs *logging.Manager
}

// openLog makes the log.
func openLog(cfg *config.Config, id Identity) (*logPart, error) {
	opts, err := loggingOptions(cfg.Options, id, os.Getenv)
	if err != nil {
		return nil, err
	}
	logs, err := logging.New(opts)
	if err != nil {
		return nil, err
	}
	return &logPart{id, logs}, nil
}

func (p *logPart) name() string               { return "logging" }
func (p *logPart) start(*config.Config) error { return nil }
func (p *logPart) stop()                      { p.logs.Close() }

func (p *logPart) prepare(_, new *config.Config) (*change, error) {
	opts, err := loggingOptions(new.Options, p.id, os.Getenv)
	if err != nil {
		return nil, err
	}
	commit, err := p.logs.Prepare(opts)
	if err != nil {
		return nil, err
	}
	return &change{commit: commit}, nil // what is not committed is given up by the next Prepare
}
