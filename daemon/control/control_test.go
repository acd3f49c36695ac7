package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("CONTROL_TEST_CLIENT"); path != "" {
		os.Exit(clientProcess(path))
	}
	goleak.VerifyTestMain(m)
}

// handlerFunc answers with a function.
type handlerFunc func(context.Context, Request, Peer) Response

func (f handlerFunc) Control(ctx context.Context, req Request, p Peer) Response {
	return f(ctx, req, p)
}

func serve(t *testing.T, h handlerFunc) (*Server, Client) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control.sock")
	s, err := Listen(path, h, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s, Client{Path: path}
}

func TestConversation(t *testing.T) {
	_, c := serve(t, func(_ context.Context, req Request, p Peer) Response {
		if p.PID != os.Getpid() || p.UID != uint32(os.Getuid()) {
			return Response{Error: "wrong peer " + p.String()}
		}
		return Response{OK: true, Levels: req.Levels}
	})
	resp, err := c.Do(context.Background(), Request{Verb: VerbLogLevel, Levels: map[string]string{"broker": "debug"}})
	if err != nil || !resp.OK || resp.Levels["broker"] != "debug" {
		t.Fatalf("%+v, %v", resp, err)
	}
}

func TestSocketModeAndRemoval(t *testing.T) {
	s, c := serve(t, func(context.Context, Request, Peer) Response { return Response{OK: true} })
	info, err := os.Lstat(c.Path)
	if err != nil || info.Mode().Perm() != 0o660 || info.Mode().Type() != os.ModeSocket {
		t.Fatalf("%v, %v", info, err)
	}
	s.Stop()
	if _, err := os.Lstat(c.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stayed: %v", err)
	}
	if _, err := c.Do(context.Background(), Request{Verb: VerbStatus}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("asking nobody gave %v", err)
	}
}

func TestStaleSocketIsReplacedAndLiveOneRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	ok := handlerFunc(func(context.Context, Request, Peer) Response { return Response{OK: true} })
	s, err := Listen(path, ok, logging.Discard())
	if err != nil {
		t.Fatalf("a dead daemon's socket: %v", err)
	}
	defer s.Stop()
	if second, err := Listen(path, ok, logging.Discard()); err == nil {
		second.Stop()
		t.Fatal("two daemons on one control socket")
	}
	if resp, err := (Client{path}).Do(context.Background(), Request{Verb: VerbStatus}); err != nil || !resp.OK {
		t.Errorf("the first daemon lost its socket to the second: %+v, %v", resp, err)
	}

	file := filepath.Join(t.TempDir(), "precious")
	os.WriteFile(file, []byte("x"), 0o600)
	if s, err := Listen(file, ok, logging.Discard()); err == nil {
		s.Stop()
		t.Error("a regular file was replaced by the socket")
	}
}

func TestGarbageIsAnswered(t *testing.T) {
	_, c := serve(t, func(context.Context, Request, Peer) Response { return Response{OK: true} })
	for _, in := range []string{"\n", "{\n", `{"verb":5}` + "\n", strings.Repeat("x", maxRequest+10)} {
		conn, err := net.Dial("unix", c.Path)
		if err != nil {
			t.Fatal(err)
		}
		go io.WriteString(conn, in)
		var resp Response
		if err := json.NewDecoder(conn).Decode(&resp); err != nil || resp.OK || !strings.Contains(resp.Error, "bad request") {
			t.Errorf("%.20q: %+v, %v", in, resp, err)
		}
		conn.Close()
	}
}

// One verb's panic is that verb's trouble.
func TestPanicInHandler(t *testing.T) {
	_, c := serve(t, func(_ context.Context, req Request, _ Peer) Response {
		if req.Verb == "boom" {
			panic("boom")
		}
		return Response{OK: true}
	})
	if _, err := c.Do(context.Background(), Request{Verb: "boom"}); err == nil {
		t.Error("a panic was reported as success")
	}
	if resp, err := c.Do(context.Background(), Request{Verb: VerbStatus}); err != nil || !resp.OK {
		t.Errorf("after the panic: %+v, %v", resp, err)
	}
}

// Stop must not wait for a handler that waits for the daemon's end.
func TestStopEndsConversations(t *testing.T) {
	entered := make(chan struct{})
	s, c := serve(t, func(ctx context.Context, _ Request, _ Peer) Response {
		close(entered)
		<-ctx.Done()
		return Response{OK: true}
	})
	answer := make(chan error, 1)
	go func() {
		_, err := c.Do(context.Background(), Request{Verb: VerbStop})
		answer <- err
	}()
	<-entered
	s.Stop()
	if err := <-answer; err != nil {
		t.Errorf("the verb that waited got %v", err)
	}
}

func TestDoGivesUpWithItsContext(t *testing.T) {
	entered := make(chan struct{}, 1)
	_, c := serve(t, func(ctx context.Context, _ Request, _ Peer) Response {
		entered <- struct{}{}
		<-ctx.Done()
		return Response{}
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-entered; cancel() }()
	if _, err := c.Do(ctx, Request{Verb: VerbDrain}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// clientProcess is this test binary run as somebody else.
func clientProcess(path string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	resp, err := Client{Path: path}.Do(ctx, Request{Verb: VerbStatus})
	switch {
	case errors.Is(err, os.ErrPermission):
		return 11
	case err != nil:
		return 12
	case !resp.OK:
		return 13
	}
	return 10
}

// The kernel's word decides who may speak, also when the mode lets everyone in.
func TestPeerCredentials(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to become other users")
	}
	dir, err := os.MkdirTemp("/tmp", "control")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	exe := filepath.Join(dir, "client")
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(exe, data, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "control.sock")
	s, err := Listen(path, handlerFunc(func(context.Context, Request, Peer) Response { return Response{OK: true} }), logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	group := s.identity.Sys().(*syscall.Stat_t).Gid
	tests := []struct {
		name string
		mode os.FileMode
		cred syscall.Credential
		want int
	}{
		{"root", 0o660, syscall.Credential{}, 10},
		{"stranger stopped by the mode", 0o660, syscall.Credential{Uid: 65534, Gid: 65534}, 11},
		{"stranger through an open mode", 0o666, syscall.Credential{Uid: 65534, Gid: 65534}, 13},
		{"member of the group", 0o660, syscall.Credential{Uid: 65534, Gid: group}, 10},
		{"supplementary member", 0o660, syscall.Credential{Uid: 65534, Gid: 65534, Groups: []uint32{7, group}}, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			os.Chmod(path, tt.mode)
			cmd := exec.Command(exe)
			cmd.Env = []string{"CONTROL_TEST_CLIENT=" + path}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &tt.cred}
			cmd.Run()
			if got := cmd.ProcessState.ExitCode(); got != tt.want {
				t.Errorf("exit %s, want %d", strconv.Itoa(got), tt.want)
			}
		})
	}
}

// DoAndWait returns only when the daemon's process is gone: a script that stops
// the broker and starts another must not race with the first one's exit.
func TestDoAndWaitWaitsForTheProcess(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "control.sock")
	// A stand-in daemon in shell cannot hold a unix socket; use ourselves.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // ends with the listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			bufio.NewReader(conn).ReadBytes('\n')
			reply(conn, Response{OK: true})
			conn.Close()
		}
	}()
	for d := 150 * time.Millisecond; ; d *= 2 {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		// The peer is this very process, which does not end: the wait must run
		// into the deadline although the answer was OK.
		resp, err := Client{path}.DoAndWait(ctx, Request{Verb: VerbStop})
		cancel()
		if !resp.OK && d < time.Minute { // on a slow machine the answer does not come in time
			continue
		}
		if !resp.OK || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%+v, %v", resp, err)
		}
		return
	}
}

// What follows a response comes line by line, and ends when the peer hangs up.
func TestFollow(t *testing.T) {
	ended := make(chan struct{}, 1)
	_, c := serve(t, func(_ context.Context, req Request, _ Peer) Response {
		resp := Answered("begins")
		resp.Follow = func(ctx context.Context, say func(any) error) {
			defer func() { ended <- struct{}{} }()
			for i := range 3 {
				if say(i) != nil {
					return
				}
			}
			if string(req.Ask) == `"waits"` {
				<-ctx.Done()
			}
		}
		return resp
	})
	var got []string
	collect := func(line []byte) error {
		got = append(got, strings.TrimSpace(string(line)))
		return nil
	}
	begins := func(r Response) { got = append(got, string(r.Answer)) }
	req, err := Ask(VerbConnections, "ends")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Follow(context.Background(), req, begins, collect); err != nil || strings.Join(got, " ") != `"begins" 0 1 2` {
		t.Errorf("%q, %v", got, err)
	}
	<-ended
	stop := errors.New("enough")
	req.Ask = []byte(`"waits"`)
	if err := c.Follow(context.Background(), req, begins, func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
	<-ended // without the peer's end it would wait for ever
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	err = c.Follow(ctx, req, begins, func([]byte) error {
		if n++; n == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	<-ended
}
