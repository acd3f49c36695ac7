package daemon_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// shownListener is a listener as status shows it.
type shownListener struct {
	Name      string `json:"name"`
	Addr      string `json:"addr"`
	Inherited bool   `json:"inherited"`
}

func shownListeners(t *testing.T, socket string) []shownListener {
	t.Helper()
	code, out := verb(t, socket, "status", "--json")
	var s struct{ Listeners []shownListener }
	if code > 1 { // 1: a reload was refused
		t.Fatalf("status exits %d: %s", code, out)
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatal(err)
	}
	return s.Listeners
}

// inodeOf is what /proc/net says of a listening socket: another one on the same address
// has another inode.
func inodeOf(t *testing.T, addr string) string {
	t.Helper()
	table, column, inode, want := "unix", 7, 6, addr
	if host, port, err := net.SplitHostPort(addr); err == nil {
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		table, column, inode, want = "tcp", 1, 9, fmt.Sprintf(":%04X", n)
		if strings.Contains(host, ":") {
			table = "tcp6"
		}
	}
	text, err := os.ReadFile("/proc/self/net/" + table)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) <= max(column, inode) || !strings.HasSuffix(f[column], want) {
			continue
		}
		if table == "unix" && f[3] == "00010000" || table != "unix" && f[3] == "0A" { // it accepts
			found = append(found, f[inode])
		}
	}
	if len(found) != 1 {
		t.Fatalf("sockets that listen on %s: %v", addr, found)
	}
	return found[0]
}

// Every listener, inherited or opened, of every part is the same socket after an
// upgrade: what the user may not bind (a port below 1024) would be lost otherwise, and
// with it the broker.
func TestUpgradeHandsOnEveryListener(t *testing.T) {
	var files []*os.File
	var names []string
	addrs := make(map[string]string)
	for _, name := range []string{"client", "client", "monitor", "cluster", "profile"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		addrs[name] = l.Addr().String()
		l.Close()
		defer f.Close()
		files, names = append(files, f), append(names, name)
	}
	path := filepath.Join(t.TempDir(), "clients")
	u, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := u.File()
	if err != nil {
		t.Fatal(err)
	}
	u.SetUnlinkOnClose(false)
	u.Close()
	defer f.Close()
	files, names = append(files, f), append(names, "client")
	check := func(socket, log string, inherited bool, want int) {
		t.Helper()
		before := shownListeners(t, socket)
		var kinds []string
		inodes := make(map[string]string)
		for _, l := range before {
			if l.Inherited != inherited {
				t.Errorf("%+v: want inherited %v", l, inherited)
			}
			kinds = append(kinds, l.Name)
			inodes[l.Addr] = inodeOf(t, l.Addr)
		}
		slices.Sort(kinds)
		if len(before) != want || !slices.Equal(slices.Compact(kinds), []string{"client", "cluster", "monitor", "profile"}) {
			t.Fatalf("status lists %+v", before)
		}
		// The one that took over hands on as well; and a program that wants a listener elsewhere fails when everything
		// has been handed to it: then it is the way back.
		for _, program := range []string{"", "", failing(t, socket)} {
			code, out := verb(t, socket, "upgrade", "--binary", program)
			if (code != 0) != (program != "") || program != "" && !strings.Contains(out, "the old one was started again") {
				text, _ := os.ReadFile(log)
				t.Fatalf("upgrade to %q exits %d: %s\n%s", program, code, out, text)
			}
			after := shownListeners(t, socket)
			sortListeners(before)
			if sortListeners(after); !slices.Equal(before, after) {
				t.Fatalf("before %+v\nafter %+v", before, after)
			}
			for _, l := range after {
				if now := inodeOf(t, l.Addr); now != inodes[l.Addr] {
					t.Errorf("%s on %s is another socket", l.Name, l.Addr)
				}
			}
		}
	}
	configured := fmt.Sprintf("http: %q\ncluster { name: x, listen: %q }\n", addrs["monitor"], addrs["cluster"])
	env := []string{fmt.Sprintf("LISTEN_FDS=%d", len(files)), "LISTEN_FDNAMES=" + strings.Join(names, ":")}
	socket, log := startBare(t, configured, env, files...)
	check(socket, log, true, len(files))
	socket, log = startBare(t, "http: \"127.0.0.1:-1\"\nprof_port: -1\ncluster { name: x, listen: \"127.0.0.1:-1\" }\n", nil)
	check(socket, log, false, 4)
}

// failing is a program that gets ready to take over and then cannot listen.
func failing(t *testing.T, socket string) string {
	t.Helper()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	dir := t.TempDir()
	config := fmt.Sprintf("config_watch: off\nlisten: \"127.0.0.1:-1\"\ncontrol_socket: %q\nlog_file: %q\nprof_port: %d\n", socket, dir+"/log", taken.Addr().(*net.TCPAddr).Port)
	for file, text := range map[string]string{"bad.conf": config, "program": fmt.Sprintf("#!/bin/sh\nexec %q -c %q\n", brokertest.Ours(t), dir+"/bad.conf")} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir + "/program"
}

func sortListeners(list []shownListener) {
	slices.SortFunc(list, func(a, b shownListener) int { return strings.Compare(a.Name+a.Addr, b.Name+b.Addr) })
}

// The descriptor store has a copy of what listens; a change of address on the same port
// succeeds all the same, both ways, or the reload is refused.
func TestAddressesChangeOnTheSamePort(t *testing.T) {
	m := startManager(t)
	socket, log := startBare(t, "http: \"127.0.0.1:-1\"\nprof_port: -1\n", m.env)
	ports := make(map[string]int)
	for _, l := range shownListeners(t, socket) {
		_, port, err := net.SplitHostPort(l.Addr)
		if err != nil {
			t.Fatal(err)
		}
		if ports[l.Name], err = strconv.Atoi(port); err != nil {
			t.Fatal(err)
		}
	}
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "127.0.0.1"} { // the first is no change but for the ports, which are said
		rewrite(t, socket, fmt.Sprintf("listen: \"%s:%d\"\nhttp: \"%s:%d\"\nprof_port: %d\n", host, ports["client"], host, ports["monitor"], ports["profile"]))
		if code, out := verb(t, socket, "reload"); code != 0 {
			t.Fatalf("to %s: reload exits %d: %s", host, code, out)
		}
		list := shownListeners(t, socket)
		for _, l := range list {
			at, port, _ := net.SplitHostPort(l.Addr)
			if ip := net.ParseIP(at); ip.IsUnspecified() != (host == "0.0.0.0") || port != strconv.Itoa(ports[l.Name]) {
				t.Errorf("to %s: %s is at %s", host, l.Name, l.Addr)
			}
			nc, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
			if err != nil {
				t.Errorf("to %s: %s: %v", host, l.Name, err)
				continue
			}
			nc.Close()
		}
		if len(list) != 3 {
			text, _ := os.ReadFile(log)
			t.Fatalf("to %s: %+v\n%s", host, list, text)
		}
		for _, name := range []string{"client", "monitor", "profile"} {
			if n := m.stored("stored." + name); n != 1 {
				t.Errorf("to %s: %d copies of %s are stored", host, n, name)
			}
		}
	}
	// What is in the way and not ours: nothing changes.
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	before := shownListeners(t, socket)
	rewrite(t, socket, fmt.Sprintf("listen: \"127.0.0.1:%d\"\nhttp: %q\nprof_port: %d\n", ports["client"], taken.Addr(), ports["profile"]))
	if code, out := verb(t, socket, "reload"); code == 0 {
		t.Errorf("a port that somebody else has: %s", out)
	}
	if after := shownListeners(t, socket); !slices.Equal(before, after) {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
}

// startBare starts a broker with a control socket and a log file, on a client port of
// its own unless the configuration says one, with files from descriptor 3 on.
func startBare(t *testing.T, config string, env []string, files ...*os.File) (socket, log string) {
	t.Helper()
	dir := t.TempDir()
	socket, log = dir+"/control", dir+"/log"
	rewrite(t, socket, config)
	cmd := exec.Command(brokertest.Ours(t), "-c", dir+"/nats.conf")
	if files != nil { // told by the id of the process, which exec keeps
		cmd = exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, brokertest.Ours(t), "-c", dir+"/nats.conf")
	}
	cmd.Env, cmd.ExtraFiles = append(os.Environ(), env...), files
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // ends with the process, which Cleanup ends at the latest
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		verb(t, socket, "stop")
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			text, _ := os.ReadFile(log)
			t.Logf("%s", text)
		}
	})
	waitUntil(t, "the broker runs", func() bool { code, _ := verb(t, socket, "status"); return code == 0 })
	return socket, log
}

// rewrite writes the configuration of a broker started by startBare anew.
func rewrite(t *testing.T, socket, config string) {
	t.Helper()
	dir := filepath.Dir(socket)
	head := fmt.Sprintf("config_watch: off\ncontrol_socket: %q\nlog_file: %q\n", socket, dir+"/log")
	if !strings.HasPrefix(config, "listen:") {
		head += "listen: \"127.0.0.1:-1\"\n"
	}
	if err := os.WriteFile(dir+"/nats.conf", []byte(head+config), 0o600); err != nil {
		t.Fatal(err)
	}
}

// stored is how many descriptors are stored under a name.
func (m *manager) stored(name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.fds[name])
}

// manager is a service manager with a descriptor store.
type manager struct {
	env []string
	mu  sync.Mutex
	fds map[string][]int
}

func startManager(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{env: []string{"NOTIFY_SOCKET=" + path, "FDSTORE=16", "NATS_UNIT=nats-broker.service"}, fds: make(map[string][]int)}
	done := make(chan struct{})
	t.Cleanup(func() {
		l.Close()
		<-done
		for _, list := range m.fds {
			for _, fd := range list {
				unix.Close(fd)
			}
		}
	})
	go func() { // ends with the socket
		defer close(done)
		text, oob := make([]byte, 4096), make([]byte, 4096)
		for {
			n, k, _, _, err := l.ReadMsgUnix(text, oob)
			if err != nil {
				return
			}
			m.take(string(text[:n]), oob[:k])
		}
	}()
	return m
}

func (m *manager) take(text string, oob []byte) {
	var fds []int
	if list, err := unix.ParseSocketControlMessage(oob); err == nil {
		for i := range list {
			if got, err := unix.ParseUnixRights(&list[i]); err == nil {
				fds = append(fds, got...)
			}
		}
	}
	name := ""
	lines := strings.Split(text, "\n")
	for _, l := range lines {
		if v, ok := strings.CutPrefix(l, "FDNAME="); ok {
			name = v
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case slices.Contains(lines, "FDSTORE=1"):
		m.fds[name] = append(m.fds[name], fds...)
		return
	case slices.Contains(lines, "FDSTOREREMOVE=1"):
		fds = append(fds, m.fds[name]...)
		delete(m.fds, name)
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
}
