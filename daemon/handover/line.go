package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// lineVariable tells a process that another one started it to take over, and at which
// descriptor the line to that one is.
const lineVariable = "NATS_HANDOVER_FD"

// Line is what two processes talk over while the one hands over to the other. The old
// one begins with what the new one must know to get ready (Hello); the new one answers
// when it is (Prepared); then comes the parcel with the listeners (Parcel); the new one
// says that nothing can go wrong with its start any more and that it begins to serve
// connections (Serving), and when it has them all (Resumed). In place of each answer
// there may be a failure. It belongs to one goroutine.
type Line struct {
	f *os.File
}

// Message is what goes over a line.
type Message struct {
	Kind      string   `json:"kind"`
	State     []byte   `json:"state,omitempty"`     // of Hello: the broker's identity
	Expect    int      `json:"expect,omitempty"`    // of Hello: how many connections there are, about
	Listeners []string `json:"listeners,omitempty"` // of Parcel: the names of the descriptors behind its three
	Inherited []int    `json:"inherited,omitempty"` // of Parcel: the places in Listeners of those that neither process has opened
	Version   string   `json:"version,omitempty"`   // of Prepared: the program's
	Confirms  bool     `json:"confirms,omitempty"`  // of Prepared: Resumed will come
	Error     string   `json:"error,omitempty"`     // of Failed

	Files []*os.File `json:"-"`
}

// Kinds of messages.
const (
	Hello    = "hello"
	Prepared = "prepared"
	Contents = "parcel"
	Serving  = "serving"
	Resumed  = "resumed"
	Failed   = "failed"
)

// ErrGone means that the other process has ended.
var ErrGone = errors.New("the other process is gone")

// maxMessage bounds the text of one message.
const maxMessage = 128 << 10

// Send sends a message, with its files, which stay the caller's.
func (l *Line) Send(m Message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var fds []int
	for _, f := range m.Files {
		fd, err := descriptor(f)
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	raw, err := l.f.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		sent = unix.Sendmsg(int(fd), text, unix.UnixRights(fds...), nil, unix.MSG_NOSIGNAL)
		return sent != unix.EAGAIN
	})
	if errors.Is(sent, unix.EPIPE) {
		sent = ErrGone
	}
	return errors.Join(err, sent)
}

// descriptor returns a file's number. [os.File.Fd] would make it blocking.
func descriptor(f *os.File) (n int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	err = raw.Control(func(fd uintptr) { n = int(fd) })
	return n, err
}

// Receive waits for the next message of a kind, for at most the time; 0 is for ever. A
// failure of the other side is an error.
func (l *Line) Receive(kind string, limit time.Duration) (Message, error) {
	var m Message
	if limit > 0 {
		if err := l.f.SetReadDeadline(time.Now().Add(limit)); err != nil {
			return m, err
		}
		defer l.f.SetReadDeadline(time.Time{})
	}
	text, oob := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4*PerMessage))
	var n, oobn int
	var got error
	raw, err := l.f.SyscallConn()
	if err != nil {
		return m, err
	}
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, _, _, got = unix.Recvmsg(int(fd), text, oob, unix.MSG_CMSG_CLOEXEC)
			if got != unix.EINTR {
				return got != unix.EAGAIN
			}
		}
	})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return m, fmt.Errorf("no answer within %s", limit)
	case err != nil:
		return m, err
	case got == unix.ECONNRESET || got == nil && n == 0:
		return m, ErrGone
	case got != nil:
		return m, os.NewSyscallError("recvmsg", got)
	}
	fds, err := rightsOf(oob[:oobn])
	if err != nil {
		return m, err
	}
	for _, fd := range fds {
		m.Files = append(m.Files, os.NewFile(uintptr(fd), "received"))
	}
	if err = json.Unmarshal(text[:n], &m); err == nil && m.Kind == Failed {
		err = errors.New(m.Error)
	} else if err == nil && m.Kind != kind {
		err = fmt.Errorf("%q instead of %q", m.Kind, kind)
	}
	if err != nil {
		m.close()
	}
	return m, err
}

func (m *Message) close() {
	for _, f := range m.Files {
		_ = f.Close()
	}
	m.Files = nil
}

// Close ends the conversation: the other side's Receive fails with ErrGone.
func (l *Line) Close() { _ = l.f.Close() }

// ToPredecessor returns the line to the process that started this one to take over; nil
// if none did. It must be called once, before any child is started.
func ToPredecessor() (*Line, error) {
	text := os.Getenv(lineVariable)
	if text == "" {
		return nil, nil
	}
	os.Unsetenv(lineVariable)
	fd, err := strconv.Atoi(text)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		return nil, fmt.Errorf("%s=%q: %w", lineVariable, text, err)
	}
	unix.CloseOnExec(fd)
	return &Line{os.NewFile(uintptr(fd), "line")}, nil
}

// Successor is a process that was started to take over.
type Successor struct {
	*Line
	cmd *exec.Cmd
}

// Start starts a program with our own arguments, environment and standard files.
func Start(program string) (*Successor, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "line"), os.NewFile(uintptr(fds[1]), "line")
	defer theirs.Close()
	cmd := &exec.Cmd{
		Path: program, Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		ExtraFiles: []*os.File{theirs}, Env: append(os.Environ(), lineVariable+"=3"),
	}
	if err := cmd.Start(); err != nil {
		_ = ours.Close()
		return nil, err
	}
	return &Successor{&Line{ours}, cmd}, nil
}

// PID returns the process's number.
func (s *Successor) PID() int { return s.cmd.Process.Pid }

// Kill ends the process, waits until it has ended, and reports whether it had sent a
// message of a kind that was not received yet.
func (s *Successor) Kill(kind string) (said bool) {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()                       // its exit status says that it was killed
	_, err := s.Receive(kind, time.Second) // nobody is there to wait for
	s.Close()
	return err == nil
}

// Abandon ends the process and the conversation, and does not wait. It may be called while
// another goroutine waits for a message, which fails then.
func (s *Successor) Abandon() {
	_ = s.cmd.Process.Kill()
	s.Close()
}

// Leave lets the process go on without us.
func (s *Successor) Leave() {
	s.Close()
	_ = s.cmd.Process.Release()
}

// Listener is a listener that is handed on.
type Listener struct {
	Name      string // "client"
	Inherited bool   // the process has not opened it either: a socket unit or a parent has
	File      *os.File
}

// SendParcel sends a parcel and listeners, which stay the caller's.
func (l *Line) SendParcel(p *Parcel, listeners []Listener) error {
	if len(listeners)+3 > PerMessage {
		return fmt.Errorf("%d listeners are too many", len(listeners))
	}
	m := Message{Kind: Contents, Files: []*os.File{p.In, p.Out, p.State}}
	for i, s := range listeners {
		m.Listeners, m.Files = append(m.Listeners, s.Name), append(m.Files, s.File)
		if s.Inherited {
			m.Inherited = append(m.Inherited, i)
		}
	}
	return l.Send(m)
}

// ReceiveParcel is the opposite of SendParcel, for as long as it takes.
func (l *Line) ReceiveParcel() (p *Parcel, listeners []Listener, err error) {
	m, err := l.Receive(Contents, 0)
	if err != nil {
		return nil, nil, err
	}
	if len(m.Files) != 3+len(m.Listeners) {
		m.close()
		return nil, nil, fmt.Errorf("%w: %d descriptors", io.ErrUnexpectedEOF, len(m.Files))
	}
	for i, name := range m.Listeners {
		listeners = append(listeners, Listener{name, slices.Contains(m.Inherited, i), m.Files[3+i]})
	}
	return &Parcel{In: m.Files[0], Out: m.Files[1], State: m.Files[2]}, listeners, nil
}
