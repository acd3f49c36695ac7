package sysd

import (
	"io"
	"net"
	"os"
	"testing"
)

// What is left under a name reaches the next process, the latest of it only, and is no
// listener to be retired; forgotten, it reaches nobody.
func TestLeftReachesNextProcess(t *testing.T) {
	f, n := newFakeStore(t)
	env := &Environment{NotifySocket: f.path, HasStore: true, Sockets: &Sockets{}}
	s := NewStore(env, n)
	leave := func(text string) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if err := s.Leave("state", r); err != nil {
			t.Fatal(err)
		}
		f.handle(t, 2) // what was there is removed first
	}
	leave("old")
	leave("new")
	next := NewStore(f.restart(t), n)
	if ended, err := next.Retire(false, nil); ended != nil || err != nil {
		t.Errorf("retired %v: %v", ended, err)
	}
	if next.TakeLeft("other") != nil {
		t.Error("something was left under another name")
	}
	got := next.TakeLeft("state")
	if got == nil {
		t.Fatal("nothing was left")
	}
	defer got.Close()
	if text, err := io.ReadAll(got); err != nil || string(text) != "new" {
		t.Errorf("%q: %v", text, err)
	}
	if next.TakeLeft("state") != nil {
		t.Error("it can be taken twice")
	}
	if err := next.Forget("state"); err != nil {
		t.Fatal(err)
	}
	f.handle(t, 1)
	if NewStore(f.restart(t), n).TakeLeft("state") != nil {
		t.Error("what was forgotten comes back")
	}
}

// Without a manager nothing is sent, and the listeners are known for a handover by hand.
func TestKeptWithoutManager(t *testing.T) {
	s := NewStore(&Environment{Sockets: &Sockets{}}, &Notifier{})
	l := listenLocal(t)
	if err := s.Keep("client", l); err != nil || s.Usable() {
		t.Errorf("usable %v, %v", s.Usable(), err)
	}
	if list := s.kept["client"]; len(list) != 1 || list[0] != l {
		t.Errorf("kept %v", list)
	}
	if err := s.Keep("client"); err != nil || len(s.kept["client"]) != 0 {
		t.Errorf("still kept %v: %v", s.kept, err)
	}
}

// What another process has handed over and is not wanted goes on listening until this one serves: should it fail, the
// other one has it still.
func TestRetireLater(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	s := NewStore(&Environment{Sockets: &Sockets{}}, nil)
	if err := s.Offer("monitor", f); err != nil {
		t.Fatal(err)
	}
	ended, err := s.Retire(true, func(string, net.Addr) bool { return false })
	if err != nil || len(ended) != 1 || len(s.Retired()) != 1 {
		t.Fatalf("%v, %v, %v", ended, s.Retired(), err)
	}
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("it ended at once: %v", err)
	}
	nc.Close()
	s.EndRetired()
	if nc, err := net.Dial("tcp", l.Addr().String()); err == nil {
		nc.Close()
		t.Error("it listens still, though we hold no copy that is served")
	}
	if len(s.Retired()) != 0 {
		t.Error("it is still the store's")
	}
}
