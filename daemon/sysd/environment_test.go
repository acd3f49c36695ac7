package sysd

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func getenvFrom(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestEnvironment(t *testing.T) {
	env, err := readEnvironment(getenvFrom(map[string]string{
		"NOTIFY_SOCKET":     "/run/notify",
		"RUNTIME_DIRECTORY": "/run/nats-broker:/run/other", "STATE_DIRECTORY": "/var/lib/nats-broker",
		"LOGS_DIRECTORY": "relative", "CREDENTIALS_DIRECTORY": "/run/credentials/x",
	}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !env.Managed() || env.RuntimeDir != "/run/nats-broker" ||
		env.StateDir != "/var/lib/nats-broker" || env.LogsDir != "" || env.CredentialsDir != "/run/credentials/x" {
		t.Errorf("read %+v", env)
	}
	if env.Sockets.Len() != 0 {
		t.Errorf("sockets without LISTEN_PID: %v", env.Sockets.Names())
	}
}

func TestWatchdogPeriod(t *testing.T) {
	tests := []struct {
		usec, pid string
		want      time.Duration
		bad       bool
	}{
		{"", "", 0, false},
		{"1500000", "", 1500 * time.Millisecond, false},
		{"1500000", "7", 1500 * time.Millisecond, false},
		{"1500000", "8", 0, false}, // meant for another process
		{"0", "", 0, true},
		{"-3", "", 0, true},
		{"2s", "", 0, true},
		{"9223372036854775807", "", 0, true}, // would overflow a duration
	}
	for _, tt := range tests {
		pid := tt.pid
		if pid == "7" {
			pid = strconv.Itoa(os.Getpid())
		}
		t.Setenv("WATCHDOG_USEC", tt.usec)
		t.Setenv("WATCHDOG_PID", pid)
		env, err := TakeEnvironment()
		if env.Watchdog != tt.want || (err != nil) != tt.bad {
			t.Errorf("WATCHDOG_USEC=%q WATCHDOG_PID=%q: %v, %v", tt.usec, pid, env.Watchdog, err)
		}
		if os.Getenv("WATCHDOG_USEC") != "" {
			t.Error("children inherit the watchdog")
		}
	}
}

func listenFile(t *testing.T, network, addr string) (*os.File, net.Addr) {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, l.Addr()
}

func inherit(t *testing.T, names []string, files ...*os.File) *Sockets {
	t.Helper()
	var passed []*os.File
	for i, f := range files {
		fd, err := unix.Dup(int(f.Fd())) // close-on-exec is not set
		if err != nil {
			t.Fatal(err)
		}
		passed = append(passed, os.NewFile(uintptr(fd), names[i]))
	}
	env, err := readEnvironment(getenvFrom(nil), passed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(env.Sockets.Close)
	return env.Sockets
}

func TestInheritedSocketsAreTakenByNameAndServe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client.sock")
	f4, a4 := listenFile(t, "tcp4", "127.0.0.1:0")
	f6, _ := listenFile(t, "tcp6", "[::1]:0")
	fu, _ := listenFile(t, "unix", path)
	fm, am := listenFile(t, "tcp4", "127.0.0.1:0")
	socks := inherit(t, []string{"client", "client", "monitor", "client"}, f4, f6, fm, fu)

	flags, err := unix.FcntlInt(uintptr(socks.list[0].fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("an inherited descriptor is passed on to children (%v)", err)
	}
	clients := socks.Take("client")
	if len(clients) != 3 || clients[0].Port() != a4.(*net.TCPAddr).Port || clients[2].Addr.String() != path {
		t.Fatalf("client sockets: %v", clients)
	}
	if got := socks.Names(); len(got) != 1 || got[0] != "monitor" {
		t.Errorf("left: %v", got)
	}
	if monitor := socks.Take("monitor"); len(monitor) != 1 || monitor[0].Addr.String() != am.String() {
		t.Errorf("monitor sockets: %v", monitor)
	}
	for _, sock := range clients {
		addr := sock.Addr
		l, err := sock.Listener()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial(addr.Network(), addr.String())
		if err != nil {
			t.Fatal(err)
		}
		peer, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		peer.Close()
		conn.Close()
		l.Close()
		if _, err := sock.Listener(); err == nil {
			t.Error("a socket was handed out twice")
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("closing an inherited unix listener removed its path: %v", err)
	}
}

func TestMatchNamesBothSides(t *testing.T) {
	f, addr := listenFile(t, "tcp4", "127.0.0.1:0")
	port := addr.(*net.TCPAddr).Port
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	fu, err := udp.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer fu.Close()
	tests := []struct {
		name string
		file *os.File
		want Wanted
		errs []string // substrings; none: agrees
	}{
		{"agrees", f, Wanted{"client", "port", "0.0.0.0", port}, nil},
		{"port not set", f, Wanted{"client", "port", "", 0}, nil},
		{"any port", f, Wanted{"client", "port", "", -1}, nil},
		{"same host", f, Wanted{"client", "port", "127.0.0.1", port}, nil},
		{"host by name is not compared", f, Wanted{"client", "port", "localhost", port}, nil},
		{"other port", f, Wanted{"client", "port", "", 1}, []string{strconv.Itoa(port), "port: 1", `"client"`}},
		{"other host", f, Wanted{"client", "port", "192.0.2.1", port}, []string{"127.0.0.1", "192.0.2.1"}},
		{"not a listener", fu, Wanted{"client", "port", "", 0}, []string{"not a listening stream socket"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			socks := inherit(t, []string{"client"}, tt.file)
			got, err := socks.Match(tt.want)
			if tt.errs == nil {
				if err != nil || len(got) != 1 {
					t.Fatalf("got %v, %v", got, err)
				}
				got[0].Close()
				return
			}
			if err == nil {
				t.Fatal("the mismatch was accepted")
			}
			for _, part := range tt.errs {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		})
	}
	socks := inherit(t, []string{"monitor"}, f)
	if got, err := socks.Match(Wanted{Name: "client", Port: 1}); got != nil || err != nil {
		t.Errorf("no socket of the name: %v, %v", got, err)
	}
}

// A descriptor that is not open is an error; what is for another process is not looked at.
func TestBrokenHandOver(t *testing.T) {
	if env, err := readEnvironment(getenvFrom(nil), []*os.File{os.NewFile(900, "client")}); err == nil {
		t.Errorf("a descriptor that is not open was accepted: %v", env.Sockets.Names())
	}
	t.Setenv("LISTEN_PID", "1")
	t.Setenv("LISTEN_FDS", "1")
	env, err := TakeEnvironment()
	if err != nil || env.Sockets.Len() != 0 {
		t.Errorf("sockets for another process were taken: %v, %v", env.Sockets.Names(), err)
	}
}
