package daemon_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// enters reports whether a client without credentials comes in.
func enters(s *brokertest.Server) bool {
	nc, err := nats.Connect(s.URL())
	if err == nil {
		nc.Close()
	}
	return err == nil
}

// watched starts a broker that asks for credentials and watches its files.
func watched(t *testing.T) (s *brokertest.Server, head, socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "control.sock")
	head = "listen: \"127.0.0.1:" + brokertest.PortMark + "\"\ncontrol_socket: \"" + socket + "\"\n"
	s = brokertest.Start(t, brokertest.Options{Config: head + "authorization { user: a, password: b }\n"})
	return s, head, socket
}

// A file that is emptied, or loses its authorization, opens nothing by itself; a reload that somebody asks for does.
func TestEmptiedFileOpensNothing(t *testing.T) {
	s, head, socket := watched(t)
	if enters(s) {
		t.Fatal("a client without credentials comes in from the start")
	}
	for _, text := range []string{"", head + "# nothing more\n"} {
		from := s.LogLen()
		s.SetConfig(text)
		s.WaitLogFrom("may not lower the protection", from)
		if enters(s) {
			t.Fatalf("with %q a client without credentials comes in", text)
		}
	}
	if code, out := verb(t, socket, "status"); code != 1 || !strings.Contains(out, "would come in without credentials") {
		t.Errorf("status exits %d: %s", code, out)
	}
	if code, out := verb(t, socket, "reload"); code != 0 {
		t.Fatalf("a reload that is asked for exits %d: %s", code, out)
	}
	if !enters(s) {
		t.Error("the reload that was asked for has not taken effect")
	}
}

// A writer that pauses between two halves, the first of which is a whole configuration, changes nothing before it is done.
func TestHalfWrittenFileIsWaitedFor(t *testing.T) {
	s, _, _ := watched(t)
	conf, err := os.ReadFile(s.ConfigFile())
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(conf), "authorization")
	f, err := os.Create(s.ConfigFile())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	other := filepath.Join(filepath.Dir(s.ConfigFile()), "other")
	for range 16 { // more than the quiet time goes by, with changes that concern nobody
		if _, err := f.WriteString(head); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(other, []byte(head), 0o600); err != nil {
			t.Fatal(err)
		}
		if enters(s) || strings.Contains(s.Logs(), "changed on disk") {
			t.Fatalf("half a file was taken:\n%s", s.Logs())
		}
		head = "max_payload: 2MB\n"
	}
	if _, err := f.WriteString("authorization" + rest); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s.WaitLog("Reloaded server configuration")
	if enters(s) {
		t.Error("a client without credentials comes in afterwards")
	}
}

// What gave nothing when it was looked at is looked after all the same: a drop-in that led nowhere, one that was empty, a
// drop-in that was refused, a file that was to be included.
func TestMendedFilesAreNoticed(t *testing.T) {
	s, head, _ := watched(t)
	head += "authorization { user: a, password: b }\n"
	dir, elsewhere := s.ConfigFile()+".d", t.TempDir()
	put := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	link, target := filepath.Join(dir, "a.conf"), filepath.Join(elsewhere, "target")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	s.WaitLog("cannot read drop-in")
	from := s.LogLen()
	put(target, "max_payload: 2MB\n")
	s.WaitLogFrom("Reloaded: max_payload = 2MB", from)

	from = s.LogLen()
	put(filepath.Join(dir, "b.conf"), "")
	put(filepath.Join(dir, "c.conf"), "max_payload: 3MB\n") // when this is there, b.conf has been looked at
	s.WaitLogFrom("Reloaded: max_payload = 3MB", from)
	from = s.LogLen()
	put(filepath.Join(dir, "b.conf"), "ping_max: 7\n")
	s.WaitLogFrom("Reloaded: ping_max = 7", from)

	from = s.LogLen()
	s.SetConfig(head + "include later.conf\n")
	s.WaitLogFrom("cannot read include file", from)
	from = s.LogLen()
	put(filepath.Join(filepath.Dir(s.ConfigFile()), "later.conf"), "max_connections: 77\n")
	s.WaitLogFrom("Reloaded: max_connections = 77", from)
}

// Who lets everybody in is told so: in the log of every start and by status.
func TestOpenBrokerSaysSo(t *testing.T) {
	const warning = "may come in without credentials on 0.0.0.0:"
	socket := filepath.Join(t.TempDir(), "control.sock")
	for _, tt := range []struct {
		config string
		warned bool
	}{
		{"", true},
		{"authorization { user: a, password: b }\n", false},
	} {
		s := brokertest.Start(t, brokertest.Options{
			Config: "listen: \"0.0.0.0:" + brokertest.PortMark + "\"\ncontrol_socket: \"" + socket + "\"\n" + tt.config})
		if n := strings.Count(s.Logs(), warning); (n == 1) != tt.warned || n > 1 {
			t.Errorf("%q: warned %d times:\n%s", tt.config, n, s.Logs())
		}
		if code, out := verb(t, socket, "status"); code != 0 || strings.Contains(out, "WARNING: Clients of other machines") != tt.warned {
			t.Errorf("%q: status exits %d: %s", tt.config, code, out)
		}
		s.Stop()
	}
}

// Who starts it by hand is told that there is no file, and where clients get in without a name.
func TestStartWithoutAnythingSaysSo(t *testing.T) {
	s := brokertest.Start(t, brokertest.Options{})
	for _, want := range []string{"No configuration file: ", "Clients need no credentials: " + s.URL()} {
		if !strings.Contains(s.Logs(), want) {
			t.Errorf("it does not say %q:\n%s", want, s.Logs())
		}
	}
	s = brokertest.Start(t, brokertest.Options{Config: "authorization { token: t }\n"})
	if said := s.Logs(); strings.Contains(said, "No configuration file") || strings.Contains(said, "need no credentials") {
		t.Errorf("it says\n%s", said)
	}
}

// A port that another NATS server has is not waited for under the packaged unit, and the log says who has it.
func TestPortOfAnotherServerIsNotWaitedFor(t *testing.T) {
	other := brokertest.Start(t, brokertest.Options{})
	conf := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(conf, []byte("listen: \""+other.Addr()+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for unit, want := range map[string]int{"": 1, "NATS_UNIT=nats-broker.service": 69} {
		cmd := exec.Command(brokertest.Ours(t), "-c", conf)
		cmd.Env = append(os.Environ(), unit)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != want {
			t.Errorf("with %q it ends with %v, want %d", unit, err, want)
		}
		if !strings.Contains(string(out), "Another NATS server, of version") || !strings.Contains(string(out), "address already in use") {
			t.Errorf("it says\n%s", out)
		}
	}
}

// A bad configuration ends a start for good under the packaged unit where no copy was saved and nothing waits with the
// service manager; in every other case the next start may be better.
func TestBadConfigurationWithoutAnother(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(conf, []byte("max_payload: much\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	unit := "NATS_UNIT=nats-broker.service"
	empty, saved := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(saved, "last-good.json"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	kept, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	for name, c := range map[string]struct {
		env   []string
		files []*os.File
		want  int
	}{
		"by hand":                   {want: 1},
		"unit, nothing saved":       {env: []string{unit, "STATE_DIRECTORY=" + empty}, want: 78},
		"unit, no directory":        {env: []string{unit}, want: 78},
		"unit, a saved one":         {env: []string{unit, "STATE_DIRECTORY=" + saved}, want: 1},
		"unit, a listener is kept":  {env: []string{unit, "STATE_DIRECTORY=" + empty, "LISTEN_FDS=1", "LISTEN_FDNAMES=stored.client"}, files: []*os.File{kept}, want: 1},
		"unit, connections waiting": {env: []string{unit, "STATE_DIRECTORY=" + empty, "LISTEN_FDS=1", "LISTEN_FDNAMES=stored.handover-state"}, files: []*os.File{kept}, want: 1},
	} {
		cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, brokertest.Ours(t), "-c", conf)
		cmd.Env, cmd.ExtraFiles = append(os.Environ(), c.env...), c.files
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != c.want || !strings.Contains(string(out), "max_payload") {
			t.Errorf("%s: ends with %v, want %d\n%s", name, err, c.want, out)
		}
	}
	// What the unit does not try again is what the broker ends with for good.
	for _, file := range []string{"nats-broker.service", "nats-broker@.service"} {
		text, err := os.ReadFile(filepath.Join("..", "systemd", file))
		if err != nil || !strings.Contains(string(text), "\nRestartPreventExitStatus=203 69 78\n") {
			t.Errorf("%s does not prevent it, %v", file, err)
		}
	}
}

// A control socket that nobody asked for by name is no reason not to serve; one that the configuration names is, and that
// is found out before a client is let in.
func TestControlSocketThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := brokertest.Start(t, brokertest.Options{Env: []string{"RUNTIME_DIRECTORY=" + file}})
	if !enters(s) {
		t.Error("it does not serve")
	}
	if !strings.Contains(s.Logs(), "The verbs cannot speak to this broker") {
		t.Errorf("nothing is said of it:\n%s", s.Logs())
	}
	conf := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(conf, []byte("listen: \"127.0.0.1:-1\"\ncontrol_socket: \""+file+"/x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(brokertest.Ours(t), "-c", conf).CombinedOutput()
	if err == nil || strings.Contains(string(out), "Listening for client connections") {
		t.Errorf("it ends with %v:\n%s", err, out)
	}
}
