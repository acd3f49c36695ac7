package sysd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
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
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err == nil && watchdog < 0 { // more than there is room for
		err = fmt.Errorf("WATCHDOG_USEC=%q is too long", os.Getenv("WATCHDOG_USEC"))
	}
	env, bad := readEnvironment(os.Getenv, activation.Files(false))
	env.Watchdog = max(watchdog, 0)
	err = errors.Join(err, bad)
	for _, name := range handed {
		os.Unsetenv(name)
	}
	return env, err
}

// readEnvironment does the reading; inherited are the descriptors that were
// passed to this process.
func readEnvironment(getenv func(string) string, inherited []*os.File) (*Environment, error) {
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
	var errs []error
	for _, f := range inherited {
		sock, err := socketOf(f.Name(), f)
		if err != nil {
			errs = append(errs, fmt.Errorf("inherited descriptor %s: %w", f.Name(), err))
			continue
		}
		env.Sockets.list = append(env.Sockets.list, sock)
	}
	return env, errors.Join(errs...)
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
