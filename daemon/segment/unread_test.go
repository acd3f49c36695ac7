package segment

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// refuse has reads of some files fail: opening them, or reading what is open.
func refuse(call sim.Call, cause error, which func(sim.Op) bool) func(sim.Op) sim.Fault {
	return func(o sim.Op) sim.Fault {
		if o.Call == call && which(o) {
			return sim.Fault{Err: cause}
		}
		return sim.Fault{}
	}
}

func segments(o sim.Op) bool { return o.Kind == vfs.Segment }

// TestNothingExpiresUnread: while files cannot be read nothing goes that is not too old, and when they can be read
// again what is too old goes.
func TestNothingExpiresUnread(t *testing.T) {
	w := makeRotten(t)
	third := ""
	for _, p := range w.places {
		if p.what == "record" && p.costs[0] > w.last/2 {
			third = p.file
			break
		}
	}
	faults := map[string]func(sim.Op) sim.Fault{
		"no descriptors": refuse(sim.Open, syscall.EMFILE, segments),
		"no memory":      refuse(sim.Read, syscall.ENOMEM, segments),
		"i/o":            refuse(sim.Read, syscall.EIO, segments),
		"i/o, one file":  refuse(sim.Read, syscall.EIO, func(o sim.Op) bool { return o.Name == third }),
		"i/o, pages":     refuse(sim.Read, syscall.EIO, func(o sim.Op) bool { return segments(o) && o.Off < 2000 }),
	}
	const age = 100
	for name, fault := range faults {
		for _, oldest := range []uint64{1, 5, w.last / 3, w.last / 2, w.last - 10, w.last + 1} {
			name := fmt.Sprintf("%s, from %d", name, oldest)
			disk := w.disk.Copy()
			var reports []Report
			l, err := Open(disk, "/log", rotOptions(&reports))
			if err != nil {
				t.Fatal(err)
			}
			now := int64(1000+oldest) + age - 1
			s, err := stream.Open(stream.Config{Name: "S", MaxAge: age}, l, stream.Key{}, now)
			if err != nil {
				t.Fatal(err)
			}
			l.node.Shrink(0)
			closeAll(l)
			disk.Hook(fault)
			l.Begin(1000)
			expire := func() {
				t.Helper()
				for range 100 {
					if _, ok := s.Expire(now); !ok {
						return
					}
					if _, _, err := s.Apply(); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
				t.Fatalf("%s: there is no end to what expires", name)
			}
			expire()
			if due := s.Due(); due != 0 && due <= now {
				t.Fatalf("%s: due at %d, and it is %d", name, due, now)
			}
			disk.Hook(nil)
			now += int64(time.Minute)
			var r stream.Record
			left := uint64(0)
			for seq, want := range w.want {
				if seq >= oldest {
					left++
					if err := l.Load(seq, &r); err != nil || string(r.Subject) != string(want.Subject) {
						t.Fatalf("%s: message %d is not too old: %v, %s", name, seq, err, r.Subject)
					}
				}
			}
			if st := l.State(); st.Msgs < left {
				t.Fatalf("%s: %+v, want at least %d messages", name, st, left)
			}
			expire()
			if st := l.State(); st.Msgs != 0 {
				t.Fatalf("%s: %+v, want nothing", name, st)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// closeAll closes the files that nobody uses.
func closeAll(l *Log) {
	for _, f := range l.files {
		f.rest()
	}
}

// TestWithheldIsNotLostForEver: what the disk did not give while the log was open is said to be lost, and asked for anew by
// the next start, even if a state was written in between.
func TestWithheldIsNotLostForEver(t *testing.T) {
	w := makeRotten(t)
	var reports []Report
	l, err := Open(w.disk, "/log", rotOptions(&reports))
	if err != nil {
		t.Fatal(err)
	}
	l.node.Shrink(0)
	closeAll(l)
	w.disk.Hook(refuse(sim.Read, syscall.EIO, segments))
	var r stream.Record
	for seq := range w.want {
		if err := l.Load(seq, &r); !errors.Is(err, stream.ErrUnreadable) {
			t.Fatalf("message %d: %v", seq, err)
		}
	}
	w.disk.Hook(nil)
	if len(l.Lost()) == 0 {
		t.Fatal("nothing was given, which is not said")
	}
	l.Begin(1000)
	if err := l.Append(&stream.Record{Seq: w.last + 1, Time: 5000, Subject: []byte("s.1.v")}); err != nil { // so that a state is written
		t.Fatal(err)
	}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = Open(w.disk, "/log", rotOptions(&reports)); err != nil {
		t.Fatal(err)
	}
	if lost := l.Lost(); len(lost) > 0 {
		t.Fatalf("the disk gives everything again, and lost are %v", lost)
	}
	for seq, want := range w.want {
		if err := l.Load(seq, &r); err != nil || string(r.Payload) != string(want.Payload) {
			t.Fatalf("message %d: %v", seq, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
