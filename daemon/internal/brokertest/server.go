package brokertest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Patience is how long anything here waits for a process before the test
// fails. It bounds failures only: no test passes or fails by a shorter time.
const Patience = time.Minute

// PortMark in Options.Config or Options.Args is replaced by the client port.
const PortMark = "%PORT%"

// Options says which server to start and how. The zero value starts
// nats-broker with its defaults.
type Options struct {
	Binary string   // path of the server; empty: Ours(t)
	Config string   // text of a configuration file, given with -c; empty: no file
	Args   []string // further arguments
	Env    []string // KEY=VALUE, added to the environment of the test
	Dir    string   // working directory; empty: a directory of the test

	// Port is the client port; 0 takes a free one. -a 127.0.0.1 and -p are
	// given as arguments unless PortMark appears in Config or Args.
	Port int

	// Netns is a network namespace, as ip-netns(8) names it, for the server to run in.
	// It needs root, and Config has to say where to listen; empty: that of the test.
	Netns string

	// MaxFiles lowers the limit of open descriptors; 0 leaves it.
	MaxFiles int

	// MayCrash keeps Stop from failing the test when the output holds a panic.
	MayCrash bool
}

// Server is a running server process. Its methods are for the test's own
// goroutine except Logs, which is safe for concurrent use.
type Server struct {
	t    testing.TB
	opts Options
	bin  string
	args []string
	port int
	conf string

	cmd  *exec.Cmd
	out  *output
	done chan struct{} // closed when the process has been waited for
	err  error         // result of Wait, valid when done is closed
}

// Start runs a server and returns when it accepts connections. The test fails
// when it does not. At the end of the test the server is stopped, and its
// output is printed if the test failed.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := prepare(t, o)
	s.launch()
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("%s %s said:\n%s", s.bin, strings.Join(s.args, " "), s.Logs())
		}
	})
	s.waitReady()
	return s
}

// Run starts a server that is expected to end by itself, and returns its exit
// code and everything it wrote.
func Run(t testing.TB, o Options) (code int, out string) {
	t.Helper()
	s := prepare(t, o)
	s.launch()
	code = s.Wait()
	return code, s.Logs()
}

func prepare(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{t: t, opts: o, bin: o.Binary, port: o.Port}
	if s.bin == "" {
		s.bin = Ours(t)
	}
	if s.port == 0 {
		s.port = FreePort(t)
	}
	marked := strings.Contains(o.Config, PortMark)
	for _, a := range o.Args {
		marked = marked || strings.Contains(a, PortMark)
		s.args = append(s.args, s.fill(a))
	}
	if !marked {
		s.args = append(s.args, "-a", "127.0.0.1", "-p", strconv.Itoa(s.port))
	}
	if o.Config != "" {
		s.conf = filepath.Join(t.TempDir(), "server.conf")
		s.SetConfig(o.Config)
		s.args = append(s.args, "-c", s.conf)
	}
	if s.opts.Dir == "" {
		s.opts.Dir = t.TempDir()
	}
	return s
}

func (s *Server) fill(text string) string {
	return strings.ReplaceAll(text, PortMark, strconv.Itoa(s.port))
}

// SetConfig writes the configuration file anew; the server reads it at the
// next reload or Restart. The server must have been started with a Config.
func (s *Server) SetConfig(text string) {
	s.t.Helper()
	if err := os.WriteFile(s.conf, []byte(s.fill(text)), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) launch() {
	s.t.Helper()
	s.out = newOutput()
	s.done = make(chan struct{})
	bin, args := s.bin, s.args
	if s.opts.MaxFiles > 0 {
		limit := fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, s.opts.MaxFiles)
		bin, args = "/bin/sh", append([]string{"-c", limit, s.bin}, args...)
	}
	if s.opts.Netns != "" {
		bin, args = "ip", append([]string{"netns", "exec", s.opts.Netns, bin}, args...)
	}
	cmd := exec.Command(bin, args...)
	cmd.Dir = s.opts.Dir
	// A program with the race detector sleeps for a second before it exits
	// unless it is told not to.
	cmd.Env = append(append(environment(), "GORACE=atexit_sleep_ms=0"), s.opts.Env...)
	cmd.Stdout, cmd.Stderr = s.out, s.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("start %s: %v", s.bin, err)
	}
	s.cmd = cmd
	done := s.done
	go func() { // ends with the process; Stop and Wait wait for it
		s.err = cmd.Wait()
		close(done)
	}()
}

// environment returns the environment of the test without what nats-broker
// would take for options.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "NATS_BROKER_") })
}

// Refuses starts a server only to see whether it takes its options. If it
// ends instead of serving, Refuses returns what it said.
func Refuses(t testing.TB, o Options) (said string, refuses bool) {
	t.Helper()
	s := prepare(t, o)
	s.launch()
	defer s.Kill()
	if err := s.untilListening(); err != nil {
		return s.Logs(), true
	}
	// nats-server listens before it looks at some of its options, and at those of a cluster when it has
	// said that it is ready.
	if !strings.Contains(s.Logs(), "[INF] Starting ") {
		return "", false
	}
	serves := s.said("Server is ready", 0) >= 0
	if serves && strings.Contains(o.Config, "cluster {") {
		serves = s.greetsRoutes()
	}
	if serves {
		return "", false
	}
	select {
	case <-s.done:
	case <-time.After(Patience):
		t.Fatalf("neither ready nor ended within %s:\n%s", Patience, s.Logs())
	}
	return s.Logs(), true
}

// greetsRoutes tells whether the server comes to speak on the port that it listens on for routes.
func (s *Server) greetsRoutes() bool {
	from := s.said("Listening for route connections on ", 0)
	if from < 0 || s.said("\n", from) < 0 {
		return false
	}
	place, _, _ := strings.Cut(s.Logs()[from:], "\n")
	conn, err := net.DialTimeout("tcp", place, Patience)
	if err != nil {
		return false
	}
	defer conn.Close() //nolint:errcheck // nothing was written
	if err := conn.SetReadDeadline(time.Now().Add(Patience)); err != nil {
		return false
	}
	_, err = conn.Read(make([]byte, 1))
	return err == nil
}

// said waits until the server has said text, counted from an offset of its output, and returns the
// place behind it; -1 if the server ends without it.
func (s *Server) said(text string, from int) int {
	s.t.Helper()
	for deadline := time.After(Patience); ; {
		at, grown := s.out.find(text, from)
		if at >= 0 {
			return at
		}
		select {
		case <-grown:
		case <-s.done:
			at, _ = s.out.find(text, from)
			return at
		case <-deadline:
			s.t.Fatalf("neither said %q nor ended within %s:\n%s", text, Patience, s.Logs())
		}
	}
}

// waitReady returns when the port is bound and, if the server logs to its
// standard error, when it has said that it is ready.
func (s *Server) waitReady() {
	s.t.Helper()
	if err := s.untilListening(); err != nil {
		s.t.Fatal(err)
	}
	if strings.Contains(s.Logs(), "[INF] Starting ") {
		s.WaitLog("Server is ready")
	}
}

// tables is where the kernel shows the sockets of the server's network namespace.
func (s *Server) tables() string {
	if s.opts.Netns != "" {
		return fmt.Sprintf("/proc/%d/net", s.cmd.Process.Pid)
	}
	return "/proc/net"
}

func (s *Server) untilListening() error {
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); {
		if ok, err := listening(s.tables(), s.port); ok || err != nil {
			return err
		}
		select {
		case <-s.done:
			return fmt.Errorf("%s %s ended before it served: %w\n%s", s.bin, strings.Join(s.args, " "), s.err, s.Logs())
		case <-time.After(2 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s did not listen on port %d within %s:\n%s", s.bin, s.port, Patience, s.Logs())
}

// WaitLog returns when the output of the server holds text, counted from the
// start of the process. The test fails when that does not happen.
func (s *Server) WaitLog(text string) {
	s.t.Helper()
	s.WaitLogFrom(text, 0)
}

// WaitLogFrom is WaitLog for output behind offset from (see LogLen); it
// returns the offset behind the text found.
func (s *Server) WaitLogFrom(text string, from int) int {
	s.t.Helper()
	at := s.said(text, from)
	if at < 0 {
		s.t.Fatalf("server ended (%v) without saying %q:\n%s", s.err, text, s.Logs())
	}
	return at
}

// Logs returns all the server wrote to standard output and standard error
// since it was started or restarted.
func (s *Server) Logs() string { return s.out.String() }

// LogLen returns the length of Logs, for WaitLogFrom.
func (s *Server) LogLen() int { return s.out.Len() }

// Addr returns host:port of the client listener.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL returns the nats:// URL of the client listener.
func (s *Server) URL() string { return "nats://" + s.Addr() }

// Name returns the name of the server's program: nats-broker, or nats-server.
func (s *Server) Name() string {
	name := filepath.Base(s.bin)
	for _, known := range []string{"nats-broker", "nats-server"} {
		if strings.HasPrefix(name, known) {
			return known // what is behind it says what it was built of
		}
	}
	return name
}

// Port returns the client port.
func (s *Server) Port() int { return s.port }

// PID returns the process id of the server.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// ConfigFile returns the path of the configuration file, or "" without one.
func (s *Server) ConfigFile() string { return s.conf }

// Signal sends sig to the server.
func (s *Server) Signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal %v: %v", sig, err)
	}
}

// Wait returns the exit code of the server once it has ended by itself, or
// minus the number of the signal that ended it. The test fails when it goes on.
func (s *Server) Wait() int {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(Patience):
		s.cmd.Process.Kill()
		<-s.done
		s.t.Fatalf("%s did not end within %s:\n%s", s.bin, Patience, s.Logs())
	}
	var exit *exec.ExitError
	if errors.As(s.err, &exit) {
		if w, ok := exit.Sys().(syscall.WaitStatus); ok && w.Signaled() {
			return -int(w.Signal())
		}
		return exit.ExitCode()
	}
	return 0
}

// Stop ends the server with SIGTERM, as a service manager does, and returns
// its exit code. Stopping a server that has ended is allowed. The test fails
// when the server does not end, panicked, or raced.
func (s *Server) Stop() int {
	s.t.Helper()
	select {
	case <-s.done:
	default:
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		_ = s.cmd.Process.Signal(syscall.SIGCONT) // a stopped process hears nothing else
	}
	code := s.Wait()
	s.checkHealth()
	return code
}

// Kill ends the server with SIGKILL and waits for its end.
func (s *Server) Kill() {
	s.t.Helper()
	_ = s.cmd.Process.Kill()
	<-s.done
}

// Restart starts the server again on the same port with the same arguments.
// It must have been stopped or killed before.
func (s *Server) Restart() {
	s.t.Helper()
	select {
	case <-s.done:
	default:
		s.t.Fatal("restart of a server that still runs")
	}
	s.launch()
	s.waitReady()
}

// checkHealth fails the test for what a server must never say.
func (s *Server) checkHealth() {
	s.t.Helper()
	if s.opts.MayCrash {
		return
	}
	logs := s.Logs()
	bad := []string{"WARNING: DATA RACE", "panic: ", "fatal error: ", "goroutine 1 ["}
	if i := slices.IndexFunc(bad, func(b string) bool { return strings.Contains(logs, b) }); i >= 0 {
		s.t.Errorf("server output holds %q", bad[i])
	}
}
