package segment

import (
	"errors"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/vfs"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// on has calls fail that are for files whose name passes.
func on(cause error, name func(string) bool, calls ...sim.Call) func(sim.Op) sim.Fault {
	return func(o sim.Op) sim.Fault {
		if slices.Contains(calls, o.Call) && name(o.Name) {
			return sim.Fault{Err: cause}
		}
		return sim.Fault{}
	}
}

func named(names ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(names, s) }
}

// names lists what is in a folder.
func (w *rotten) names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := w.disk.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name)
	}
	return list
}

// refusesToOpen opens the log while the disk fails: that is an error, and changes nothing.
func (w *rotten) refusesToOpen(t *testing.T, cause error, fault func(sim.Op) sim.Fault) {
	t.Helper()
	before := w.names(t, "/log")
	w.disk.Hook(fault)
	var reports []Report
	_, err := Open(w.disk, "/log", rotOptions(&reports))
	w.disk.Hook(nil)
	if !errors.Is(err, cause) {
		t.Fatalf("opened: %v; reported %+v", err, reports)
	}
	if after := w.names(t, "/log"); !slices.Equal(before, after) {
		t.Fatalf("in the folder are %v, and were %v", after, before)
	}
}

// TestStateUnread: a state that the disk does not give is not one that is gone. The log is not made anew, and what was
// purged does not come back.
func TestStateUnread(t *testing.T) {
	w := makeRotten(t)
	var reports []Report
	l, err := Open(w.disk, "/log", rotOptions(&reports))
	if err != nil {
		t.Fatal(err)
	}
	l.Begin(100)
	purged := l.runs[1].first + 1 // a whole run goes, and a piece of the next one
	if err := errors.Join(l.Truncate(purged), l.Sync(), l.Close()); err != nil {
		t.Fatal(err)
	}
	for seq := range w.want {
		if seq < purged {
			delete(w.want, seq)
		}
	}
	state := named("/log/state")
	w.refusesToOpen(t, syscall.EIO, on(syscall.EIO, state, sim.Read))
	w.refusesToOpen(t, syscall.EACCES, on(syscall.EACCES, state, sim.Open))
	w.refusesToOpen(t, syscall.EMFILE, on(syscall.EMFILE, state, sim.Open))
	for half := range int64(2) {
		e, err := w.disk.Stat("/log/state")
		if err != nil {
			t.Fatal(err)
		}
		w.disk.Hook(func(o sim.Op) sim.Fault { // the sector cannot be read
			if bad := half * e.Size / 2; o.Call == sim.Read && o.Name == "/log/state" && o.Off <= bad && bad < o.Off+o.Len {
				return sim.Fault{Err: syscall.EIO}
			}
			return sim.Fault{}
		})
		reports = nil
		l, err := Open(w.disk, "/log", rotOptions(&reports))
		w.disk.Hook(nil)
		if err != nil {
			t.Fatalf("half %d: %v", half, err)
		}
		if len(reports) != 1 || !errors.Is(reports[0].Err, syscall.EIO) {
			t.Fatalf("half %d: reported %+v", half, reports)
		}
		w.check(t, "one half", l, nil)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRebuildUnread: while a log is made anew from its files, one that cannot be read ends that, and nothing has moved.
func TestRebuildUnread(t *testing.T) {
	w := makeRotten(t)
	if err := w.disk.Remove("/log/state"); err != nil {
		t.Fatal(err)
	}
	before := w.madeAnew(t, w.disk.Copy())
	for _, e := range w.names(t, "/log") {
		file := named("/log/" + e)
		w.refusesToOpen(t, syscall.EIO, on(syscall.EIO, file, sim.Read))
		w.refusesToOpen(t, syscall.EMFILE, on(syscall.EMFILE, file, sim.Open))
	}
	if after := w.madeAnew(t, w.disk); !slices.Equal(before, after) || len(before) < len(w.want)/2 {
		t.Fatalf("made anew it holds %v, and would have held %v", after, before)
	}
}

// madeAnew opens a log without a state and returns the sequences that it holds.
func (w *rotten) madeAnew(t *testing.T, disk *sim.Disk) (seqs []uint64) {
	t.Helper()
	var reports []Report
	l, err := Open(disk, "/log", rotOptions(&reports))
	if err != nil {
		t.Fatal(err)
	}
	var r stream.Record
	for seq := uint64(1); seq <= w.last; seq++ {
		switch err := l.Load(seq, &r); {
		case err == nil && string(r.Payload) == string(w.want[seq].Payload):
			seqs = append(seqs, seq)
		case !errors.Is(err, stream.ErrNoMessage):
			t.Fatalf("message %d: %v, %+v", seq, err, r)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return seqs
}

// TestQuarantineKeepsWhatIsThere: where the disk does not say whether a name in quarantine is free, nothing is moved onto it.
func TestQuarantineKeepsWhatIsThere(t *testing.T) {
	for _, cause := range []error{syscall.EIO, syscall.EACCES} {
		w := makeRotten(t)
		spoil := func() {
			e, err := w.disk.Stat("/log/state")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(w.disk.Flip("/log/state", 8*20), w.disk.Flip("/log/state", 8*(e.Size/2+20))); err != nil {
				t.Fatal(err)
			}
		}
		spoil()
		var reports []Report
		if err := openRotten(t, w.disk, &reports).Close(); err != nil { // once it is made anew
			t.Fatal(err)
		}
		kept := w.contents(t, "/log/quarantine")
		spoil()
		w.refusesToOpen(t, cause, on(cause, func(name string) bool { return strings.HasPrefix(name, "/log/quarantine/") }, sim.Stat))
		if err := openRotten(t, w.disk, &reports).Close(); err != nil {
			t.Fatal(err)
		}
		for name, text := range kept {
			if now := w.contents(t, "/log/quarantine"); now[name] != text {
				t.Errorf("%v: %s in quarantine is another", cause, name)
			}
		}
	}
}

// contents reads the files of a folder.
func (w *rotten) contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range w.names(t, dir) {
		b, err := vfs.ReadFile(w.disk, path.Join(dir, name), vfs.Other, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(b)
	}
	return all
}
