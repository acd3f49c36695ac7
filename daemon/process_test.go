package daemon_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// verb runs the command beside a running broker.
func verb(t *testing.T, socket string, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.Command(brokertest.Ours(t), args...)
	cmd.Env = append(os.Environ(), "NATS_BROKER_CONTROL_SOCKET="+socket)
	text, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

func connect(t *testing.T, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, append([]nats.Option{nats.Timeout(brokertest.Patience)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// controlled starts a broker with a control socket that does not watch files.
func controlled(t *testing.T, config string) (*brokertest.Server, string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "control.sock")
	head := "listen: \"127.0.0.1:" + brokertest.PortMark + "\"\nconfig_watch: off\ncontrol_socket: \"" + socket + "\"\n"
	s := brokertest.Start(t, brokertest.Options{Config: head + config})
	return s, socket
}

func (r *reloader) set(config string) { r.s.SetConfig(r.head + config) }

// reloader rewrites the configuration of a controlled broker.
type reloader struct {
	s    *brokertest.Server
	head string
}

func rewriting(t *testing.T, s *brokertest.Server, socket string) *reloader {
	t.Helper()
	return &reloader{s, "listen: \"127.0.0.1:" + brokertest.PortMark + "\"\nconfig_watch: off\ncontrol_socket: \"" + socket + "\"\n"}
}

// A refused reload must leave everything as it was: options that are fine in
// the same file, and listeners that would have been opened for it.
func TestRefusedReloadChangesNothing(t *testing.T) {
	s, socket := controlled(t, "max_payload: 1000\n")
	r := rewriting(t, s, socket)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, config := range map[string]string{
		"unknown field":            "max_payload: 2000\nmax_paylod: 1\n",
		"monitor port taken":       fmt.Sprintf("max_payload: 2000\nhttp: \"%s\"\n", taken.Addr()),
		"pid file of no directory": "max_payload: 2000\npid_file: \"/nonexistent/x.pid\"\n",
		"log file of no directory": "max_payload: 2000\nlog_file: \"/nonexistent/x.log\"\n",
		"server name":              "max_payload: 2000\nserver_name: other\n",
	} {
		t.Run(name, func(t *testing.T) {
			r.set(config)
			if code, out := verb(t, socket, "reload"); code != 1 || !strings.Contains(out, "nothing has changed") {
				t.Errorf("exit %d: %s", code, out)
			}
			if got := connect(t, s.URL()).MaxPayload(); got != 1000 {
				t.Errorf("max_payload is %d", got)
			}
			if code, _ := verb(t, socket, "status"); code != 1 {
				t.Errorf("status exits %d", code)
			}
		})
	}
	r.set("max_payload: 3000\n")
	if code, out := verb(t, socket, "reload"); code != 0 || !strings.Contains(out, "max_payload: 1000 -> 3000 (live)") {
		t.Errorf("exit %d: %s", code, out)
	}
	if code, out := verb(t, socket, "status"); code != 0 {
		t.Errorf("status exits %d after the repair: %s", code, out)
	}
}

// The client port moves live: those connected stay, the old port is closed.
func TestClientPortMovesLive(t *testing.T) {
	s, socket := controlled(t, "")
	nc := connect(t, s.URL(), nats.NoReconnect())
	port := brokertest.FreePort(t)
	s.SetConfig(fmt.Sprintf("listen: \"127.0.0.1:%d\"\nconfig_watch: off\ncontrol_socket: %q\n", port, socket))
	if code, out := verb(t, socket, "reload"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	if err := nc.Flush(); err != nil {
		t.Errorf("a connected client was lost: %v", err)
	}
	connect(t, "nats://127.0.0.1:"+strconv.Itoa(port))
	if c, err := net.Dial("tcp", s.Addr()); err == nil {
		c.Close()
		t.Error("the old port still accepts")
	}
	// And back, by a change of address on the same port.
	s.SetConfig(fmt.Sprintf("listen: \"0.0.0.0:%d\"\nconfig_watch: off\ncontrol_socket: %q\n", port, socket))
	if code, out := verb(t, socket, "reload"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	connect(t, "nats://127.0.0.1:"+strconv.Itoa(port))
	if err := nc.Flush(); err != nil {
		t.Errorf("a connected client was lost: %v", err)
	}
}

// Users change live: who lost the right is closed, who kept it goes on.
func TestUsersChangeLive(t *testing.T) {
	s, socket := controlled(t, "authorization { users: [ {user: a, password: x}, {user: b, password: y} ] }\n")
	a := connect(t, s.URL(), nats.UserInfo("a", "x"), nats.NoReconnect())
	closed := make(chan struct{})
	connect(t, s.URL(), nats.UserInfo("b", "y"), nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	rewriting(t, s, socket).set("authorization { users: [ {user: a, password: x}, {user: c, password: z} ] }\n")
	if code, out := verb(t, socket, "reload"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	<-closed
	if err := a.Flush(); err != nil {
		t.Errorf("a user who kept the right was lost: %v", err)
	}
	connect(t, s.URL(), nats.UserInfo("c", "z"))
	if code, out := verb(t, socket, "health"); code != 0 {
		t.Errorf("health exits %d: %s", code, out)
	}
}

// descriptors counts what a process has open.
func descriptors(t *testing.T, pid int) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// A hundred reloads under load, half of them invalid: no message is lost, no
// connection dropped, no descriptor leaked.
func TestReloadUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	s, socket := controlled(t, "max_payload: 1000000\n")
	r := rewriting(t, s, socket)
	drop := nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
		if err != nil { // nil: we closed it
			t.Errorf("a connection was dropped: %v", err)
		}
	})
	pub, subscriber := connect(t, s.URL(), drop), connect(t, s.URL(), drop)
	var got, next atomic.Int64
	sub, err := subscriber.Subscribe("load", func(m *nats.Msg) {
		n, _ := strconv.ParseInt(string(m.Data), 10, 64)
		if n != next.Load() {
			t.Errorf("message %d came in place of %d", n, next.Load())
		}
		next.Store(n + 1)
		got.Add(1)
	})
	if err != nil {
		t.Fatal(err)
	}
	sub.SetPendingLimits(-1, -1)
	if err := subscriber.Flush(); err != nil {
		t.Fatal(err)
	}
	stop, sent := make(chan struct{}), make(chan int64)
	go func() { // paced to 100,000 messages a second, as far as the machine has them
		n := int64(0)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				sent <- n
				return
			case <-tick.C:
				for range 100 {
					pub.Publish("load", strconv.AppendInt(nil, n, 10))
					n++
				}
			}
		}
	}()
	began := time.Now()
	reload := func(i int) {
		config, want := fmt.Sprintf("max_payload: %d\nping_max: %d\nhttp_port: %d\n", 1000000+i, 2+i%3, -(i/2)%2), 0
		if i%2 == 1 {
			config, want = fmt.Sprintf("max_payload: %d\nnonsense: [\n", i), 1
		}
		r.set(config)
		if code, out := verb(t, socket, "reload"); code != want {
			t.Errorf("reload %d exits %d: %s", i, code, out)
		}
	}
	reload(0)
	before := descriptors(t, s.PID())
	for i := 1; i < 100; i++ {
		reload(i)
	}
	took := time.Since(began)
	close(stop)
	total := <-sent
	if err := pub.Flush(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(brokertest.Patience); got.Load() < total && time.Now().Before(deadline); {
		if err := subscriber.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if got.Load() != total {
		t.Errorf("%d of %d messages arrived", got.Load(), total)
	}
	reload(100)
	if after := descriptors(t, s.PID()); after > before+2 {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	t.Logf("measured: 100 reloads in %s under %.0f msgs/s", took.Round(time.Millisecond), float64(total)/took.Seconds())
}

// What a service manager is told, from start to stop.
func TestServiceManagerIsTold(t *testing.T) {
	dir := t.TempDir()
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	receive := func(want string) string {
		t.Helper()
		buf := make([]byte, 4096)
		for {
			notify.SetReadDeadline(time.Now().Add(brokertest.Patience))
			n, err := notify.Read(buf)
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			if strings.HasPrefix(string(buf[:n]), want) {
				return string(buf[:n])
			}
		}
	}
	s := brokertest.Start(t, brokertest.Options{
		Config: "listen: \"127.0.0.1:" + brokertest.PortMark + "\"\nconfig_watch: off\n",
		Env:    []string{"NOTIFY_SOCKET=" + filepath.Join(dir, "notify"), "WATCHDOG_USEC=1000000"},
	})
	if got := receive("READY=1"); !strings.Contains(got, "STATUS=0 clients") {
		t.Errorf("ready: %q", got)
	}
	receive("WATCHDOG=1")
	s.Signal(syscall.SIGHUP)
	if got := receive("RELOADING=1"); !strings.Contains(got, "MONOTONIC_USEC=") {
		t.Errorf("reloading: %q", got)
	}
	receive("READY=1")
	s.SetConfig("listen: \"127.0.0.1:" + brokertest.PortMark + "\"\nnonsense\n")
	s.Signal(syscall.SIGHUP)
	receive("RELOADING=1")
	if got := receive("READY=1"); !strings.Contains(got, "STATUS=reload refused") {
		t.Errorf("after a refused reload: %q", got)
	}
	s.Signal(syscall.SIGTERM)
	receive("STOPPING=1")
	if code := s.Wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// Tools that drive nats-server drive us through a link of its name.
func TestUnderTheNameOfNATSServer(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "nats-server")
	if err := os.Symlink(brokertest.Ours(t), link); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(link, "-v").Output()
	if err != nil || string(out) != "nats-server: v2.15.3\n" {
		t.Errorf("-v: %q, %v", out, err)
	}
	s := brokertest.Start(t, brokertest.Options{Binary: link, Args: []string{"--ports_file_dir", dir, "-P", filepath.Join(dir, "pid")}})
	file := filepath.Join(dir, fmt.Sprintf("nats-server_%d.ports", s.PID()))
	var ports struct{ Nats []string }
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &ports)
	}
	if err != nil || len(ports.Nats) != 1 || ports.Nats[0] != s.URL() {
		t.Errorf("ports file: %s, %v", data, err)
	}
	if out, err := exec.Command(link, "-sl", "term="+filepath.Join(dir, "pid")).CombinedOutput(); err != nil {
		t.Fatalf("-sl: %v: %s", err, out)
	}
	if code := s.Wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("files stayed after the end: %v", left)
	}
}

// The control socket itself moves live, and the verb that asked for it is
// answered on the old one; so does the profiler's port.
func TestControlSocketMovesLive(t *testing.T) {
	s, socket := controlled(t, "")
	moved := filepath.Join(t.TempDir(), "moved.sock")
	s.SetConfig("listen: \"127.0.0.1:" + brokertest.PortMark + "\"\nconfig_watch: off\nprof_port: -1\ncontrol_socket: \"" + moved + "\"\n")
	if code, out := verb(t, socket, "reload"); code != 0 || !strings.Contains(out, "control_socket") {
		t.Fatalf("exit %d: %s", code, out)
	}
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("the old socket stayed: %v", err)
	}
	if code, out := verb(t, socket, "status"); code != 3 {
		t.Errorf("on the old socket status exits %d: %s", code, out)
	}
	if code, out := verb(t, moved, "status"); code != 0 || !strings.Contains(out, "profile:") {
		t.Errorf("on the new socket status exits %d: %s", code, out)
	}
	if code, out := verb(t, moved, "stop"); code != 0 {
		t.Errorf("stop exits %d: %s", code, out)
	}
	if code := s.Wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// A log file that is a pipe which nobody reads holds up neither the start, nor clients,
// nor the end.
func TestLogThatNobodyReads(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "log")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	s := brokertest.Start(t, brokertest.Options{Args: []string{"-D", "-l", pipe}})
	for range 500 { // some 200 fill it
		s.Open(t, `{"verbose":false}`).Sync()
	}
	s.Signal(syscall.SIGHUP)
	connect(t, s.URL()).Close()
	s.Signal(syscall.SIGTERM)
	if code := s.Wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
}
