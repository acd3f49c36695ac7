package brokertest

import (
	"bufio"
	"net"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServerLife(t *testing.T) {
	for _, c := range []struct {
		name string
		opts Options
	}{
		{"flags", Options{}},
		{"config", Options{Config: "listen: 127.0.0.1:" + PortMark + "\nmax_payload: 1000\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.opts.Binary = NATSServer(t)
			s := Start(t, c.opts)
			for range 2 {
				conn, err := net.Dial("tcp", s.Addr())
				if err != nil {
					t.Fatal(err)
				}
				line, err := bufio.NewReader(conn).ReadString('\n')
				if err != nil || !strings.HasPrefix(line, "INFO {") {
					t.Fatalf("first line %q, %v", line, err)
				}
				if custom := strings.Contains(line, `"max_payload":1000`); custom != (c.opts.Config != "") {
					t.Errorf("configuration and INFO disagree: %s", line)
				}
				if !strings.Contains(line, `"client_id":`) {
					t.Errorf("no client_id in %s", line)
				}
				conn.Close()
				s.Stop()
				s.Restart()
			}
			s.Kill()
			if code := s.Wait(); code != -int(syscall.SIGKILL) {
				t.Errorf("exit code %d after SIGKILL", code)
			}
		})
	}
}

func TestRunReportsTheExitCode(t *testing.T) {
	code, out := Run(t, Options{Binary: NATSServer(t), Config: "no_such_option: 1"})
	if code != 1 || !strings.Contains(out, "no_such_option") {
		t.Errorf("code %d, output %q", code, out)
	}
}

func TestMaxFiles(t *testing.T) {
	s := Start(t, Options{Binary: NATSServer(t), MaxFiles: 150})
	var limit unix.Rlimit
	if err := unix.Prlimit(s.PID(), unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur != 150 {
		t.Errorf("limit of descriptors is %d", limit.Cur)
	}
}
