package handover

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// connections makes n connected sockets of which one end is given as a descriptor.
func connections(t *testing.T, n int) (fds []int, peers []net.Conn) {
	t.Helper()
	for range n {
		two, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(two[1]), "peer")
		peer, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { peer.Close() })
		fds, peers = append(fds, two[0]), append(peers, peer)
	}
	return fds, peers
}

func packed(t *testing.T, fds []int, text string) *Parcel {
	t.Helper()
	p, full, err := Pack(fds, func(n int, to io.Writer) error {
		if n != len(fds) {
			t.Errorf("%d of %d parked", n, len(fds))
		}
		_, err := io.WriteString(to, text)
		return err
	})
	if err != nil || full != nil {
		t.Fatal(err, full)
	}
	for _, fd := range fds { // those in the parcel are left
		unix.Close(fd)
	}
	return p
}

// hungUp reports whether the other end of a connection is closed.
func hungUp(peer net.Conn) bool {
	peer.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err := peer.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

// More descriptors than one message holds come out in the order in which they went in,
// as often as somebody takes them before they are served.
func TestParcelKeepsOrder(t *testing.T) {
	const n = 2*PerMessage + 7
	fds, peers := connections(t, n)
	p := packed(t, fds, "state")
	defer p.Close()
	if err := p.Open(); err != nil {
		t.Fatal(err)
	}
	if string(p.Body()) != "state" || p.Stale() {
		t.Errorf("state %q, %s old", p.Body(), p.Age())
	}
	for round := range 2 {
		got, err := p.Take()
		if err != nil || len(got) != n {
			t.Fatalf("%d descriptors: %v", len(got), err)
		}
		for i, fd := range got {
			if _, err := unix.Write(fd, []byte{byte(i)}); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 1)
			if _, err := io.ReadFull(peers[i], b); err != nil || b[0] != byte(i) {
				t.Fatalf("descriptor %d leads elsewhere: %v", i, err)
			}
		}
		if round == 0 {
			if err := p.Return(got); err != nil {
				t.Fatal(err)
			}
		}
		for _, fd := range got {
			unix.Close(fd)
		}
	}
	if err := p.Void(); err != nil {
		t.Fatal(err)
	}
	if err := p.Empty(); err != nil {
		t.Fatal(err)
	}
	for _, peer := range peers {
		if !hungUp(peer) {
			t.Fatal("a connection stays open")
		}
	}
}

// duplicate is what another process has of a parcel.
func duplicate(t *testing.T, p *Parcel) *Parcel {
	t.Helper()
	var files []*os.File
	for _, f := range []*os.File{p.In, p.Out, p.State} {
		fd, err := descriptor(f)
		if err == nil {
			fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, os.NewFile(uintptr(fd), "duplicate"))
	}
	return &Parcel{In: files[0], Out: files[1], State: files[2]}
}

// A process that ends before it serves what it has taken leaves it to the next; one that
// ends later does not, even if nobody has removed the parcel from where it was kept.
func TestParcelOfOneWhoEnds(t *testing.T) {
	const n = PerMessage + 3
	fds, peers := connections(t, n)
	store := packed(t, fds, "state")
	defer store.Close()
	for range 2 { // that end too early
		p := duplicate(t, store)
		if err := p.Open(); err != nil {
			t.Fatal(err)
		}
		got, err := p.Take()
		if err != nil || len(got) != n {
			t.Fatalf("%d descriptors: %v", len(got), err)
		}
		letGo(got)
		p.Close()
	}
	p := duplicate(t, store)
	if err := p.Open(); err != nil {
		t.Fatal(err)
	}
	got, err := p.Take()
	if err != nil || len(got) != n {
		t.Fatalf("%d descriptors: %v", len(got), err)
	}
	if err := p.Void(); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(got[n-1], []byte{1}); err != nil { // it serves, and ends
		t.Fatal(err)
	}
	letGo(got)
	p.Close()
	late := duplicate(t, store)
	if err := late.Open(); !errors.Is(err, ErrVoid) {
		t.Errorf("opened after it was served: %v", err)
	}
	if n := late.Discard(); n != len(peers) {
		t.Errorf("%d discarded", n)
	}
	if _, err := peers[n-1].Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	for _, peer := range peers {
		if !hungUp(peer) {
			t.Fatal("a connection stays open")
		}
	}
}

// What nobody takes is closed: by Discard although somebody else has copies, and
// otherwise when the last who holds the parcel lets go.
func TestParcelLetsGo(t *testing.T) {
	fds, peers := connections(t, 3)
	p := packed(t, fds, "")
	copied, err := unix.Dup(int(p.Out.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(copied)
	if n := p.Discard(); n != 3 {
		t.Errorf("%d discarded", n)
	}
	for _, peer := range peers {
		if !hungUp(peer) {
			t.Error("a connection stays open after Discard")
		}
	}
	fds, peers = connections(t, 3)
	packed(t, fds, "").Close()
	for _, peer := range peers {
		if !hungUp(peer) {
			t.Error("a connection stays open after Close")
		}
	}
}

// A state that is not as it was written is refused, and connections with it.
func TestDamagedParcel(t *testing.T) {
	written := func() []byte {
		f, err := writeState(1, func(w io.Writer) error { _, err := w.Write([]byte("some state")); return err })
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b := make([]byte, envelopeSize+10)
		if _, err := f.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		return b
	}
	if s, err := parseState(written()); err != nil || string(s.body) != "some state" || s.count != 1 {
		t.Fatalf("%+v: %v", s, err)
	}
	for name, damage := range map[string]func([]byte) []byte{
		"cut off":          func(b []byte) []byte { return b[:len(b)-1] },
		"grown":            func(b []byte) []byte { return append(b, 0) },
		"a bit":            func(b []byte) []byte { b[envelopeSize+3] ^= 1; return b },
		"another magic":    func(b []byte) []byte { b[0] = 'X'; return b },
		"a newer format":   func(b []byte) []byte { b[12] = Version + 1; return b },
		"no version":       func(b []byte) []byte { b[8] = 0; return b },
		"less than a head": func(b []byte) []byte { return b[:20] },
	} {
		if _, err := parseState(damage(written())); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	newer := written()
	newer[8] = Version + 1 // but readable for us
	if _, err := parseState(newer); err != nil {
		t.Errorf("a newer version that we can read: %v", err)
	}
	// A file that can still be changed is none of ours.
	fd, err := unix.MemfdCreate("open", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "open")
	defer f.Close()
	f.Write(written())
	if _, err := readState(f); !errors.Is(err, ErrState) {
		t.Errorf("not sealed: %v", err)
	}
	// Another number of descriptors than the state is about.
	fds, peers := connections(t, 2)
	p := packed(t, fds, "")
	defer p.Close()
	if err := p.Open(); err != nil {
		t.Fatal(err)
	}
	p.state.count = 1
	if _, err := p.Take(); !errors.Is(err, ErrState) {
		t.Errorf("one too many: %v", err)
	}
	p.Discard()
	for _, peer := range peers {
		if !hungUp(peer) {
			t.Error("a connection stays open")
		}
	}
}

// A state cannot be changed by anybody who has it.
func TestStateIsSealed(t *testing.T) {
	f, err := writeState(0, func(w io.Writer) error { _, err := w.Write(bytes.Repeat([]byte("x"), 1<<20)); return err })
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("y"), 100); err == nil {
		t.Error("it can be written to")
	}
	if err := f.Truncate(10); err == nil {
		t.Error("it can be cut")
	}
	s, err := readState(f)
	if err != nil || len(s.body) != 1<<20 {
		t.Fatal(err)
	}
	s.close()
}

func FuzzParseState(f *testing.F) {
	f.Add([]byte{})
	good := make([]byte, envelopeSize)
	copy(good, magic)
	good[8], good[12] = Version, oldestReader
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseState(b); err == nil && len(s.body) != len(b)-envelopeSize {
			t.Errorf("%d bytes of %d", len(s.body), len(b))
		}
	})
}
