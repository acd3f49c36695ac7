package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds every wait for a server: beyond it the run has failed.
const patience = 30 * time.Second

// server is one running server process under test.
type server struct {
	cmd  *exec.Cmd
	port int
	as   login        // how connect logs in
	log  bytes.Buffer // written by os/exec until done is closed
	done chan struct{}
}

// startServer runs the binary on a free port and returns when it has answered
// a PING. It also returns the time from exec to that answer. More are further
// arguments.
func startServer(binary string, more ...string) (*server, time.Duration, error) {
	return startServerFor(login{}, binary, more...)
}

// startServerFor is startServer for a server that asks who connects.
func startServerFor(as login, binary string, more ...string) (*server, time.Duration, error) {
	port, err := freePort()
	if err != nil {
		return nil, 0, err
	}
	s := &server{port: port, as: as, done: make(chan struct{})}
	s.cmd = exec.Command(binary, append([]string{"-a", "127.0.0.1", "-p", strconv.Itoa(port)}, more...)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, 0, err
	}
	go func() { // ends with the process; stop waits for it
		_ = s.cmd.Wait()
		close(s.done)
	}()
	for {
		c, err := s.dial(s.as)
		if err == nil {
			took := time.Since(began)
			c.Close()
			return s, took, nil
		}
		select {
		case <-s.done:
			return nil, 0, fmt.Errorf("%s ended at once:\n%s", binary, s.log.String())
		case <-time.After(200 * time.Microsecond):
		}
		if time.Since(began) > patience {
			s.stop()
			return nil, 0, fmt.Errorf("%s does not serve: %w\n%s", binary, err, s.log.String())
		}
	}
}

// freePort picks a port below the range from which the kernel serves outgoing
// connections.
func freePort() (int, error) {
	for range 100 {
		port := 12000 + rand.IntN(20000)
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			l.Close()
			return port, nil
		}
	}
	return 0, errors.New("no free port")
}

// stop ends the server and waits for its end.
func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
}

// cpu returns the processor time the server has used so far, all threads and
// system calls included, in nanoseconds: the process clock of the kernel, not
// the 10 ms ticks of /proc/PID/stat.
func (s *server) cpu() (int64, error) {
	const schedClock = 2 // CPUCLOCK_SCHED in include/linux/posix-timers_types.h
	clock := int32(^s.cmd.Process.Pid<<3 | schedClock)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("processor clock of %d: %w", s.cmd.Process.Pid, err)
	}
	return ts.Nano(), nil
}

// memory returns a field of /proc/PID/status in bytes, for example VmHWM (the
// largest resident set so far) or RssAnon (resident memory of its own).
func (s *server) memory(field string) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		if name == field {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in status of %d", field, s.cmd.Process.Pid)
}

// settledMemory returns RssAnon once it has stopped moving for half a second,
// or as it is after five seconds.
func (s *server) settledMemory() (int64, error) {
	last, still := int64(-1), 0
	for range 50 {
		now, err := s.memory("RssAnon")
		if err != nil {
			return 0, err
		}
		if still++; now != last {
			last, still = now, 0
		}
		if still >= 5 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return last, nil
}

// login is how a connection begins: in plain or encrypted, as whom.
type login struct {
	user, pass string
	tls        bool
	sessions   tls.ClientSessionCache // of encrypted connections, to resume; nil: whole handshakes
	web        *web                   // by WebSocket; nil: by TCP
}

// line returns CONNECT and a PING behind it.
func (l login) line() []byte {
	who := ""
	if l.user != "" {
		who = fmt.Sprintf(`"user":%q,"pass":%q,`, l.user, l.pass)
	}
	return []byte(`CONNECT {` + who + `"verbose":false,"pedantic":false,"lang":"bench","version":"1",` +
		`"protocol":1,"headers":true,"no_responders":true,"echo":true}` + "\r\nPING\r\n")
}

// connect opens a connection and goes through INFO, CONNECT, PING and PONG.
func (s *server) connect() (*net.TCPConn, error) {
	c, err := s.dial(login{user: s.as.user, pass: s.as.pass})
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// dial is connect with a login.
func (s *server) dial(as login) (net.Conn, error) {
	var c net.Conn
	var err error
	if as.web != nil {
		c, err = as.web.dial()
	} else {
		c, err = net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(s.port))
	}
	if err != nil {
		return nil, err
	}
	made, err := handshake(c, as)
	if err != nil {
		c.Close()
		return nil, err
	}
	return made, nil
}

// handshake reads INFO, sends CONNECT and PING and reads up to the PONG and
// whatever INFO the server sends behind it.
func handshake(c net.Conn, as login) (net.Conn, error) {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	buf := make([]byte, 4096)
	if _, err := readUntil(c, buf, "\r\n"); err != nil {
		return nil, err
	}
	if as.tls {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, ServerName: "bench", ClientSessionCache: as.sessions}) // a certificate of our own, made for the run
	}
	if _, err := c.Write(as.line()); err != nil {
		return nil, err
	}
	got, err := readUntil(c, buf, "PONG\r\n")
	if err != nil {
		return nil, err
	}
	if bytes.Contains(got, []byte("-ERR")) {
		return nil, fmt.Errorf("server says %q", got)
	}
	return c, c.SetDeadline(time.Time{})
}

// readUntil reads until mark has come and returns all that was read.
func readUntil(c net.Conn, buf []byte, mark string) ([]byte, error) {
	n := 0
	for {
		m, err := c.Read(buf[n:])
		n += m
		if bytes.Contains(buf[:n], []byte(mark)) {
			return buf[:n], nil
		}
		if err != nil {
			return buf[:n], fmt.Errorf("waiting for %q after %q: %w", mark, buf[:n], err)
		}
	}
}
