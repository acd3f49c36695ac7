package sysd

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// handoverPrefix begins the names of what a process leaves for the next that is no
// listener: see the package handover.
const handoverPrefix = "handover-"

// Usable reports whether something that is kept reaches the next process.
func (s *Store) Usable() bool { return s != nil && s.usable }

// TakeLeft returns what an earlier process has left under a name, the latest of it, or
// nil. The caller owns it; Forget removes the manager's copy.
func (s *Store) TakeLeft(name string) *os.File {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found *os.File
	var others []*Socket
	for _, sock := range s.left {
		switch {
		case sock.Name != handoverPrefix+name:
			others = append(others, sock)
		case found == nil: // newest first
			found = sock.File()
		default:
			sock.Close()
		}
	}
	s.left = others
	return found
}

// Leave stores a descriptor under a name, in place of those before. The manager keeps
// it even when its peer hangs up. The caller keeps its own.
func (s *Store) Leave(name string, f *os.File) error {
	if !s.Usable() {
		return nil
	}
	if err := s.Forget(name); err != nil {
		return err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := raw.Control(func(fd uintptr) {
		sent = s.notify.StoreFDs(storedPrefix+handoverPrefix+name, false, int(fd))
	}); err != nil {
		return err
	}
	return sent
}

// Forget removes what was left under names.
func (s *Store) Forget(names ...string) error {
	if !s.Usable() {
		return nil
	}
	for _, name := range names {
		if err := s.notify.RemoveFDs(storedPrefix + handoverPrefix + name); err != nil {
			return err
		}
	}
	return nil
}

// splitLeft divides what was stored into listeners and what was left.
func splitLeft(stored []*Socket) (listeners, left []*Socket) {
	for _, sock := range stored {
		if strings.HasPrefix(sock.Name, handoverPrefix) {
			left = append(left, sock)
		} else {
			listeners = append(listeners, sock)
		}
	}
	return listeners, left
}

// Offer adds a listener that another process has handed to this one, as if it had been
// stored. The store owns it.
func (s *Store) Offer(name string, f *os.File) error {
	sock, err := socketOf(name, f)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = append(s.held, sock)
	return nil
}

// Offer adds a socket that another process has inherited and handed to this one, as if
// it were inherited here. The set owns it.
func (s *Sockets) Offer(name string, f *os.File) error {
	sock, err := socketOf(name, f)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, sock)
	return nil
}

// socketOf makes a socket of a file, which is closed unless there is an error.
func socketOf(name string, f *os.File) (*Socket, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	sock := &Socket{Name: name, fd: -1}
	if err := raw.Control(func(fd uintptr) { sock.fd, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	_ = f.Close()
	return sock, sock.describe()
}
