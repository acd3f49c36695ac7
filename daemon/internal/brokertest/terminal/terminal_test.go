// Package terminal tests what the command does in a terminal: it runs the built
// binary on a pseudo terminal, presses keys and looks at the screen.
package terminal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// terminal is a pseudo terminal with a program in it. Its methods are for the
// test's own goroutine.
type terminal struct {
	t    *testing.T
	keys *os.File // the side of the person
	cmd  *exec.Cmd
	seen string // what came and was not expected yet
	all  strings.Builder
}

// inTerminal runs the binary with its standard streams on a terminal of this size.
func inTerminal(t *testing.T, columns, lines uint16, args ...string) *terminal {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skip("no pseudo terminals: ", err)
	}
	keys := os.NewFile(uintptr(fd), "/dev/ptmx")
	check := func(err error) {
		t.Helper()
		if err != nil {
			keys.Close()
			t.Fatal(err)
		}
	}
	check(unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	check(err)
	check(unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: lines, Col: columns}))
	screen, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	check(err)
	defer screen.Close()
	cmd := exec.Command(brokertest.Ours(t), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = screen, screen, screen
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	check(cmd.Start())
	x := &terminal{t: t, keys: keys, cmd: cmd}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		keys.Close()
	})
	return x
}

// press sends what a person types.
func (x *terminal) press(text string) {
	x.t.Helper()
	if _, err := x.keys.WriteString(text); err != nil {
		x.t.Fatal(err)
	}
}

// expect reads until the screen was sent each of the texts, in this order, and
// returns what came up to there.
func (x *terminal) expect(texts ...string) (came string) {
	x.t.Helper()
	_ = x.keys.SetReadDeadline(time.Now().Add(brokertest.Patience))
	buf := make([]byte, 4096)
	for _, text := range texts {
		for {
			if before, after, ok := strings.Cut(x.seen, text); ok {
				came, x.seen = came+before+text, after
				break
			}
			n, err := x.keys.Read(buf)
			x.seen += string(buf[:n])
			x.all.Write(buf[:n])
			if err != nil {
				x.t.Fatalf("waiting for %q: %v; the screen got\n%q", text, err, x.all.String())
			}
		}
	}
	return came
}

// end reads to the end of the program and returns its exit status.
func (x *terminal) end() int {
	x.t.Helper()
	_ = x.keys.SetReadDeadline(time.Now().Add(brokertest.Patience))
	buf := make([]byte, 4096)
	for {
		n, err := x.keys.Read(buf)
		x.seen += string(buf[:n])
		if errors.Is(err, syscall.EIO) { // nobody has the terminal open any more
			break
		}
		if err != nil {
			x.t.Fatalf("waiting for the end: %v; the screen got\n%q", err, x.seen)
		}
	}
	_ = x.cmd.Wait()
	return x.cmd.ProcessState.ExitCode()
}

func TestPasswdInTerminal(t *testing.T) {
	x := inTerminal(t, 80, 24, "passwd", "--cost", "4")
	x.expect("Password: ")
	x.press("s3cret word\n")
	x.expect("Again: ")
	x.press("s3cret word\n")
	if code := x.end(); code != 0 {
		t.Fatalf("exit %d: %q", code, x.seen)
	}
	if strings.Contains(x.seen+x.all.String(), "s3cret") {
		t.Errorf("the password was echoed: %q", x.all.String()+x.seen)
	}
	if err := bcrypt.CompareHashAndPassword([]byte(strings.TrimSpace(x.seen)), []byte("s3cret word")); err != nil {
		t.Errorf("%q: %v", x.seen, err)
	}

	x = inTerminal(t, 80, 24, "passwd")
	x.expect("Password: ")
	x.press("one\n")
	x.expect("Again: ")
	x.press("two\n")
	if code := x.end(); code != 1 || !strings.Contains(x.seen, "the passwords differ") {
		t.Errorf("two passwords: exit %d, %q", code, x.seen)
	}

	x = inTerminal(t, 80, 24, "passwd")
	x.expect("Password: ")
	x.press("one\x03")
	if code := x.end(); code != 130 {
		t.Errorf("^C: exit %d, %q", code, x.seen)
	}
}

const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
)

// Every key of the view, on a broker whose connections are in a known order.
func TestTopInTerminal(t *testing.T) {
	port := brokertest.FreePort(t)
	opts := brokertest.Options{Config: fmt.Sprintf("server_name: watched\nhttp: \"127.0.0.1:%d\"\n", port)}
	s := brokertest.Start(t, opts)
	const width, height = 150, 14 // six connections to a page
	for i := range 9 {
		c := s.Open(t, fmt.Sprintf(`{"verbose":false,"name":"c%d"}`, i+1))
		for k := range i {
			c.Send(fmt.Sprintf("SUB s.%d %d\r\n", k, k))
		}
		c.Sync()
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	x := inTerminal(t, width, height, "top", "-d", "30ms", url)
	x.expect(enterScreen, "watched  version", "Connections 1-6 of 9, by pending", "q quit")
	for key, order := range map[string]string{"s": "subs", "t": "msgs_to", "f": "msgs_from", "T": "bytes_to", "F": "bytes_from", "i": "idle", "u": "uptime", "l": "last", "r": "rtt", "p": "pending"} {
		x.press(key)
		x.expect("of 9, by " + order)
	}
	x.press("s")
	x.expect("Connections 1-6 of 9, by subs")
	if page := x.expect("c9 ", "c4 ", "q quit"); strings.Contains(page, "c3 ") {
		t.Errorf("more rows than fit: %q", page)
	}
	x.press("n")
	x.expect("Connections 7-9 of 9, by subs", "c3 ", "c2 ", "c1 ")
	x.press("b")
	x.expect("Connections 1-6 of 9, by subs", "c9 ")
	x.press(" ")
	x.expect("Paused")
	x.press("c") // asked for, and shown when it goes on
	x.press(" ")
	x.expect("by cid", "q quit")
	s.Stop()
	x.expect("No answer: ", "still asking")
	x.press("q")
	if code := x.end(); code != 0 || !strings.Contains(x.seen, leaveScreen) {
		t.Errorf("exit %d, the screen is left as %q", code, x.seen)
	}

	brokertest.Start(t, opts)
	for _, how := range []string{"^C", "SIGTERM"} {
		x = inTerminal(t, width, height, "top", "-d", "30ms", url)
		x.expect("q quit")
		if how == "^C" {
			x.press("\x03")
		} else {
			_ = x.cmd.Process.Signal(syscall.SIGTERM)
		}
		if code := x.end(); code != 0 || !strings.Contains(x.seen, leaveScreen) {
			t.Errorf("%s: exit %d, the screen is left as %q", how, code, x.seen)
		}
	}
}
