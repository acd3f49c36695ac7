package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// signalFor are the commands of -sl, as nats-server knows them.
var signalFor = map[string]syscall.Signal{
	"stop":   syscall.SIGKILL,
	"quit":   syscall.SIGINT,
	"term":   syscall.SIGTERM,
	"reopen": syscall.SIGUSR1,
	"reload": syscall.SIGHUP,
	"ldm":    syscall.SIGUSR2,
}

// SendSignal does what -sl asks: spec is a command, or command=target where
// target is a process id, the beginning of one followed by "*", or the path of
// a file that holds one. Without a target the broker is found by itself: the
// one running process named nats-broker or nats-server.
func SendSignal(spec string) error { return sendSignal(spec, "/proc", syscall.Kill) }

func sendSignal(spec, proc string, kill func(int, syscall.Signal) error) error {
	command, target, _ := strings.Cut(spec, "=")
	if extra := strings.Split(target, "="); len(extra) > 1 {
		return fmt.Errorf("invalid signal parameters: %v", extra[1:])
	}
	if data, err := os.ReadFile(target); err == nil {
		target = strings.TrimSpace(string(data))
	}
	sig, known := signalFor[command]
	pids, err := signalTargets(target, proc)
	if err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("unknown signal %q", command)
	}
	var failed strings.Builder
	for _, pid := range pids {
		if err := kill(pid, sig); err != nil {
			fmt.Fprintf(&failed, "\nsignal %q %d: %s", command, pid, err)
		}
	}
	if failed.Len() > 0 {
		return errors.New(failed.String())
	}
	return nil
}

// signalTargets finds the processes meant.
func signalTargets(target, proc string) ([]int, error) {
	prefix, glob := strings.CutSuffix(target, "*")
	if prefix != "" {
		pid, err := strconv.Atoi(prefix)
		if err != nil || pid <= 0 {
			return nil, fmt.Errorf("invalid pid: %s", prefix)
		}
		if !glob {
			return []int{pid}, nil
		}
	}
	pids, err := brokerProcesses(proc)
	if err != nil {
		return nil, errors.New("unable to resolve pid, try providing one")
	}
	pids = slices.DeleteFunc(pids, func(pid int) bool { return !strings.HasPrefix(strconv.Itoa(pid), prefix) })
	switch {
	case len(pids) == 0:
		return nil, fmt.Errorf("no %s processes running", ownName)
	case len(pids) > 1 && !glob:
		var list strings.Builder
		for _, pid := range pids {
			fmt.Fprintf(&list, "\n%d", pid)
		}
		return nil, fmt.Errorf("multiple %s processes running:%s", ownName, list.String())
	}
	return pids, nil
}

// brokerProcesses lists the running brokers, ours and nats-server's, but not
// this process, nor other short-lived runs of the command (verbs, -sl, -t).
func brokerProcesses(proc string) ([]int, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(proc, e.Name(), "cmdline"))
		if err != nil {
			continue // gone already, or not ours to read
		}
		if servesAsBroker(strings.Split(strings.TrimRight(string(data), "\x00"), "\x00")) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// servesAsBroker tells a broker from another use of its command line.
func servesAsBroker(args []string) bool {
	if len(args) == 0 || !isBrokerName(filepath.Base(args[0])) {
		return false
	}
	for i, arg := range args[1:] {
		if i == 0 && arg != "" && !strings.HasPrefix(arg, "-") {
			return false // a verb
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		if strings.HasPrefix(arg, "-") && slices.Contains([]string{"sl", "signal", "t", "v", "version", "h", "help", "help_tls"}, name) {
			return false
		}
	}
	return true
}
