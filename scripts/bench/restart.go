package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What clients see of a restart. Of all, less is better.
const (
	gap        metric = "gap"        // longest time between two messages of one client, ns
	delay      metric = "delay"      // longest time of a message on its way, from when it was due, ns
	calmGap    metric = "calm-gap"   // the same before the restart, with all else alike
	calmDelay  metric = "calm-delay" //
	dropped    metric = "dropped"    // connections that ended
	lost       metric = "lost"       // messages that were sent and did not arrive
	doubled    metric = "doubled"    // messages that arrived twice
	disordered metric = "disordered" // messages that arrived behind a later one
)

// crowdSpec is who is there while a server restarts.
type crowdSpec struct {
	clients   int
	perSecond int // messages of all together
	restarts  int // one after another
	idle      bool
}

// Times of a restart.
const (
	calmTime   = 1500 * time.Millisecond // before, for comparison
	settleTime = 500 * time.Millisecond  // after each
)

// restartUnder measures what clients see of restarts that send numbered messages to each
// other. nats-broker hands its connections over to a new process; others are stopped
// and started, and their clients connect again.
func restartUnder(spec crowdSpec) func(*run) (result, error) {
	return func(r *run) (result, error) {
		k, err := startKeeper(r.binary)
		if err != nil {
			return nil, err
		}
		defer k.stop()
		spec := spec
		spec.clients /= r.scale
		spec.perSecond /= r.scale
		res, err := k.restartUnder(spec)
		if err != nil {
			return nil, errors.Join(err, errors.New(tail(k.srv.log.String())))
		}
		return res, nil
	}
}

func (k *keeper) restartUnder(spec crowdSpec) (result, error) {
	c, err := gather(k.srv.port, spec)
	if err != nil {
		return nil, err
	}
	defer c.dismiss()
	c.begin()
	time.Sleep(calmTime)
	c.phase.Store(inRestart)
	for range spec.restarts {
		if err := k.restart(); err != nil {
			return nil, err
		}
		time.Sleep(settleTime)
	}
	return c.finish()
}

// keeper keeps a server on one port over restarts.
type keeper struct {
	srv    *server
	binary string
	dir    string
	pid    int // of the process that serves, once it is not srv's
}

// hands reports whether the server can hand its connections over.
func (k *keeper) hands() bool { return k.socket() != "" }

// socket is where the server takes verbs, if it does.
func (k *keeper) socket() string {
	version, err := command(".", k.binary, "--version")
	if err != nil || !strings.HasPrefix(version, "nats-broker") {
		return ""
	}
	return filepath.Join(k.dir, "control.sock")
}

func startKeeper(binary string) (*keeper, error) {
	dir, err := os.MkdirTemp("", "nats-broker-bench-")
	if err != nil {
		return nil, err
	}
	k := &keeper{binary: binary, dir: dir}
	var more []string
	if socket := k.socket(); socket != "" {
		file := filepath.Join(dir, "nats.conf")
		if err = os.WriteFile(file, fmt.Appendf(nil, "control_socket: %q\n", socket), 0o600); err == nil {
			more = []string{"-c", file}
		}
	}
	if err == nil {
		k.srv, _, err = startServer(binary, more...)
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return k, nil
}

// restart returns when the next process serves.
func (k *keeper) restart() error {
	if k.hands() {
		said, err := command(".", k.binary, "upgrade", "--socket", k.socket())
		if err != nil {
			return err
		}
		if _, err := fmt.Sscanf(said, "process %d", &k.pid); err != nil {
			return fmt.Errorf("%q names no process: %w", said, err)
		}
		return nil
	}
	k.srv.stop()
	cmd := exec.Command(k.binary, k.srv.cmd.Args[1:]...)
	next := &server{port: k.srv.port, cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &next.log, &next.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return k.launch(next)
}

func (k *keeper) launch(next *server) error {
	if err := next.cmd.Start(); err != nil {
		return err
	}
	go func() { // ends with the process; stop waits for it
		_ = next.cmd.Wait()
		close(next.done)
	}()
	k.srv = next
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if c, err := next.connect(); err == nil {
			return c.Close()
		}
	}
	return errors.New("the server does not come back")
}

func (k *keeper) stop() {
	if k.hands() { // whichever process it is by now: the log of the first ends with that of the last
		if _, err := command(".", k.binary, "stop", "--socket", k.socket()); err != nil && k.pid != 0 {
			_ = syscall.Kill(k.pid, syscall.SIGKILL)
		}
	}
	k.srv.stop()
	_ = os.RemoveAll(k.dir)
}

// subjectOf is what a client of a crowd listens to.
func subjectOf(i int) string { return "bench.crowd." + strconv.Itoa(i) }
