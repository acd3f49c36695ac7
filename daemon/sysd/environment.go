package sysd

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Environment is what the service manager left for this process. The zero
// value is a process that was not started by systemd.
type Environment struct {
	NotifySocket   string        // NOTIFY_SOCKET: a path, or "@name" in the abstract namespace
	Watchdog       time.Duration // WatchdogSec= of the unit; zero when no watchdog runs
	RuntimeDir     string        // RuntimeDirectory=, e.g. /run/nats-broker
	StateDir       string        // StateDirectory=, e.g. /var/lib/nats-broker
	LogsDir        string        // LogsDirectory=
	ConfigDir      string        // ConfigurationDirectory=
	CredentialsDir string        // where LoadCredential= put its files
	InvocationID   string        // INVOCATION_ID: 32 hex digits naming this run of the unit
	Sockets        *Sockets      // inherited sockets; never nil
	HasStore       bool          // the unit may store descriptors (FileDescriptorStoreMax=)
}

// Managed reports whether a service manager waits for this process's state.
func (e *Environment) Managed() bool { return e.NotifySocket != "" }

// handed lists the variables that are a promise to this very process; they are
// removed from the environment once read.
var handed = []string{
	"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
	"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "FDSTORE",
}

// TakeEnvironment reads the environment of the process, claims the inherited
// descriptors (setting close-on-exec on each) and unsets the variables meant for this
// process alone. It must be called once, before any descriptor is opened by
// number and before any child is started.
func TakeEnvironment() (*Environment, error) {
	env, err := readEnvironment(os.Getenv, os.Getpid(), listenFDStart)
	for _, name := range handed {
		os.Unsetenv(name)
	}
	return env, err
}

// readEnvironment does the reading; firstFD is where inherited descriptors
// start (3 except in tests).
func readEnvironment(getenv func(string) string, pid, firstFD int) (*Environment, error) {
	env := &Environment{
		NotifySocket:   getenv("NOTIFY_SOCKET"),
		RuntimeDir:     firstDir(getenv("RUNTIME_DIRECTORY")),
		StateDir:       firstDir(getenv("STATE_DIRECTORY")),
		LogsDir:        firstDir(getenv("LOGS_DIRECTORY")),
		ConfigDir:      firstDir(getenv("CONFIGURATION_DIRECTORY")),
		CredentialsDir: getenv("CREDENTIALS_DIRECTORY"),
		InvocationID:   getenv("INVOCATION_ID"),
		Sockets:        &Sockets{},
		HasStore:       hasStore(getenv),
	}
	var err error
	if env.Watchdog, err = watchdogPeriod(getenv, pid); err != nil {
		return env, err
	}
	if !forThisProcess(getenv("LISTEN_PID"), pid) {
		return env, nil
	}
	env.Sockets, err = inheritSockets(getenv("LISTEN_FDS"), getenv("LISTEN_FDNAMES"), firstFD)
	return env, err
}

// hasStore tells whether descriptors may be stored. systemd says so in FDSTORE
// since version 254; before, only our own units are known to have a store.
// Asking in vain would make the manager complain at each start.
func hasStore(getenv func(string) string) bool {
	if limit := getenv("FDSTORE"); limit != "" {
		n, err := strconv.Atoi(limit)
		return err == nil && n > 0
	}
	return getenv("NATS_UNIT") != ""
}

// firstDir returns the first of the colon-separated directories systemd lists
// in RUNTIME_DIRECTORY= and its sisters, or "".
func firstDir(list string) string {
	first, _, _ := strings.Cut(list, ":")
	if !filepath.IsAbs(first) {
		return ""
	}
	return filepath.Clean(first)
}

// forThisProcess tells whether a …_PID variable addresses us. A missing one
// does not for sockets; watchdogPeriod treats a missing one as addressed.
func forThisProcess(value string, pid int) bool {
	n, err := strconv.Atoi(value)
	return err == nil && n == pid
}

// watchdogPeriod reads WATCHDOG_USEC, honouring WATCHDOG_PID when present.
func watchdogPeriod(getenv func(string) string, pid int) (time.Duration, error) {
	usec := getenv("WATCHDOG_USEC")
	if usec == "" {
		return 0, nil
	}
	if p := getenv("WATCHDOG_PID"); p != "" && !forThisProcess(p, pid) {
		return 0, nil
	}
	n, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || n <= 0 || n > int64(time.Duration(1<<62)/time.Microsecond) {
		return 0, fmt.Errorf("WATCHDOG_USEC=%q is not a number of microseconds", usec)
	}
	return time.Duration(n) * time.Microsecond, nil
}
