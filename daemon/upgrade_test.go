package daemon_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
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

// counting is a client that counts up to another, for as long as the test runs; neither
// reconnects, and no number may be missing or come twice.
type counting struct {
	t         *testing.T
	pub, sub  *nats.Conn
	sent, got atomic.Int64
	mayEnd    atomic.Bool // whether it may be disconnected
	stop      chan struct{}
	done      chan struct{}
}

func startCounting(t *testing.T, url, subject string, opts ...nats.Option) *counting {
	t.Helper()
	c := &counting{t: t, stop: make(chan struct{}), done: make(chan struct{})}
	dropped := nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
		if err != nil && !c.mayEnd.Load() {
			t.Errorf("%s: disconnected: %v", subject, err)
		}
	})
	opts = append(opts, nats.NoReconnect(), dropped)
	c.pub, c.sub = connect(t, url, opts...), connect(t, url, opts...)
	if _, err := c.sub.Subscribe(subject, func(m *nats.Msg) {
		if n, _ := strconv.ParseInt(string(m.Data), 10, 64); n != c.got.Load()+1 {
			t.Errorf("%s: %d came behind %d", subject, n, c.got.Load())
		}
		c.got.Add(1)
	}); err != nil {
		t.Fatal(err)
	}
	if err := c.sub.Flush(); err != nil {
		t.Fatal(err)
	}
	go func() { // until finish
		defer close(c.done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-c.stop:
				return
			case <-tick.C:
			}
			if err := c.pub.Publish(subject, strconv.AppendInt(nil, c.sent.Add(1), 10)); err != nil {
				if !c.mayEnd.Load() {
					t.Errorf("%s: %v", subject, err)
				}
				return
			}
		}
	}()
	return c
}

// finish waits for all that was sent.
func (c *counting) finish() {
	c.t.Helper()
	close(c.stop)
	<-c.done
	if err := c.pub.Flush(); err != nil {
		c.t.Fatal(err)
	}
	for end := time.Now().Add(brokertest.Patience); c.got.Load() < c.sent.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("%d of %d came", c.got.Load(), c.sent.Load())
		}
	}
}

// statusOf asks a broker how it is.
func statusOf(t *testing.T, socket string) (s struct {
	PID      int    `json:"pid"`
	ServerID string `json:"server_id"`
}) {
	t.Helper()
	code, out := verb(t, socket, "status", "--json")
	if code != 0 {
		t.Fatalf("status exits %d: %s", code, out)
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// Processes take over from each other, again and again; clients notice nothing, and
// what belongs to a process is the new one's.
func TestUpgradeKeepsConnections(t *testing.T) {
	dir := t.TempDir()
	s, socket := controlled(t, fmt.Sprintf("http: \"127.0.0.1:%d\"\npid_file: %q\nports_file_dir: %q\n", brokertest.FreePort(t), dir+"/pid", dir))
	t.Cleanup(func() { verb(t, socket, "stop") })
	var all []*counting
	for i := range 20 {
		all = append(all, startCounting(t, s.URL(), fmt.Sprintf("count.%d", i)))
	}
	first := statusOf(t, socket)
	last := first.PID
	for range 3 {
		code, out := verb(t, socket, "upgrade")
		if code != 0 || !strings.Contains(out, "connections kept: 40") {
			t.Fatalf("upgrade exits %d: %s", code, out)
		}
		now := statusOf(t, socket)
		if now.PID == last || now.ServerID != first.ServerID {
			t.Errorf("process %d, server %s, after process %d, server %s", now.PID, now.ServerID, last, first.ServerID)
		}
		if !strings.Contains(out, fmt.Sprintf("process %d serves", now.PID)) {
			t.Errorf("the verb says %q", out)
		}
		if cmd, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", last)); len(cmd) > 0 { // nothing, or a zombie's
			t.Errorf("process %d is still there", last)
		}
		last = now.PID
		if got, err := os.ReadFile(dir + "/pid"); err != nil || string(got) != strconv.Itoa(last) {
			t.Errorf("the pid file holds %q: %v", got, err)
		}
		if list, _ := filepath.Glob(dir + "/*.ports"); len(list) != 1 || !strings.HasSuffix(list[0], fmt.Sprintf("_%d.ports", last)) {
			t.Errorf("ports files: %v", list)
		}
		connect(t, s.URL()).Close()
	}
	for _, c := range all {
		c.finish()
	}
}

// A program that does not start costs nothing; one that fails when everything has been
// handed to it is replaced by the one before.
func TestUpgradeThatFails(t *testing.T) {
	s, socket := controlled(t, "")
	t.Cleanup(func() { verb(t, socket, "stop") })
	c := startCounting(t, s.URL(), "count")
	first := statusOf(t, socket)
	for name, program := range map[string]string{"missing": "/nonexistent", "fails": "/bin/false", "not a program": "/etc/passwd"} {
		code, out := verb(t, socket, "upgrade", "--binary", program)
		if code != 1 {
			t.Errorf("%s: exits %d: %s", name, code, out)
		}
		if now := statusOf(t, socket); now != first {
			t.Fatalf("%s: %+v after %+v", name, now, first)
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	conf := fmt.Sprintf("listen: \"127.0.0.1:%d\"\nconfig_watch: off\ncontrol_socket: %q\nprof_port: %d\n", s.Port(), socket, taken.Addr().(*net.TCPAddr).Port)
	script := fmt.Sprintf("#!/bin/sh\nexec %q -c %q\n", brokertest.Ours(t), dir+"/bad.conf")
	for file, text := range map[string]string{"bad.conf": conf, "program": script} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	code, out := verb(t, socket, "upgrade", "--binary", dir+"/program")
	if code != 1 || !strings.Contains(out, "the old one was started again") {
		t.Errorf("exits %d: %s", code, out)
	}
	if now := statusOf(t, socket); now.PID == first.PID || now.ServerID != first.ServerID {
		t.Errorf("%+v after %+v", now, first)
	}
	c.finish()
}

// A new program that hangs before it is ready holds up nobody: reloads are done meanwhile,
// and SIGTERM ends the broker, and the program.
func TestUpgradeThatHangs(t *testing.T) {
	dir := t.TempDir()
	program, started := filepath.Join(dir, "program"), filepath.Join(dir, "started")
	// It hangs until the test ends; its number tells that it has started.
	if err := os.WriteFile(program, fmt.Appendf(nil, "#!/bin/sh\necho $$ >%q.new && mv %q.new %q && exec sleep 600\n", started, started, started), 0o700); err != nil {
		t.Fatal(err)
	}
	s, socket := controlled(t, "max_payload: 2KB\n")
	r := rewriting(t, s, socket)
	answer := make(chan string, 1)
	go func() {
		code, out := verb(t, socket, "upgrade", "--binary", program)
		answer <- fmt.Sprintf("%d: %s", code, out)
	}()
	waitUntil(t, "the program runs", func() bool { _, err := os.Stat(started); return err == nil })
	text, err := os.ReadFile(started)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	r.set("max_payload: 3KB\n")
	if code, out := verb(t, socket, "reload"); code != 0 {
		t.Errorf("reload exits %d: %s", code, out)
	}
	if code, out := verb(t, socket, "upgrade"); code != 1 || !strings.Contains(out, "under way") {
		t.Errorf("a second upgrade exits %d: %s", code, out)
	}
	select {
	case out := <-answer:
		t.Errorf("the upgrade was waited for: %s", out)
		answer <- out
	default:
	}
	s.Signal(syscall.SIGTERM)
	if code := s.Wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if out := <-answer; !strings.HasPrefix(out, "1: ") || !strings.Contains(out, "stopping") {
		t.Errorf("the upgrade is answered %s", out)
	}
	waitUntil(t, "the program is gone", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(text), ") Z ")
	})
}

// A program that gets ready while the configuration is reloaded has read another one: it
// is not handed over to.
func TestUpgradeBesideReload(t *testing.T) {
	dir := t.TempDir()
	program, started, gate := filepath.Join(dir, "program"), filepath.Join(dir, "started"), filepath.Join(dir, "go")
	s, socket := controlled(t, "max_payload: 2KB\n")
	t.Cleanup(func() { verb(t, socket, "stop") })
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\n: >%q\nread x <%q\nexec %q -c %q\n", started, gate, brokertest.Ours(t), s.ConfigFile())
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	answer := make(chan string, 1)
	go func() {
		code, out := verb(t, socket, "upgrade", "--binary", program)
		answer <- fmt.Sprintf("%d: %s", code, out)
	}()
	waitUntil(t, "the program runs", func() bool { _, err := os.Stat(started); return err == nil })
	before := statusOf(t, socket)
	rewriting(t, s, socket).set("max_payload: 3KB\n")
	if code, out := verb(t, socket, "reload"); code != 0 {
		t.Errorf("reload exits %d: %s", code, out)
	}
	if err := os.WriteFile(gate, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	if out := <-answer; !strings.HasPrefix(out, "1: ") || !strings.Contains(out, "reloaded meanwhile") {
		t.Errorf("the upgrade is answered %s", out)
	}
	if after := statusOf(t, socket); after != before {
		t.Errorf("%+v after %+v", after, before)
	}
}
