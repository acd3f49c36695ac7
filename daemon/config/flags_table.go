package config

// A Flag is one flag of the command line with all its names.
type Flag struct {
	Names []string // without dashes, in the order they are shown
	Arg   string   // what the value is called; empty: a switch
	Group string   // heading in the usage
	Doc   string   // what --help says
	Paths []string // options it sets

	number bool   // the value is a whole number
	action action // what it does if it is no option
	late   bool   // applied after the others
	word   string // a switch: what it can be besides true and false
}

// An action is what a flag does besides setting an option.
type action uint8

const (
	actSet action = iota
	actConfig
	actCheck
	actTestReload
	actSignal
	actHelp
	actVersion
	actTLSHelp
	actTLS
	actCluster
	actRoutes
)

// unsetIfEmpty reports whether an empty value means that the flag was not given: as for nats-server's strings that only
// count when they hold something.
func (f *Flag) unsetIfEmpty() bool { return f.Arg != "" && !f.number }

// The headings of the usage, in order.
const (
	groupServer  = "Server Options"
	groupLogging = "Logging Options"
	groupJS      = "JetStream Options"
	groupAuth    = "Authorization Options"
	groupTLS     = "TLS Options"
	groupCluster = "Cluster Options"
	groupProfile = "Profiling Options"
	groupCommon  = "Common Options"
)

// Flags are the flags of the daemon: those of nats-server 2.15.3.
var Flags = []Flag{
	{Names: []string{"a", "addr", "net"}, Arg: "host", Group: groupServer, Paths: []string{"host"}, Doc: "Address to listen on for clients (default: 0.0.0.0)"},
	{Names: []string{"p", "port"}, Arg: "port", number: true, Group: groupServer, Paths: []string{"port"}, Doc: "Port for clients, -1 for a free one (default: 4222)"},
	{Names: []string{"n", "name", "server_name"}, Arg: "name", Group: groupServer, Paths: []string{"server_name"}, Doc: "Name of this server (default: its id)"},
	{Names: []string{"P", "pid"}, Arg: "file", Group: groupServer, Paths: []string{"pid_file"}, Doc: "Write the process id to this file"},
	{Names: []string{"m", "http_port"}, Arg: "port", number: true, Group: groupServer, Paths: []string{"http_port"}, Doc: "Port for HTTP monitoring"},
	{Names: []string{"ms", "https_port"}, Arg: "port", number: true, Group: groupServer, Paths: []string{"https_port"}, Doc: "Port for HTTPS monitoring"},
	{Names: []string{"c", "config"}, Arg: "file", Group: groupServer, action: actConfig, Doc: "Configuration file"},
	{Names: []string{"t"}, Group: groupServer, action: actCheck, Doc: "Check the configuration and exit"},
	{Names: []string{"test_reload"}, Arg: "file", Group: groupServer, action: actTestReload,
		Doc: "With -t, check whether a reload could go over to this file\n(exit status 3: it needs a restart)"},
	{Names: []string{"sl", "signal"}, Arg: "signal>[=<pid>]", Group: groupServer, action: actSignal,
		Doc: "Send a signal to a running server: ldm, stop, quit, term,\nreopen or reload; pid is a process id or a pid file"},
	{Names: []string{"client_advertise"}, Arg: "host:port", Group: groupServer, Paths: []string{"client_advertise"}, Doc: "Address that clients are told to connect to"},
	{Names: []string{"ports_file_dir"}, Arg: "dir", Group: groupServer, Paths: []string{"ports_file_dir"}, Doc: "Write <executable>_<pid>.ports in this directory"},

	{Names: []string{"l", "log"}, Arg: "file", Group: groupLogging, Paths: []string{"log_file"}, Doc: "Log to this file"},
	{Names: []string{"T", "logtime"}, Group: groupLogging, Paths: []string{"logtime"}, Doc: "Time stamps on log lines (default: true)"},
	{Names: []string{"logtime_utc"}, Group: groupLogging, Paths: []string{"logtime_utc"}, Doc: "Time stamps in UTC (default: false)"},
	{Names: []string{"s", "syslog"}, Group: groupLogging, Paths: []string{"syslog"}, Doc: "Log to the local syslog"},
	{Names: []string{"r", "remote_syslog"}, Arg: "addr", Group: groupLogging, Paths: []string{"remote_syslog"}, Doc: "Log to a syslog server (udp://localhost:514)"},
	{Names: []string{"D", "debug"}, Group: groupLogging, Paths: []string{"debug"}, Doc: "Log debug messages"},
	{Names: []string{"V", "trace"}, Group: groupLogging, Paths: []string{"trace"}, Doc: "Log the protocol"},
	{Names: []string{"VV"}, Group: groupLogging, late: true, Paths: []string{"trace", "trace_verbose"}, Doc: "Log the protocol, the system account's too"},
	{Names: []string{"DV"}, Group: groupLogging, late: true, Paths: []string{"debug", "trace"}, Doc: "-D and -V"},
	{Names: []string{"DVV"}, Group: groupLogging, late: true, Paths: []string{"debug", "trace", "trace_verbose"}, Doc: "-D and -VV"},
	{Names: []string{"log_size_limit"}, Arg: "bytes", number: true, Group: groupLogging, Paths: []string{"log_size_limit"}, Doc: "Rotate the log file at this size (default: never)"},
	{Names: []string{"max_traced_msg_len"}, Arg: "bytes", number: true, Group: groupLogging, Paths: []string{"max_traced_msg_len"}, Doc: "Bytes of a message that are traced (default: all)"},

	{Names: []string{"js", "jetstream"}, Group: groupJS, Paths: []string{"jetstream.enabled"}, Doc: "Enable JetStream"},
	{Names: []string{"sd", "store_dir"}, Arg: "dir", Group: groupJS, Paths: []string{"store_dir"}, Doc: "Storage directory of JetStream"},

	{Names: []string{"user"}, Arg: "user", Group: groupAuth, Paths: []string{"authorization.user"}, Doc: "User that clients must present"},
	{Names: []string{"pass"}, Arg: "password", Group: groupAuth, Paths: []string{"authorization.password"}, Doc: "Password that clients must present"},
	{Names: []string{"auth"}, Arg: "token", Group: groupAuth, Paths: []string{"authorization.token"}, Doc: "Token that clients must present"},

	{Names: []string{"tls"}, Group: groupTLS, action: actTLS, Doc: "Enable TLS, do not verify clients (default: false)"},
	{Names: []string{"tlscert"}, Arg: "file", Group: groupTLS, Paths: []string{"tls.cert_file"}, Doc: "Certificate of the server"},
	{Names: []string{"tlskey"}, Arg: "file", Group: groupTLS, Paths: []string{"tls.key_file"}, Doc: "Private key of the certificate"},
	{Names: []string{"tlsverify"}, Group: groupTLS, Paths: []string{"tls.verify"}, word: "optional", Doc: "Enable TLS, verify certificates of clients;\n--tlsverify=optional: of those who show one"},
	{Names: []string{"tlscacert"}, Arg: "file", Group: groupTLS, Paths: []string{"tls.ca_file"}, Doc: "Authorities for certificates of clients"},

	{Names: []string{"routes"}, Arg: "url, url", Group: groupCluster, action: actRoutes, Paths: []string{"cluster.routes"}, Doc: "Servers of the cluster to connect to"},
	{Names: []string{"cluster", "cluster_listen"}, Arg: "url", Group: groupCluster, action: actCluster, Paths: []string{"cluster.listen"}, Doc: "URL to listen on for routes"},
	{Names: []string{"cluster_name"}, Arg: "name", Group: groupCluster, Paths: []string{"cluster.name"}, Doc: "Name of the cluster (default: made up)"},
	{Names: []string{"no_advertise"}, Group: groupCluster, Paths: []string{"cluster.no_advertise"}, Doc: "Do not tell clients the other servers"},
	{Names: []string{"cluster_advertise"}, Arg: "host:port", Group: groupCluster, Paths: []string{"cluster.cluster_advertise"}, Doc: "Address that other servers are told to connect to"},
	{Names: []string{"connect_retries"}, Arg: "number", number: true, Group: groupCluster, Paths: []string{"cluster.connect_retries"}, Doc: "Attempts to connect to a server learnt from others"},

	{Names: []string{"profile"}, Arg: "port", number: true, Group: groupProfile, Paths: []string{"prof_port"}, Doc: "Port for profiling"},

	{Names: []string{"h", "help"}, Group: groupCommon, action: actHelp, Doc: "Show this message"},
	{Names: []string{"v", "version"}, Group: groupCommon, action: actVersion, Doc: "Show the version"},
	{Names: []string{"help_tls"}, Group: groupCommon, action: actTLSHelp, Doc: "Show help on TLS"},
}
