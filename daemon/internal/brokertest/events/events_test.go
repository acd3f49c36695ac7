// Package events makes a built nats-broker meet each state of the message
// catalogue, and looks for the line that carries its id.
package events

import (
	"crypto/x509"
	encjson "encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

const json = "log_format: json\n"

// start runs the broker with JSON lines.
func start(t *testing.T, config string) *brokertest.Server {
	t.Helper()
	return brokertest.Start(t, brokertest.Options{Config: json + config})
}

// reload replaces the configuration and asks for it.
func reload(s *brokertest.Server, config string) {
	s.SetConfig(json + config)
	s.Signal(syscall.SIGHUP)
}

// provoked are the catalogue's states and how to bring them about.
var provoked = map[logging.MessageID]func(t *testing.T) *brokertest.Server{
	logging.ReloadApplied: func(t *testing.T) *brokertest.Server {
		s := start(t, "")
		reload(s, "max_payload: 2KB\n")
		return s
	},
	logging.ReloadRefused: func(t *testing.T) *brokertest.Server {
		s := start(t, "")
		reload(s, "max_payload: much\n")
		return s
	},
	logging.CertificateExpiring: func(t *testing.T) *brokertest.Server { return start(t, encrypted(t, 48*time.Hour)) },
	logging.CertificateExpired:  func(t *testing.T) *brokertest.Server { return start(t, encrypted(t, -48*time.Hour)) },
	logging.CertificateReloadRefused: func(t *testing.T) *brokertest.Server {
		pair := certtest.SelfSigned(t, "broker")
		config := fmt.Sprintf("config_watch: false\ntls { cert_file: %q, key_file: %q }\n", pair.CertFile, pair.KeyFile)
		s := start(t, config)
		other := certtest.SelfSigned(t, "broker") // a new key whose certificate has not come yet
		if err := os.Rename(other.KeyFile, pair.KeyFile); err != nil {
			t.Fatal(err)
		}
		s.Signal(syscall.SIGHUP)
		return s
	},
	logging.LameDuckEntered: func(t *testing.T) *brokertest.Server {
		s := start(t, "")
		s.Signal(syscall.SIGUSR2)
		return s
	},
	logging.SlowConsumer: func(t *testing.T) *brokertest.Server {
		s := start(t, "max_pending: 64KB\nmax_payload: 32KB\n")
		lazy, busy := s.Open(t, `{"verbose":false}`), s.Open(t, `{"verbose":false}`)
		_ = lazy.Net().SetReadBuffer(4 << 10)
		lazy.Sync()
		lazy.Send("SUB flood 1\r\n")
		lazy.Sync()
		message := "PUB flood 32000\r\n" + strings.Repeat("x", 32000) + "\r\n"
		for range 1000 { // more than the kernel's buffers and max_pending together
			busy.Send(message)
		}
		return s
	},
	logging.FilesExhausted: func(t *testing.T) *brokertest.Server {
		s := brokertest.Start(t, brokertest.Options{Config: json, MaxFiles: 40})
		for range 60 {
			s.Dial(t)
		}
		return s
	},
	logging.AuthenticationFailed: func(t *testing.T) *brokertest.Server {
		s := start(t, "authorization { user: u, password: p }\n")
		s.Open(t, `{"user":"u","pass":"wrong"}`)
		return s
	},
	logging.OpenToAll: func(t *testing.T) *brokertest.Server {
		return start(t, "listen: \"0.0.0.0:"+brokertest.PortMark+"\"\n")
	},
	logging.PermissionsViolation: func(t *testing.T) *brokertest.Server {
		s := start(t, "authorization { users: [{ user: u, password: p, permissions: { publish: a, subscribe: b } }] }\n")
		c := s.Open(t, `{"verbose":false,"user":"u","pass":"p"}`)
		c.Send("PUB secret 1\r\nx\r\nSUB hidden 1\r\n")
		c.Sync()
		for _, subject := range []string{"secret", "hidden"} {
			s.WaitLog(fmt.Sprintf(`"nats_account":"$G","nats_user":"u","nats_subject":%q`, subject))
		}
		return s
	},
	logging.AuthenticationThrottled: func(t *testing.T) *brokertest.Server {
		s := start(t, "authorization { user: u, password: p }\n")
		for range 15 {
			s.Open(t, `{"user":"u","pass":"wrong"}`)
		}
		return s
	},
	logging.RouteLost: func(t *testing.T) *brokertest.Server {
		port := brokertest.FreePort(t)
		s := start(t, fmt.Sprintf("debug: true\ncluster { name: c, listen: \"127.0.0.1:%d\" }\n", port))
		other := start(t, fmt.Sprintf("cluster { name: c, listen: \"127.0.0.1:-1\", routes: [\"nats-route://127.0.0.1:%d\"] }\n", port))
		s.WaitLog("Registering remote route") // one that ends in its handshake is not lost: it has not been there
		other.Kill()
		return s
	},
	logging.RouteRefused: func(t *testing.T) *brokertest.Server {
		port := brokertest.FreePort(t)
		s := start(t, fmt.Sprintf("cluster { name: c, listen: \"127.0.0.1:%d\", authorization { user: r, password: r } }\n", port))
		start(t, fmt.Sprintf("cluster { name: c, listen: \"127.0.0.1:-1\", routes: [\"nats-route://r:wrong@127.0.0.1:%d\"] }\n", port))
		return s
	},
	logging.LogSinkUnreachable: func(t *testing.T) *brokertest.Server {
		return start(t, fmt.Sprintf("log_stderr: true\nremote_syslog: \"tcp://127.0.0.1:%d\"\n", brokertest.FreePort(t)))
	},
	logging.LogRotationFailed: func(t *testing.T) *brokertest.Server {
		dir := filepath.Join(t.TempDir(), "log")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s := start(t, fmt.Sprintf("log_stderr: true\nlog_size_limit: 1KB\nlog_file: %q\ntrace: true\n", filepath.Join(dir, "broker.log")))
		if err := os.Rename(dir, dir+".moved"); err != nil { // nothing can be renamed or created there now
			t.Fatal(err)
		}
		c := s.Open(t, `{"verbose":false}`)
		for range 50 {
			c.Send("PUB a 3\r\nabc\r\n")
		}
		c.Sync()
		return s
	},
	logging.LastGoodInUse: func(t *testing.T) *brokertest.Server {
		state := t.TempDir()
		run := func(config string) *brokertest.Server {
			return brokertest.Start(t, brokertest.Options{Config: json + config, Env: []string{"STATE_DIRECTORY=" + state, "NATS_UNIT=nats-broker.service"}})
		}
		s := run("max_payload: 2KB\n")
		s.Stop()
		s.SetConfig(json + "max_payload: much\n")
		s.Restart()
		return s
	},
	logging.BrokerPaused:    paused,
	logging.BrokerResumed:   paused,
	logging.ControlRefused:  func(t *testing.T) *brokertest.Server { return watched(t, "off", 1) },
	logging.MessagesWatched: func(t *testing.T) *brokertest.Server { return watched(t, "on", 0) },
	logging.HandoverFailed:  failedUpgrade,
	logging.HandoverLeft:    upgrade,
	logging.HandoverTaken:   upgrade,
	logging.ConfigWatchFailed: func(t *testing.T) *brokertest.Server {
		wrapper := filepath.Join(t.TempDir(), "without-inotify")
		script := fmt.Sprintf("#!/bin/sh\necho 0 >/proc/sys/user/max_inotify_instances && exec %q \"$@\"\n", brokertest.Ours(t))
		if err := os.WriteFile(wrapper, []byte("#!/bin/sh\nexec unshare -U -r sh "+wrapper+".inner \"$@\"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(wrapper+".inner", []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("unshare", "-U", "-r", "sh", "-c", "echo 0 >/proc/sys/user/max_inotify_instances").CombinedOutput(); err != nil {
			t.Skipf("no user namespaces: %v %s", err, out)
		}
		return brokertest.Start(t, brokertest.Options{Binary: wrapper, Config: json})
	},
}

// watched has somebody look at messages, for a moment; code is how that ends.
func watched(t *testing.T, allowed string, code int) *brokertest.Server {
	socket := filepath.Join(t.TempDir(), "control.sock")
	s := start(t, fmt.Sprintf("control_socket: %q\ncontrol_watch: %s\n", socket, allowed))
	cmd := exec.Command(brokertest.Ours(t), "watch", "--socket", socket, "--for", "1ms", "x")
	if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != code {
		t.Errorf("watch: %s\n%s", cmd.ProcessState, out)
	}
	return s
}

// paused has a broker send its clients away, and let them in again.
func paused(t *testing.T) *brokertest.Server {
	socket := filepath.Join(t.TempDir(), "control.sock")
	s := start(t, fmt.Sprintf("control_socket: %q\n", socket))
	for _, verb := range []string{"pause", "resume"} {
		if out, err := exec.Command(brokertest.Ours(t), verb, "--socket", socket).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", verb, err, out)
		}
	}
	return s
}

// upgrade has a broker hand over to another process of the same program.
func upgrade(t *testing.T) *brokertest.Server {
	socket := filepath.Join(t.TempDir(), "control.sock")
	s := start(t, fmt.Sprintf("control_socket: %q\n", socket))
	s.Open(t, `{"verbose":false}`).Sync()
	out, err := exec.Command(brokertest.Ours(t), "upgrade", "--socket", socket).CombinedOutput()
	if err != nil {
		t.Fatalf("upgrade: %v\n%s", err, out)
	}
	var successor int
	at := s.WaitLogFrom("Handing over to process ", 0) // the verb may be told sooner than the log is read
	s.WaitLogFrom("\n", at)
	if _, err := fmt.Sscanf(s.Logs()[at:], "%d", &successor); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(successor, syscall.SIGKILL) })
	return s
}

// failedUpgrade has a broker hand over to a program that cannot serve, with nobody to go back to: the configuration has
// become unreadable meanwhile.
func failedUpgrade(t *testing.T) *brokertest.Server {
	dir := t.TempDir()
	socket := filepath.Join(dir, "control.sock")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	s := start(t, fmt.Sprintf("config_watch: off\ncontrol_socket: %q\n", socket))
	s.Open(t, `{"verbose":false}`).Sync()
	program, config := filepath.Join(dir, "program"), filepath.Join(dir, "other.conf")
	text := fmt.Sprintf("listen: \"127.0.0.1:%d\"\nconfig_watch: off\ncontrol_socket: %q\nprof_port: %d\n", s.Port(), socket, taken.Addr().(*net.TCPAddr).Port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, fmt.Appendf(nil, "#!/bin/sh\nexec %q -c %q\n", brokertest.Ours(t), config), 0o700); err != nil {
		t.Fatal(err)
	}
	s.SetConfig("nonsense: [\n")
	out, err := exec.Command(brokertest.Ours(t), "upgrade", "--socket", socket, "--binary", program).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "neither does the old one") {
		t.Errorf("upgrade: %v\n%s", err, out)
	}
	return s
}

// elsewhere are the states that a built binary cannot be brought to from outside,
// or are brought about by tests of their own.
var elsewhere = map[logging.MessageID]string{
	logging.ConnectionPanic: "daemon/broker: TestPanicEndsOneConnection",
	logging.ListenerFailed:  "daemon/internal/brokertest/events: TestListenerFailed",
	logging.LogLinesDropped: "daemon/logging: TestSyslogQueueIsBounded",
	logging.StorageFull:     "daemon/jetstream: TestFullDiskIsSaid",
	logging.StorageFailed:   "daemon/jetstream: TestFailedDiskIsSaid",
	logging.StreamFailed:    "daemon/jetstream: TestFailedDiskIsSaid",
	logging.StorageStuck:    "daemon/jetstream: TestStuckDiskIsSaid",
	logging.MessagesLost:    "daemon/jetstream: TestLostMessagesAreSaid",
}

// encrypted is a configuration whose certificate ends after left.
func encrypted(t *testing.T, left time.Duration) string {
	t.Helper()
	ca := certtest.New(t, t.TempDir(), "ca")
	pair := ca.Issue("broker", x509.Certificate{NotAfter: time.Now().Add(left), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	return fmt.Sprintf("tls { cert_file: %q, key_file: %q }\n", pair.CertFile, pair.KeyFile)
}

// A start that cannot listen says where, for people and for programs.
func TestListenerFailed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	for name, config := range map[string]string{
		"client":  "listen: \"" + addr + "\"\n",
		"monitor": "listen: \"127.0.0.1:-1\"\nhttp: \"" + addr + "\"\n",
		"cluster": "listen: \"127.0.0.1:-1\"\ncluster { name: c, listen: \"" + addr + "\" }\n",
	} {
		code, out := brokertest.Run(t, brokertest.Options{Config: json + config + "# " + brokertest.PortMark + "\n"})
		if code != 1 || !strings.Contains(out, `"event":"listener-failed"`) || !strings.Contains(out, `"nats_listener":"127.0.0.1:`+port) {
			t.Errorf("%s: exit %d\n%s", name, code, out)
		}
		for line := range strings.Lines(out) {
			if strings.Contains(line, `"event":"listener-failed"`) {
				carries(t, line, logging.ListenerFailed)
			}
		}
	}
}

// Every id of the catalogue is written by something that runs.
func TestEveryMessageIDIsWritten(t *testing.T) {
	for id := logging.NoID + 1; id.Name() != ""; id++ {
		provoke, real := provoked[id]
		if !real {
			proof, known := elsewhere[id]
			if !known {
				t.Errorf("%s: nothing here brings it about, and no other test is named", id.Name())
				continue
			}
			room, test, _ := strings.Cut(proof, ": ")
			if out, err := exec.Command("grep", "-rlE", "^func "+test+`\(`, "../../../../"+room).CombinedOutput(); err != nil {
				t.Errorf("%s: no test %s in %s: %s", id.Name(), test, room, out)
			}
			continue
		}
		t.Run(id.Name(), func(t *testing.T) {
			s := provoke(t)
			mark := fmt.Sprintf(`"event":%q,"message_id":%q`, id.Name(), id.UUID())
			s.WaitLogFrom("\n", s.WaitLogFrom(mark, 0)) // to the end of the line
			for line := range strings.Lines(s.Logs()) {
				if strings.Contains(line, mark) && strings.HasSuffix(line, "\n") { // one more may be on its way
					carries(t, line, id)
				}
			}
		})
	}
}

// carries sees to it that a line carries the fields of its kind.
func carries(t *testing.T, line string, id logging.MessageID) {
	t.Helper()
	var fields map[string]any
	if err := encjson.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	for _, f := range id.Fields() {
		if v, ok := fields[strings.ToLower(f)]; !ok || v == "" && f != logging.FieldUser {
			t.Errorf("%s has no %s: %s", id.Name(), f, line)
		}
	}
}
