package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/handover"
	"github.com/nats-broker/nats-broker/daemon/monitor"
	"github.com/nats-broker/nats-broker/daemon/sysd"
)

// toyPart has all that a part may have: it listens, counts, is well or not, leaves, and
// hands on a lock with what it knows. It is in no list but that of the parts.
type toyPart struct {
	d *Daemon
	openSockets
	port int

	lock    *os.File
	settled bool
	left    bool
	got     string
	refuses error
}

var (
	_ listens = (*toyPart)(nil)
	_ counts  = (*toyPart)(nil)
	_ checked = (*toyPart)(nil)
	_ leaves  = (*toyLeaver)(nil)
	_ handsOn = (*toyPart)(nil)
)

// toyLeaver is a part that does nothing but leave in lame duck mode.
type toyLeaver struct {
	toyPart
	told bool
}

func (p *toyLeaver) lameDuck() { p.told = true }

func (p *toyPart) name() string    { return "toy" }
func (p *toyPart) section() string { return "toy" }
func (p *toyPart) kinds() []string { return []string{"toy"} }

func (p *toyPart) place() place {
	return place{"toy", "toy_port", "toy", "", endpoint{"127.0.0.1", p.port}}
}

func (p *toyPart) places(*config.Options) []place { return []place{p.place()} }

func (p *toyPart) start(*config.Config) error {
	list, err := p.d.occupy(p.place(), func() (net.Listener, error) { return p.place().at.open() })
	p.set(list...)
	return err
}

func (p *toyPart) prepare(_, _ *config.Config) (*change, error) { return nil, nil }

func (p *toyPart) stop() {
	for _, l := range p.listening() {
		l.listener.Close()
	}
	p.set()
	if p.lock != nil {
		p.lock.Close()
	}
}

func (p *toyPart) count(t *control.Traffic) { t.InMsgs += 1000 }
func (p *toyPart) checks() []monitor.Check {
	return []monitor.Check{{Name: "toy", OK: true, Detail: "plays"}}
}

func (p *toyPart) settle(context.Context) { p.settled = true }

func (p *toyPart) leave() (*section, error) {
	p.left = true
	fd, err := unix.FcntlInt(p.lock.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &section{[]byte("it was here"), []*os.File{os.NewFile(uintptr(fd), "lock")}}, nil
}

func (p *toyPart) take(s *section) error {
	if s == nil {
		return nil
	}
	p.got = string(s.state)
	if p.refuses != nil {
		s.close()
		return p.refuses
	}
	p.lock = s.files[0]
	return nil
}

// withParts is a daemon with further parts, before anything has started.
func withParts(t *testing.T, add ...part) *Daemon {
	t.Helper()
	inv, err := config.ParseArgs([]string{"-a", "127.0.0.1", "-p", "-1", "-l", "/dev/null"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(Params{Identity: IdentityFor("nats-broker", Build{Version: "test"}), Invocation: inv, System: &sysd.Environment{Sockets: &sysd.Sockets{}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.watcher.Stop()
		d.logs.Close()
		d.trap.release()
	})
	d.parts = append(d.parts, add...)
	return d
}

func (d *Daemon) startAll(t *testing.T) {
	t.Helper()
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	d.setState(stateRunning)
	t.Cleanup(func() {
		for _, p := range reversed(d.parts[1:]) {
			p.stop()
		}
	})
}

// A part that listens, counts and leaves is seen wherever such parts are seen.
func TestToyPartIsSeen(t *testing.T) {
	toy, leaver := &toyPart{port: -1}, &toyLeaver{}
	leaver.port = -1
	d := withParts(t, toy, leaver)
	toy.d, leaver.d = d, d
	d.startAll(t)
	at := toy.listening()[0].listener.Addr()
	if list := d.listeners(); !slices.Contains(list, control.Listener{Name: "toy", Addr: at.String()}) {
		t.Errorf("status lists %+v", list)
	}
	if p := d.ports()["toy"]; !slices.Contains(p, "toy://"+at.String()) {
		t.Errorf("the ports file says %v", p)
	}
	if n := d.traffic().InMsgs; n != 2000 {
		t.Errorf("%d messages are counted", n)
	}
	if list := d.checks(); !slices.Contains(list, monitor.Check{Name: "toy", OK: true, Detail: "plays"}) {
		t.Errorf("health says %+v", list)
	}
	if err := d.drain(); err != nil {
		t.Fatal(err)
	}
	<-d.drained()
	if !leaver.told {
		t.Error("it was not told of lame duck mode")
	}
}

// What a part listens on and leaves is the next process's, with the lock never let go;
// the connections of clients, in the same parcel, are the core's.
func TestToyPartHandsOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	for _, c := range []struct {
		name    string
		refuses error
		idle    bool // the next process has no such part
	}{{name: "taken"}, {name: "refused", refuses: errors.New("unreadable")}, {name: "not there", idle: true}} {
		t.Run(c.name, func(t *testing.T) {
			toy := &toyPart{port: -1}
			old := withParts(t, toy)
			toy.d = old
			var err error
			if toy.lock, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := unix.Flock(int(toy.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
				t.Fatal(err)
			}
			old.startAll(t)
			at := toy.listening()[0].listener.Addr().String()
			client, err := net.Dial("tcp", old.core.current()[0].addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			for end := time.Now().Add(20 * time.Second); old.broker.NumClients() == 0; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the client does not come")
				}
			}

			u := &upgrade{}
			old.succession.upgrade = u
			old.bringToRest()
			old.core.stop() // leaves
			toy.stop()
			if !toy.settled || !toy.left || !slices.ContainsFunc(u.sections, func(s leftSection) bool { return s.name == "toy" }) {
				t.Fatalf("settled %v, left %v, sections %+v", toy.settled, toy.left, u.sections)
			}
			parcel, err := old.pack(u.leaving, u.sections)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range u.sections {
				s.close()
			}
			other, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			locked := func() bool {
				if unix.Flock(int(other.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
					return true
				}
				return unix.Flock(int(other.Fd()), unix.LOCK_UN) != nil
			}
			if !locked() {
				t.Error("the lock was let go on the way")
			}

			next := &toyPart{port: -1, refuses: c.refuses}
			var parts []part
			if !c.idle {
				parts = append(parts, next)
			}
			d := withParts(t, parts...)
			next.d = d
			d.succession.parcel = parcel
			if err := parcel.Open(); err != nil {
				t.Fatal(err)
			}
			if err := d.broker.Adopt(parcel.Body()); err != nil {
				t.Fatal(err)
			}
			for _, l := range u.listeners {
				if err := d.stored.Offer(l.Name, l.File); err != nil {
					t.Fatal(err)
				}
			}
			d.startAll(t)
			d.resume()
			if n := d.broker.NumClients(); n != 1 {
				t.Errorf("%d connections are the core's", n)
			}
			if want := c.refuses == nil && !c.idle; locked() != want {
				t.Errorf("the lock is held: %v", !want)
			}
			if c.idle {
				return
			}
			if next.got != "it was here" {
				t.Errorf("the next one got %q", next.got)
			}
			if got := next.listening()[0].listener.Addr().String(); got != at {
				t.Errorf("it listens on %s instead of %s", got, at)
			}
		})
	}
}

// A section whose descriptors found no place is not given to anybody.
func TestSectionWithoutItsDescriptors(t *testing.T) {
	toy := &toyPart{port: -1}
	d := withParts(t, toy)
	toy.d = d
	if err := d.giveSections([]sectionRecord{{name: "toy", state: []byte("x"), files: 1}}, nil); err != nil || toy.got != "" {
		t.Errorf("got %q, %v", toy.got, err)
	}
	d.succession.line = &handover.Line{}
	if err := d.giveSections([]sectionRecord{{name: "toy", state: []byte("x"), files: 1}}, nil); err == nil {
		t.Error("another process could go on, and is not told")
	}
	d.succession.line = nil
}
