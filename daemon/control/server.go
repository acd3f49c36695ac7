package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

const (
	maxRequest      = 64 << 10        // bytes of one request line
	requestDeadline = 5 * time.Second // for a connected verb to say what it wants
	replyDeadline   = 5 * time.Second // for it to read the answer
	maxTalks        = 32              // conversations at a time
)

// Handler does what a verb asks. It is called from several goroutines at a
// time, and ctx ends when the server stops.
type Handler interface {
	Control(ctx context.Context, req Request, peer Peer) Response
}

// Server answers verbs on one unix socket.
type Server struct {
	path    string
	handler Handler
	log     *logging.Logger

	listener *net.UnixListener
	ctx      context.Context
	cancel   context.CancelFunc
	slots    chan struct{}
	done     sync.WaitGroup
	identity os.FileInfo // of the socket file we made, so that only ours is removed
	stop     sync.Once
}

// Listen makes the socket at path with mode 0660, replacing one that a dead
// daemon left, and starts to answer. A path somebody answers on is an error.
func Listen(path string, h Handler, log *logging.Logger) (*Server, error) {
	if err := removeStale(path); err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	l, info, err := listenPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	s := &Server{path: path, handler: h, log: log, listener: l, identity: info, slots: make(chan struct{}, maxTalks)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.done.Add(1)
	go s.accept() // ends when Stop closes the listener
	return s, nil
}

// Path returns where the socket is.
func (s *Server) Path() string { return s.path }

// Stop removes the socket, ends every conversation and waits for them.
func (s *Server) Stop() {
	s.Close()
	s.cancel()
	s.done.Wait()
}

// Close stops taking new conversations; those under way go on. The socket file
// is removed if it is still the one that was made.
func (s *Server) Close() {
	s.stop.Do(func() {
		if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.identity) {
			os.Remove(s.path)
		}
		s.listener.Close()
	})
}

// listenPrivate binds to a name beside path, sets the mode and moves it into
// place, so that the socket never exists with another mode.
func listenPrivate(path string) (*net.UnixListener, os.FileInfo, error) {
	tmp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d", filepath.Base(path), os.Getpid()))
	if err := removeStale(tmp); err != nil { // of a process that had our number
		return nil, nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: tmp, Net: "unix"})
	if err != nil {
		return nil, nil, err
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(tmp, 0o660)
	var info os.FileInfo
	if err == nil {
		info, err = os.Lstat(tmp)
	}
	if err == nil {
		err = renameNew(tmp, path)
	}
	if err != nil {
		l.Close()
		os.Remove(tmp)
		return nil, nil, err
	}
	return l, info, nil
}

// renameNew renames a file to a name that nobody has. Where the file system cannot promise that, what has come to path
// since it was looked at is replaced.
func renameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return os.Rename(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// removeStale removes a socket nobody listens on.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return errors.New("the path exists and is not a socket")
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
		return errors.New("another daemon answers there")
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return os.Remove(path)
	}
	return err
}

func (s *Server) accept() {
	defer s.done.Done()
	for {
		conn, err := s.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of descriptors, most likely: try again, not too eagerly.
			s.log.Warn("Control socket: "+err.Error(), logging.Err(err))
			select {
			case <-time.After(100 * time.Millisecond):
			case <-s.ctx.Done():
				return
			}
			continue
		}
		select {
		case s.slots <- struct{}{}:
			s.done.Add(1)
			go s.talk(conn) // ends with the answer, or when Stop cancels the context
		default:
			reply(conn, Response{Error: "too many conversations on the control socket"})
			conn.Close()
		}
	}
}

// talk holds one conversation.
func (s *Server) talk(conn *net.UnixConn) {
	defer s.done.Done()
	defer func() { <-s.slots }()
	defer conn.Close()
	defer func() {
		if r := recover(); r != nil {
			s.log.Error(fmt.Sprintf("Control socket: panic: %v\n%s", r, debug.Stack()))
		}
	}()
	peer, err := peerOf(conn)
	if err != nil {
		s.log.Warn("Control socket: " + err.Error())
		return
	}
	conn.SetReadDeadline(time.Now().Add(requestDeadline))
	in := bufio.NewReader(io.LimitReader(conn, maxRequest))
	var req Request
	err = readLine(in, &req)
	// Judged only now: a connection closed with bytes unread is reset, and the
	// answer lost.
	if !s.allowed(peer) {
		s.log.Event(logging.Warn, logging.ControlRefused, "Control socket: refused "+peer.String(), logging.Int(logging.FieldUID, int64(peer.UID)))
		reply(conn, Response{Error: "not allowed: only root, the broker's user and members of the socket's group may control the broker"})
		return
	}
	if err != nil {
		reply(conn, Response{Error: "bad request: " + err.Error()})
		return
	}
	// A verb that hangs up early does not undo what it asked for.
	resp := s.handler.Control(s.ctx, req, peer)
	reply(conn, resp)
	if resp.Follow != nil {
		s.follow(conn, resp.Follow)
	}
}

// follow has the handler say what comes after its response.
func (s *Server) follow(conn *net.UnixConn, f func(context.Context, func(any) error)) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	conn.SetReadDeadline(time.Time{})
	heard := make(chan struct{})
	go func() { // ends with the peer, or when the conversation is over
		defer close(heard)
		io.Copy(io.Discard, conn)
		cancel()
	}()
	f(ctx, func(v any) error {
		line, err := json.Marshal(v)
		if err != nil {
			return err
		}
		conn.SetWriteDeadline(time.Now().Add(replyDeadline))
		_, err = conn.Write(append(line, '\n'))
		return err
	})
	conn.SetReadDeadline(time.Unix(1, 0))
	<-heard
}

// allowed decides by the peer's identity alone.
func (s *Server) allowed(p Peer) bool {
	if p.UID == 0 || p.UID == uint32(os.Geteuid()) {
		return true
	}
	st, ok := s.identity.Sys().(*syscall.Stat_t)
	return ok && p.member(st.Gid)
}

// readLine decodes one line of JSON; the last one may lack its newline.
func readLine(r *bufio.Reader, into any) error {
	line, err := r.ReadBytes('\n')
	if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) {
		return err
	}
	return json.Unmarshal(line, into)
}

func reply(conn net.Conn, resp Response) {
	conn.SetWriteDeadline(time.Now().Add(replyDeadline))
	line, err := json.Marshal(resp)
	if err != nil {
		line, _ = json.Marshal(Response{Error: "cannot encode the answer: " + err.Error()})
	}
	conn.Write(append(line, '\n'))
}
