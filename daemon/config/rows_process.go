package config

import (
	"fmt"
	"slices"
	"strings"
)

// Subsystems are the names that log lines have, which log_levels takes.
var Subsystems = []string{
	"auth", "broker", "cluster", "control", "daemon", "jetstream", "leaf", "logging", "monitor", "system", "tls", "watch", "websocket",
}

// logRows say what is logged and where to.
func logRows() []*Option {
	return []*Option{
		{Name: "debug", Kind: Boolean, Default: "false",
			Doc:  "Log debug messages.",
			bind: field(func(o *Options) *bool { return &o.Log.Debug })},
		{Name: "trace", Kind: Boolean, Default: "false",
			Doc:  "Log the protocol of every client. Payloads are logged too; credentials are not.",
			bind: field(func(o *Options) *bool { return &o.Log.Trace })},
		{Name: "trace_verbose", Kind: Boolean, Default: "false",
			Doc:  "Trace the system account too; sets trace.",
			bind: field(func(o *Options) *bool { return &o.Log.TraceVerbose })},
		{Name: "trace_headers", Kind: Boolean, Default: "false",
			Doc:  "Trace the headers of messages without their payload; sets trace.",
			bind: field(func(o *Options) *bool { return &o.Log.TraceHeaders })},
		{Name: "max_traced_msg_len", Kind: Integer, Default: "0",
			Doc:  "Bytes of a payload that are traced; 0 is all.",
			bind: field(func(o *Options) *int { return &o.Log.MaxTracedLen })},
		{Name: "logtime", Kind: Boolean, Default: "true",
			Doc:  "Put a time stamp on log lines.",
			bind: field(func(o *Options) *bool { return &o.Log.Time })},
		{Name: "logtime_utc", Kind: Boolean, Default: "false",
			Doc:  "Write time stamps in UTC instead of local time.",
			bind: field(func(o *Options) *bool { return &o.Log.UTC })},
		{Name: "log_file", Aliases: []string{"logfile"}, Kind: Path,
			Doc:  "File to log to; reopened on SIGUSR1. A pipe that nobody reads holds up nobody: lines that do not fit are lost, and counted.",
			bind: field(func(o *Options) *string { return &o.Log.File })},
		{Name: "log_size_limit", Aliases: []string{"logfile_size_limit"}, Kind: Size, Default: "0",
			Doc:  "Size at which the log file is rotated; 0 never.",
			bind: field(func(o *Options) *int64 { return &o.Log.FileLimit })},
		{Name: "log_max_num", Aliases: []string{"logfile_max_num"}, Kind: Count, Default: "0",
			Doc:  "Log files kept by rotation, the current one included; 0 keeps all.",
			bind: field(func(o *Options) *int64 { return &o.Log.FileMax })},
		{Name: "syslog", Kind: Boolean, Default: "false",
			Doc:  "Log to the local syslog daemon.",
			bind: field(func(o *Options) *bool { return &o.Log.Syslog })},
		{Name: "remote_syslog", Kind: String,
			Doc:  "Log to a syslog receiver: udp://, tcp:// or tls:// with host:port, or unix:// with a path.",
			bind: field(func(o *Options) *string { return &o.Log.Remote.URL })},
		{Name: "syslog_format", Kind: Word, Values: []string{"rfc5424", "rfc3164"}, Since: sinceOurs,
			Doc:  "Format of remote syslog: RFC 5424, or the old BSD format; where nothing is said the old one for unix://, else the new.",
			bind: field(func(o *Options) *string { return &o.Log.Remote.Format })},
		{Name: "syslog_queue", Kind: Integer, Default: "8192", Since: sinceOurs, zeroIsDefault: true,
			Doc:  "Lines that may wait for the remote receiver; more are dropped and counted.",
			bind: field(func(o *Options) *int { return &o.Log.Remote.Queue })},
		{Name: "syslog_tls", Kind: Block, Since: sinceOurs,
			Doc:    "Certificates for remote syslog over tls://.",
			fields: clientTLSRows,
			bind:   field(func(o *Options) *ClientTLS { return &o.Log.Remote.TLS })},
		{Name: "log_format", Kind: Word, Values: []string{"auto", "text", "json"}, Default: "auto", Since: sinceOurs,
			Doc:  "Shape of lines on standard error and in the file: text as nats-server's, or one JSON object a line.",
			bind: field(func(o *Options) *string { return &o.Log.Format })},
		{Name: "log_levels", Kind: StringMap, Since: sinceOurs,
			Doc: "Levels of single subsystems: a map from subsystem to trace, debug, info, warn, error or fatal. Subsystems are " + strings.Join(Subsystems, ", ") + ".",
			check: func(v any) string {
				pair := v.([2]string)
				if !slices.Contains(Subsystems, pair[0]) {
					hint := ""
					if near := closest(pair[0], Subsystems); near != "" {
						hint = fmt.Sprintf("; did you mean %q?", near)
					}
					return fmt.Sprintf("there is no subsystem %q%s", pair[0], hint)
				}
				switch pair[1] {
				case "trace", "debug", "info", "warn", "error", "fatal":
					return ""
				}
				return "the level of " + pair[0] + ` must be one of "trace", "debug", "info", "warn", "error", "fatal"`
			},
			bind: field(func(o *Options) *map[string]string { return &o.Log.Levels })},
		{Name: "log_stderr", Kind: Boolean, Default: "false", Since: sinceOurs,
			Doc:  "Log to standard error beside other places; without other places it is always logged to.",
			bind: field(func(o *Options) *bool { return &o.Log.Stderr })},
		{Name: "log_repeats", Kind: Boolean, Default: "false", Since: sinceOurs,
			Doc:  "Write every repetition of the same line instead of counting them.",
			bind: field(func(o *Options) *bool { return &o.Log.NoRepeatLimit })},
	}
}

// clientTLSRows are what a connection that we open trusts and presents.
func clientTLSRows() []*Option {
	return []*Option{
		{Name: "ca_file", Kind: Path, Since: sinceOurs, Doc: "Authorities trusted, PEM; by default the system's.",
			bind: field(func(t *ClientTLS) *string { return &t.CAFile })},
		{Name: "cert_file", Kind: Path, Since: sinceOurs, Doc: "Certificate presented, PEM.",
			bind: field(func(t *ClientTLS) *string { return &t.CertFile })},
		{Name: "key_file", Kind: Path, Since: sinceOurs, Doc: "Key of the certificate, PEM.",
			bind: field(func(t *ClientTLS) *string { return &t.KeyFile })},
		{Name: "server_name", Kind: String, Since: sinceOurs, Doc: "Name expected in the peer's certificate; by default the host dialled.",
			bind: field(func(t *ClientTLS) *string { return &t.ServerName })},
	}
}

// processRows are about the daemon itself.
func processRows() []*Option {
	return []*Option{
		{Name: "pid_file", Aliases: []string{"pidfile"}, Kind: Path,
			Doc:  "File to store the process id in.",
			bind: field(func(o *Options) *string { return &o.Process.PidFile })},
		{Name: "ports_file_dir", Kind: Path,
			Doc:  "Directory to write <executable>_<pid>.ports to, JSON with the addresses listened on.",
			bind: field(func(o *Options) *string { return &o.Process.PortsFileDir })},
		{Name: "prof_port", Kind: Port, Default: "0",
			Doc:      "Port of the profiling endpoint; 0 is none, -1 takes a free one.",
			listener: listensOn("the profiling port", "", func(o *Options) string { return o.Host }),
			bind:     field(func(o *Options) *int { return &o.Process.ProfPort })},
		{Name: "prof_block_rate", Kind: Integer, Default: "0",
			Doc:  "Rate of the block profile, in nanoseconds of blocking to a sample.",
			bind: field(func(o *Options) *int { return &o.Process.ProfBlockRate })},
		{Name: "control_socket", Kind: Path, Since: sinceOurs,
			Doc:  "Path of the control socket; under systemd by default control.sock in the runtime directory, else none.",
			bind: field(func(o *Options) *string { return &o.Process.ControlSocket })},
		{Name: "control_watch", Kind: Boolean, Default: "true", Since: sinceOurs,
			Doc:  "Let those who may use the control socket look at messages (nats-broker watch).",
			bind: field(func(o *Options) *bool { return &o.Process.ControlWatch })},
		{Name: "config_watch", Kind: Boolean, Default: "true", Since: sinceOurs,
			Doc:  "Reload when a file of the configuration changes.",
			bind: field(func(o *Options) *bool { return &o.Process.ConfigWatch })},
		{Name: "last_good_config", Kind: Boolean, Default: "true", Since: sinceOurs,
			Doc:  "Under the packaged unit: keep the last configuration that ran, and start with it when the file is bad.",
			bind: field(func(o *Options) *bool { return &o.Process.LastGood })},
		{Name: "tls_handover", Kind: Boolean, Default: "true", Class: NewConnections, Since: sinceOurs,
			Doc:  "Hand clients' connections of TLS 1.3 over to the next process, with their keys; off: they reconnect.",
			bind: field(func(o *Options) *bool { return &o.Process.TLSHandover })},
	}
}

// monitorRows are the HTTP monitoring.
func monitorRows() []*Option {
	return []*Option{
		{Name: "http", Kind: Address,
			Doc:  "Address of HTTP monitoring, port or host:port.",
			bind: func(b any) any { o := b.(*Options); return address{&o.Monitor.Host, &o.Monitor.Port} }},
		{Name: "https", Kind: Address,
			Doc:  "Address of HTTPS monitoring, port or host:port; takes its certificate from tls.",
			bind: func(b any) any { o := b.(*Options); return address{&o.Monitor.Host, &o.Monitor.HTTPSPort} }},
		{Name: "http_port", Aliases: []string{"monitor_port"}, Kind: Port, Default: "0",
			Doc:      "Port of HTTP monitoring; 0 is none, -1 takes a free one.",
			listener: listensOn("the HTTP monitoring port", "http", func(o *Options) string { return o.Monitor.Host }),
			bind:     field(func(o *Options) *int { return &o.Monitor.Port })},
		{Name: "https_port", Kind: Port, Default: "0",
			Doc:      "Port of HTTPS monitoring; 0 is none, -1 takes a free one.",
			listener: listensOn("the HTTPS monitoring port", "https", func(o *Options) string { return o.Monitor.Host }),
			bind:     field(func(o *Options) *int { return &o.Monitor.HTTPSPort })},
		{Name: "http_base_path", Kind: String,
			Doc:  "Path under which the monitoring endpoints are found.",
			bind: field(func(o *Options) *string { return &o.Monitor.BasePath })},
		{Name: "monitor", Kind: Block, Since: sinceOurs, Doc: "Who may read the monitoring, and further ways to it.",
			fields: func() []*Option {
				return []*Option{
					{Name: "socket", Kind: Path, Since: sinceOurs, Doc: "Unix socket to serve monitoring on as well.",
						bind: field(func(m *Monitor) *string { return &m.Socket })},
					{Name: "token", Kind: String, Secret: true, SecretFile: "token_file", Since: sinceOurs,
						Doc:  "Bearer token a request must present.",
						bind: field(func(m *Monitor) *string { return &m.Token })},
					{Name: "user", Aliases: []string{"username"}, Kind: String, Since: sinceOurs, Doc: "User a request must present.",
						bind: field(func(m *Monitor) *string { return &m.User })},
					{Name: "password", Aliases: []string{"pass"}, Kind: String, Secret: true, SecretFile: "password_file", Since: sinceOurs,
						Doc:  "Password of the user, plain or a bcrypt hash.",
						bind: field(func(m *Monitor) *string { return &m.Password })},
					{Name: "verify", Kind: Boolean, Default: "false", Since: sinceOurs,
						Doc:  "Ask HTTPS clients for a certificate of the authorities in tls.",
						bind: field(func(m *Monitor) *bool { return &m.Verify })},
					{Name: "metrics_accounts", Kind: Count, Default: "100", Since: sinceOurs,
						Doc:  "Accounts that have metrics of their own; the others are summed up.",
						bind: field(func(m *Monitor) *int64 { return &m.MetricsAccounts })},
				}
			},
			bind: field(func(o *Options) *Monitor { return &o.Monitor })},
	}
}
