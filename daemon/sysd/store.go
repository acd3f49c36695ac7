package sysd

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// storedPrefix begins the names of descriptors that we stored ourselves, so
// that they cannot be mistaken for sockets of a socket unit.
const storedPrefix = "stored."

// Store keeps copies of listeners with the service manager
// (FileDescriptorStoreMax= in systemd.service(5)), so that a listener outlives
// the process: connections made while no process runs wait in the kernel's
// queue for the next one. Names are those of listeners: "client", "monitor", "cluster".
//
// The manager drops the copies by itself when the service is stopped rather
// than restarted. The zero value and nil store nothing and have nothing.
// Methods may be called from any goroutine.
type Store struct {
	notify *Notifier
	usable bool

	mu   sync.Mutex // leaf lock but for the Notifier's
	held []*Socket  // from the last process, nobody's yet; names without the prefix
	kept map[string][]net.Listener
	left []*Socket // from the last process, no listeners; see TakeLeft

	retired []net.Listener // that end when this process serves
}

// NewStore takes what an earlier process stored out of env.Sockets. The
// sockets are then the store's until Take or Retire.
func NewStore(env *Environment, notify *Notifier) *Store {
	s := &Store{notify: notify, usable: env.Managed() && env.HasStore, kept: map[string][]net.Listener{}}
	s.held, s.left = splitLeft(env.Sockets.takeStored())
	return s
}

// takeStored removes and returns the sockets we stored, newest first, under
// their names without the prefix.
func (s *Sockets) takeStored() []*Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	var stored, left []*Socket
	for _, sock := range s.list {
		if name, ok := strings.CutPrefix(sock.Name, storedPrefix); ok {
			sock.Name = name
			stored = append(stored, sock)
		} else {
			left = append(left, sock)
		}
	}
	s.list = left
	return stored
}

// Retire ends every socket of an earlier process that is not wanted, and all
// but one of each name. It returns those that listened and no longer do. Call
// it before anything is opened: an unwanted listener may be in the way.
//
// With later they go on listening until EndRetired: the process before this one
// lives still, and has them again if this one fails. Retired gives them to who
// opens a listener that they are in the way of.
func (s *Store) Retire(later bool, wanted func(name string, at net.Addr) bool) (ended []*Socket, err error) {
	if s == nil {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	chosen, stale := map[string]bool{}, map[string]bool{}
	var held []*Socket
	for _, sock := range s.held {
		switch {
		case !sock.Listening || !wanted(sock.Name, sock.Addr):
			stale[sock.Name] = true
			if sock.Listening {
				ended = append(ended, sock)
			}
			if later && sock.Listening {
				if l, err := sock.Listener(); err == nil {
					s.retired = append(s.retired, l)
				}
				continue
			}
			sock.shutdown()
		case chosen[sock.Name]:
			sock.Close() // perhaps another copy of the one chosen: it must go on listening
		default:
			chosen[sock.Name] = true
			held = append(held, sock)
		}
	}
	s.held = held
	var errs []error
	for name := range stale {
		if !chosen[name] { // else Keep replaces all of the name
			errs = append(errs, s.notify.RemoveFDs(storedPrefix+name))
		}
	}
	return ended, errors.Join(errs...)
}

// Retired returns the listeners that end later. They stay the store's.
func (s *Store) Retired() []net.Listener {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]net.Listener(nil), s.retired...)
}

// EndRetired makes those listeners stop listening, whoever else holds a copy.
func (s *Store) EndRetired() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.retired {
		if c, ok := l.(syscall.Conn); ok {
			if raw, err := c.SyscallConn(); err == nil {
				_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
			}
		}
		_ = l.Close()
	}
	s.retired = nil
}

// Holds reports whether an earlier process has left something that nobody has taken.
func (s *Store) Holds() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held)+len(s.left) > 0
}

// shutdown makes the socket stop listening, whoever else holds a copy of it,
// and gives it up. The address is free at once for others with SO_REUSEADDR.
func (s *Socket) shutdown() {
	if s.fd >= 0 && s.Listening {
		_ = unix.Shutdown(s.fd, unix.SHUT_RDWR) // fails only when it does not listen
	}
	s.Close()
}

// Take returns the listener that an earlier process stored under name, or nil.
// The caller owns it and should Keep it again.
func (s *Store) Take(name string) (net.Listener, error) {
	if s == nil {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, sock := range s.held {
		if sock.Name == name {
			s.held = append(s.held[:i:i], s.held[i+1:]...)
			return sock.Listener()
		}
	}
	return nil, nil
}

// Keep makes listeners the ones stored under name, in place of those before;
// with none it only removes. The caller goes on owning them.
func (s *Store) Keep(name string, listeners ...net.Listener) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sameListeners(s.kept[name], listeners) {
		return nil
	}
	if !s.usable {
		s.kept[name] = append([]net.Listener(nil), listeners...)
		return nil
	}
	// The manager handles messages in their order. Without the first one copies
	// would pile up with each restart.
	if err := s.notify.RemoveFDs(storedPrefix + name); err != nil {
		return err
	}
	delete(s.kept, name)
	for _, l := range listeners {
		if err := s.put(storedPrefix+name, l); err != nil {
			return err
		}
	}
	s.kept[name] = append([]net.Listener(nil), listeners...)
	return nil
}

// put stores a copy. The descriptor is not duplicated: net.TCPListener.File
// would make the listener itself blocking.
func (s *Store) put(name string, l net.Listener) error {
	c, ok := l.(syscall.Conn)
	if !ok {
		return fmt.Errorf("%T cannot be stored", l)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	// A listener never hangs up: no polling.
	err = raw.Control(func(fd uintptr) { sent = s.notify.StoreFDs(name, false, int(fd)) })
	return errors.Join(err, sent)
}

func sameListeners(a, b []net.Listener) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
