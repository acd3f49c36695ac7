package sysd

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeStore acts as the manager's store: it keeps and drops what messages say.
type fakeStore struct {
	*fakeManager
	fds []*Socket // oldest first
}

func (f *fakeStore) handle(t *testing.T, messages int) {
	t.Helper()
	for range messages {
		text, fds := f.receive(t)
		var name string
		for line := range strings.SplitSeq(text, "\n") {
			if n, ok := strings.CutPrefix(line, "FDNAME="); ok {
				name = n
			}
		}
		if strings.HasPrefix(text, "FDSTOREREMOVE=1\n") {
			var left []*Socket
			for _, s := range f.fds {
				if s.Name == name {
					s.Close()
				} else {
					left = append(left, s)
				}
			}
			f.fds = left
			continue
		}
		if want := "FDSTORE=1\nFDNAME=" + name + "\nFDPOLL=0"; text != want || len(fds) != 1 {
			t.Fatalf("got %q with %d descriptors", text, len(fds))
		}
		f.fds = append(f.fds, &Socket{Name: name, fd: fds[0]})
	}
}

// restart is what a next process of the unit is given.
func (f *fakeStore) restart(t *testing.T, extra ...*Socket) *Environment {
	t.Helper()
	env := &Environment{NotifySocket: f.path, HasStore: true, Sockets: &Sockets{}}
	for _, s := range append(extra, f.fds...) {
		fd, err := unix.Dup(s.fd)
		if err != nil {
			t.Fatal(err)
		}
		sock := &Socket{Name: s.Name, fd: fd}
		if err := sock.describe(); err != nil {
			t.Fatal(err)
		}
		env.Sockets.list = append([]*Socket{sock}, env.Sockets.list...) // newest first
	}
	return env
}

func newFakeStore(t *testing.T) (*fakeStore, *Notifier) {
	m := newFakeManager(t, filepath.Join(t.TempDir(), "notify"))
	n, err := NewNotifier(m.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return &fakeStore{fakeManager: m}, n
}

func listenLocal(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func dials(l net.Listener) bool {
	c, err := net.DialTimeout("tcp", l.Addr().String(), 5*time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// A listener lives on while its process is gone, the next process serves who
// came meanwhile, and however often that happens there is one copy.
func TestStoredListenerSurvives(t *testing.T) {
	f, n := newFakeStore(t)
	first := listenLocal(t)
	if err := NewStore(f.restart(t), n).Keep("client", first); err != nil {
		t.Fatal(err)
	}
	f.handle(t, 2)
	l := first
	for range 3 {
		l.Close()
		waiting, err := net.Dial("tcp", first.Addr().String())
		if err != nil {
			t.Fatalf("refused between two processes: %v", err)
		}
		s := NewStore(f.restart(t), n)
		if ended, err := s.Retire(false, func(name string, at net.Addr) bool { return at.String() == first.Addr().String() }); ended != nil || err != nil {
			t.Fatal(ended, err)
		}
		if l, err = s.Take("client"); l == nil || err != nil {
			t.Fatal("not taken over", err)
		}
		if err := s.Keep("client", l); err != nil {
			t.Fatal(err)
		}
		f.handle(t, 2)
		if len(f.fds) != 1 {
			t.Fatalf("%d copies are stored", len(f.fds))
		}
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if conn.RemoteAddr().String() != waiting.LocalAddr().String() {
			t.Error("somebody else was accepted")
		}
		conn.Close()
		waiting.Close()
	}
	l.Close()
}

// What the configuration no longer wants must refuse at once, although the
// manager still holds a copy, and its address must be free.
func TestUnwantedListenerIsRetired(t *testing.T) {
	f, n := newFakeStore(t)
	client, monitor := listenLocal(t), listenLocal(t)
	before := NewStore(f.restart(t), n)
	if err := before.Keep("client", client); err != nil {
		t.Fatal(err)
	}
	if err := before.Keep("monitor", monitor); err != nil {
		t.Fatal(err)
	}
	f.handle(t, 4)
	client.Close()
	monitor.Close()
	s := NewStore(f.restart(t), n)
	ended, err := s.Retire(false, func(name string, _ net.Addr) bool { return name == "monitor" })
	if err != nil || len(ended) != 1 || ended[0].Name != "client" {
		t.Fatalf("ended %v, %v", ended, err)
	}
	if dials(client) {
		t.Error("the unwanted listener takes connections")
	}
	again, err := net.Listen("tcp", client.Addr().String())
	if err != nil {
		t.Fatalf("its address is not free: %v", err)
	}
	again.Close()
	if !dials(monitor) {
		t.Error("the wanted one was ended too")
	}
	f.handle(t, 1)
	if len(f.fds) != 1 || f.fds[0].Name != "stored.monitor" {
		t.Errorf("in the store: %v", f.fds)
	}
}

// Two copies of one socket: giving one up must not end the other.
func TestDuplicateCopies(t *testing.T) {
	f, n := newFakeStore(t)
	l := listenLocal(t)
	if err := NewStore(f.restart(t), n).Keep("client", l); err != nil {
		t.Fatal(err)
	}
	f.handle(t, 2)
	s := NewStore(f.restart(t, f.fds[0]), n)
	if ended, err := s.Retire(false, func(string, net.Addr) bool { return true }); ended != nil || err != nil {
		t.Fatal(ended, err)
	}
	taken, err := s.Take("client")
	if err != nil || taken == nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if more, _ := s.Take("client"); more != nil {
		t.Error("the second copy is still there")
	}
	if !dials(taken) {
		t.Error("the listener no longer listens")
	}
}

// Sockets of a socket unit are never the store's, and a unit without a store is
// sent nothing.
func TestStoreLeavesOthersAlone(t *testing.T) {
	f, n := newFakeStore(t)
	l := listenLocal(t)
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	env := f.restart(t, &Socket{Name: "client", fd: int(file.Fd())})
	env.HasStore = false
	s := NewStore(env, n)
	if _, err := s.Retire(false, func(string, net.Addr) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if env.Sockets.Len() != 1 || !dials(l) {
		t.Error("an activated socket was touched")
	}
	if err := s.Keep("client", l); err != nil {
		t.Fatal(err)
	}
	if _, _, err := unix.Recvfrom(f.fd, make([]byte, 1), unix.MSG_DONTWAIT); err != unix.EAGAIN {
		t.Errorf("a message was sent (%v)", err)
	}
	env.Sockets.Close()
}

func TestHasStore(t *testing.T) {
	for _, test := range []struct {
		fdstore, unit string
		want          bool
	}{
		{"", "", false},
		{"", "nats-broker.service", true}, // before systemd 254
		{"8", "", true},
		{"0", "nats-broker.service", false},
	} {
		got := hasStore(func(name string) string {
			return map[string]string{"FDSTORE": test.fdstore, "NATS_UNIT": test.unit}[name]
		})
		if got != test.want {
			t.Errorf("FDSTORE=%q NATS_UNIT=%q: %t", test.fdstore, test.unit, got)
		}
	}
}
