package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/config"
)

func put(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func text(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// sleeper runs a process that goes by the given name until the test ends.
func sleeper(t *testing.T, name string) int {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	cmd.Args[0] = name
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd.Process.Pid
}

func TestPIDFile(t *testing.T) {
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	live, other := sleeper(t, "nats-broker"), sleeper(t, "something-else")
	tests := []struct {
		name, content string
		refused       bool
	}{
		{"none there", "", false},
		{"of a dead process", strconv.Itoa(dead.Process.Pid), false},
		{"of a number given to somebody else since", strconv.Itoa(other), false},
		{"garbage", "not a number", false},
		{"of a live broker", strconv.Itoa(live) + "\n", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "broker.pid")
			if tt.content != "" {
				put(t, path, tt.content)
			}
			f, err := writePIDFile(path)
			if tt.refused {
				if err == nil || text(t, path) != tt.content {
					t.Fatalf("error %v; the file holds %q", err, text(t, path))
				}
				return
			}
			if err != nil || text(t, path) != strconv.Itoa(os.Getpid()) {
				t.Fatalf("error %v; the file holds %q", err, text(t, path))
			}
			if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
				t.Errorf("temporary files stayed: %v", left)
			}
			if err := f.remove(); err != nil || fileExists(path) {
				t.Errorf("after remove: %v, exists %v", err, fileExists(path))
			}
		})
	}
}

func fileExists(path string) bool { _, err := os.Lstat(path); return err == nil }

// A broker that was replaced must not remove its successor's file.
func TestPIDFileOfAnotherIsLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "broker.pid")
	f, err := writePIDFile(path)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(path)
	put(t, path, "12345")
	if err := f.remove(); err != nil || !fileExists(path) {
		t.Errorf("error %v, exists %v", err, fileExists(path))
	}
}

func TestPortsFileURLs(t *testing.T) {
	if got := urls("nats", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4222}); !slices.Equal(got, []string{"nats://127.0.0.1:4222"}) {
		t.Errorf("one address: %v", got)
	}
	if got := urls("http", &net.TCPAddr{IP: net.IPv6zero, Port: 1}); !slices.Contains(got, "http://127.0.0.1:1") {
		t.Errorf("every address: %v", got)
	}
	if got := urls("nats", &net.UnixAddr{Name: "/x"}); got != nil {
		t.Errorf("a unix socket: %v", got)
	}
}

func TestCgroupMemory(t *testing.T) {
	root := t.TempDir()
	put(t, root+"/system.slice/memory.max", "8000000000\n")
	put(t, root+"/system.slice/nats.service/memory.max", "max\n")
	put(t, root+"/system.slice/nats.service/memory.high", "6000000000\n")
	put(t, root+"/memory/box/memory.limit_in_bytes", "9223372036854771712\n")
	put(t, root+"/memory/small/memory.limit_in_bytes", "1000000\n")
	tests := []struct {
		self string
		want int64
	}{
		{"0::/system.slice/nats.service\n", 6000000000}, // the tightest on the way up
		{"0::/system.slice\n", 8000000000},
		{"0::/elsewhere\n", 0},
		{"5:cpu,memory:/box\n0::/\n", 0}, // v1 writes "no limit" as a huge number
		{"5:cpu,memory:/small\n", 1000000},
		{"garbage\n", 0},
	}
	for _, tt := range tests {
		got, file := cgroupMemory(put(t, filepath.Join(t.TempDir(), "self"), tt.self), root)
		if got != tt.want || (got > 0) != (file != "") {
			t.Errorf("%q: %d from %q, want %d", tt.self, got, file, tt.want)
		}
	}
}

// fakeProc makes a /proc with command lines.
func fakeProc(t *testing.T, commands map[int][]string) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir+"/uptime", "1 1")
	for pid, args := range commands {
		put(t, fmt.Sprintf("%s/%d/cmdline", dir, pid), strings.Join(args, "\x00")+"\x00")
	}
	return dir
}

func TestSendSignal(t *testing.T) {
	one := fakeProc(t, map[int][]string{
		10: {"/usr/bin/nats-broker", "-c", "/etc/nats/nats.conf"},
		11: {"/usr/bin/nats-broker", "reload"},           // a verb
		12: {"nats-broker", "-sl", "reload"},             // another signaller
		13: {"vi", "nats-broker"},                        // only an argument
		14: {"/opt/nats-broker-exporter", "-p", "1"},     // only a prefix
		15: {"nats-broker", "--config", "x", "-t"},       // a check
		16: {"nats", "server", "check", "--nats-server"}, // another program
	})
	two := fakeProc(t, map[int][]string{20: {"nats-broker"}, 21: {"/x/nats-server", "-p", "1"}, 30: {"nats-broker", "-D"}})
	none := fakeProc(t, nil)
	pidFile := put(t, filepath.Join(t.TempDir(), "pid"), "77\n")
	tests := []struct {
		spec, proc string
		want       string // "pid:signal …" or the error
	}{
		{"reload", one, "10:hangup"},
		{"ldm", one, "10:user defined signal 2"},
		{"reopen=5", none, "5:user defined signal 1"},
		{"term=" + pidFile, none, "77:terminated"},
		{"quit=2*", two, "20:interrupt 21:interrupt"},
		{"stop=*", two, "20:killed 21:killed 30:killed"},
		{"reload", none, "no nats-broker processes running"},
		{"reload", two, "multiple nats-broker processes running:\n20\n21\n30"},
		{"frobnicate=1", none, `unknown signal "frobnicate"`},
		{"reload=x", none, "invalid pid: x"},
		{"reload=-1", none, "invalid pid: -1"}, // would signal every process
		{"reload=0", none, "invalid pid: 0"},   // would signal our process group
		{"reload=1=2", none, "invalid signal parameters: [2]"},
		{"reload=404", none, "\nsignal \"reload\" 404: no such process"},
	}
	for _, tt := range tests {
		var sent []string
		err := sendSignal(tt.spec, tt.proc, func(pid int, sig syscall.Signal) error {
			if pid == 404 {
				return syscall.ESRCH
			}
			sent = append(sent, fmt.Sprintf("%d:%s", pid, sig))
			return nil
		})
		got := strings.Join(sent, " ")
		if err != nil {
			got += err.Error()
		}
		if got != tt.want {
			t.Errorf("-sl %s: %q, want %q", tt.spec, got, tt.want)
		}
	}
}

func TestIdentity(t *testing.T) {
	if id := IdentityFor("/usr/bin/nats-broker", Build{"1.2.3", "abc1234"}); id.VersionLine() != "nats-broker: v1.2.3 (commit abc1234, "+runtime.Version()+", like nats-server "+CompatVersion+")" {
		t.Errorf("%+v: %s", id, id.VersionLine())
	}
	if id := IdentityFor("/usr/bin/nats-server", Build{"1.2.3", "abc1234"}); id.VersionLine() != "nats-server: v"+CompatVersion || id.Own != "1.2.3" {
		t.Errorf("%+v: %s", id, id.VersionLine())
	}
}

func TestStatusNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.5: "0.5", 42: "42", 999: "999", 1500: "1.5k", 18400: "18k", 2.5e6: "2.5M"} {
		if got := rateText(v); got != want {
			t.Errorf("rateText(%v) = %s, want %s", v, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1204: "1,204", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) = %s, want %s", n, got, want)
		}
	}
}

// A device, a pipe or a link is written into and left; only a regular file is
// replaced or removed.
func TestPIDFileIsWrittenWhereItLies(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("the device and the directory of another need root")
	}
	t.Run("device", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "null")
		if err := syscall.Mknod(path, syscall.S_IFCHR|0o666, 1<<8|3); err != nil {
			path = "/dev/null" // without root it can do no harm
		}
		f, err := writePIDFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.remove(); err != nil {
			t.Error(err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeCharDevice == 0 {
			t.Errorf("the device is now %v, %v", info, err)
		}
	})
	t.Run("pipe that nobody reads", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := writePIDFile(path); err == nil {
			t.Error("no error")
		}
		if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
			t.Errorf("the pipe is now %v, %v", info, err)
		}
	})
	t.Run("directory", func(t *testing.T) {
		path := t.TempDir()
		if _, err := writePIDFile(path); err == nil || !fileExists(path) {
			t.Errorf("error %v, exists %v", err, fileExists(path))
		}
	})
	for _, target := range []string{"there", "not there"} {
		t.Run("link to what is "+target, func(t *testing.T) {
			dir := t.TempDir()
			link, real := filepath.Join(dir, "link"), filepath.Join(dir, "real")
			if err := os.Symlink("real", link); err != nil {
				t.Fatal(err)
			}
			if target == "there" {
				put(t, real, "999999999")
			}
			f, err := writePIDFile(link)
			if err != nil || text(t, real) != strconv.Itoa(os.Getpid()) {
				t.Fatalf("error %v; the file holds %q", err, text(t, real))
			}
			if err := f.remove(); err != nil || fileExists(real) || !fileExists(link) {
				t.Errorf("error %v; the file is there: %v, the link is there: %v", err, fileExists(real), fileExists(link))
			}
		})
	}
	t.Run("mounted file", func(t *testing.T) { // what stands for a directory that is not ours, for root too
		if os.Getuid() != 0 {
			return
		}
		dir := t.TempDir()
		path := put(t, filepath.Join(dir, "broker.pid"), "999999999")
		if err := syscall.Mount(path, path, "", syscall.MS_BIND, ""); err != nil {
			t.Logf("cannot mount: %v", err)
			return
		}
		defer syscall.Unmount(path, syscall.MNT_DETACH)
		f, err := writePIDFile(path)
		if err != nil || text(t, path) != strconv.Itoa(os.Getpid()) {
			t.Fatalf("error %v; the file holds %q", err, text(t, path))
		}
		if err := f.remove(); err != nil || text(t, path) != "" {
			t.Errorf("error %v; afterwards it holds %q", err, text(t, path))
		}
		if left, _ := os.ReadDir(dir); len(left) != 1 {
			t.Errorf("temporary files stayed: %v", left)
		}
	})
}

// What is no regular file is neither replaced nor removed by the other files
// that the process writes.
func TestOnlyRegularFilesAreReplaced(t *testing.T) {
	dir := t.TempDir()
	real, link, sub := put(t, filepath.Join(dir, "real"), "x"), filepath.Join(dir, "link"), filepath.Join(dir, "sub")
	if err := errors.Join(os.Symlink("real", link), os.Mkdir(sub, 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, sub} {
		if _, err := writePortsFile(path, ports{}); err == nil {
			t.Errorf("a ports file replaced %s", path)
		}
		if err := saveConfig(path, &active{cfg: &config.Config{}, read: newRecorder()}); err == nil {
			t.Errorf("a saved configuration replaced %s", path)
		}
		if err := removeSaved(path); err == nil {
			t.Errorf("a saved configuration was removed at %s", path)
		}
		if !fileExists(path) || text(t, real) != "x" {
			t.Errorf("%s is there: %v; the file holds %q", path, fileExists(path), text(t, real))
		}
	}
	if err := removeSaved(filepath.Join(dir, "none")); err != nil {
		t.Error(err)
	}
	if err := removeSaved(real); err != nil || fileExists(real) {
		t.Errorf("error %v, exists %v", err, fileExists(real))
	}
	// A ports file that somebody else has put in the place of ours stays.
	f, err := writePortsFile(filepath.Join(dir, "x_1.ports"), ports{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(put(t, filepath.Join(dir, "theirs"), "y"), f.path); err != nil {
		t.Fatal(err)
	}
	if err := f.remove(); err != nil || text(t, f.path) != "y" {
		t.Errorf("error %v; it holds %q", err, text(t, f.path))
	}
}

// A build says what it was built from: by what the linker was told, or by what the go command has noted.
func TestBuild(t *testing.T) {
	checkout := &debug.BuildInfo{Main: debug.Module{Version: "v0.1.1-0.20261128194118-233b7371234a+dirty"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "233b7371234abcdef"}}}
	bare := &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}
	for _, c := range []struct {
		version, commit string
		info            *debug.BuildInfo
		want            Build
	}{
		{"", "", checkout, Build{"0.1.1-0.20261128194118-233b7371234a+dirty", "233b737"}},
		{"0.1.0", "", checkout, Build{"0.1.0", "233b737"}},
		{"0.1.0", "abcdef0", checkout, Build{"0.1.0", "abcdef0"}},
		{"", "", bare, Build{"0.0.0-dev", ""}},
		{"0.1.0", "abcdef0", bare, Build{"0.1.0", "abcdef0"}},
	} {
		if got := buildOf(c.version, c.commit, c.info); got != c.want {
			t.Errorf("buildOf(%q, %q, %+v) = %+v, want %+v", c.version, c.commit, c.info.Main, got, c.want)
		}
	}
}
