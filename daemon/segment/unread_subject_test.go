package segment

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"syscall"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subjects"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// totals is what there is of a subject.
func (w *rotten) totals(subject string) (t stream.Totals) {
	for seq := uint64(1); seq <= w.last; seq++ {
		if r, there := w.want[seq]; there && string(r.Subject) == subject {
			if t.Msgs++; t.Msgs == 1 {
				t.First = seq
			}
			t.Last = seq
		}
	}
	return t
}

// unreadFaults are the ways in which files of a kind cannot be read.
func unreadFaults(of func(string) bool) map[string]func(sim.Op) sim.Fault {
	return map[string]func(sim.Op) sim.Fault{
		"no descriptors": on(syscall.EMFILE, of, sim.Open),
		"a wrong mode":   on(syscall.EACCES, of, sim.Open),
		"no memory":      on(syscall.ENOMEM, of, sim.Read),
		"i/o":            on(syscall.EIO, of, sim.Read),
	}
}

func ext(e string) func(string) bool { return func(name string) bool { return path.Ext(name) == e } }

// TestSubjectUnread: while files cannot be read, a subject is not taken for one without messages, by nobody, and nothing of
// it is remembered.
func TestSubjectUnread(t *testing.T) {
	w := makeRotten(t)
	for name, fault := range unreadFaults(ext(".seg")) {
		disk := w.disk.Copy()
		var reports []Report
		l := openRotten(t, disk, &reports)
		s, err := stream.Open(stream.Config{Name: "S", MaxMsgsPerSubject: 1000}, l, stream.Key{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		l.node.Shrink(0)
		closeAll(l)
		disk.Hook(fault)
		l.Begin(1000)
		now := !errors.Is(fault(sim.Op{Call: sim.Read, Name: "x.seg"}).Err, syscall.EIO)
		asked := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, stream.ErrUnreadable) || errors.Is(err, stream.ErrNotNow) != now {
				t.Fatalf("%s: %s: %v", name, what, err)
			}
		}
		for i := range 5 {
			subject := fmt.Sprintf("s.%d.v", i)
			_, err := l.Subject([]byte(subject))
			asked("subject", err)
			expect := stream.Record{Subject: []byte(subject), Header: []byte("NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 0\r\n\r\n")}
			if v := s.Accept(&expect, nil, 1e9); v.Reason != stream.Unread {
				t.Fatalf("%s: accepted as the first one on its subject: %+v", name, v)
			}
			if seq, ok := l.Prev(w.last, subjects.NewFilter(subject)); !ok || seq == 0 {
				t.Fatalf("%s: there is no last message on %s", name, subject)
			}
			if err := l.Append(&stream.Record{Seq: w.last + 1, Subject: []byte(subject)}); err == nil {
				t.Fatalf("%s: appended", name)
			}
		}
		asked("subjects", l.Subjects(nil, func([]byte, stream.Totals) bool { return true }))
		disk.Hook(nil)
		for i := range 5 {
			subject := fmt.Sprintf("s.%d.v", i)
			if got, err := l.Subject([]byte(subject)); err != nil || got != w.totals(subject) {
				t.Fatalf("%s: afterwards: %s has %+v, %v; want %+v", name, subject, got, err, w.totals(subject))
			}
		}
		if err := l.Append(&stream.Record{Seq: w.last + 1, Subject: []byte("s.1.v")}); err != nil {
			t.Fatalf("%s: afterwards: %v", name, err)
		}
		if err := s.Configure(stream.Config{Name: "S", MaxMsgsPerSubject: 2}); err != nil {
			t.Fatalf("%s: afterwards: %v", name, err)
		}
		if got, err := l.Subject([]byte("s.1.v")); err != nil || got.Msgs != 2 || got.Last != w.last+1 || got.First != w.totals("s.1.v").Last {
			t.Fatalf("%s: two messages of a subject are kept: %+v, %v", name, got, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPurgeUnread: what cannot be read is not purged with the subject of something else.
func TestPurgeUnread(t *testing.T) {
	w := makeRotten(t)
	for name, fault := range unreadFaults(ext(".seg")) {
		disk := w.disk.Copy()
		var reports []Report
		l := openRotten(t, disk, &reports)
		s, err := stream.Open(stream.Config{Name: "S"}, l, stream.Key{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		l.node.Shrink(0)
		closeAll(l)
		disk.Hook(fault)
		l.Begin(1000)
		s.Purge("s.1.v", 0, 0)
		_, res, err := s.Apply()
		if err == nil && !errors.Is(fault(sim.Op{Call: sim.Read, Name: "x.seg"}).Err, syscall.EIO) {
			t.Fatalf("%s: purged %+v", name, res)
		}
		disk.Hook(nil)
		var r stream.Record
		for seq, want := range w.want {
			if err := l.Load(seq, &r); string(want.Subject) != "s.1.v" && err != nil {
				t.Fatalf("%s: message %d on %s: %v", name, seq, want.Subject, err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDeletionsUnread: while deletions cannot be read nothing that was removed is there, nor is what was not said to
// be gone; when they can be read all is as it was, also for the next start.
func TestDeletionsUnread(t *testing.T) {
	w := makeRotten(t)
	for name, fault := range unreadFaults(ext(".del")) {
		disk := w.disk.Copy()
		var reports []Report
		l := openRotten(t, disk, &reports)
		if !slices.ContainsFunc(l.runs, func(r *run) bool { return r.unread }) {
			t.Fatal("the test wants deletions on the disk")
		}
		disk.Hook(fault)
		before := l.State().Msgs
		var r stream.Record
		for seq := uint64(1); seq <= w.last; seq++ {
			_, there := w.want[seq]
			err := l.Load(seq, &r)
			if !there && err == nil || there && errors.Is(err, stream.ErrNoMessage) {
				t.Fatalf("%s: message %d: %v; was there: %v", name, seq, err, there)
			}
			if next, ok := l.Next(seq, nil); there && (!ok || next > seq) {
				t.Fatalf("%s: Next(%d) passes over it to %d", name, seq, next)
			}
			if prev, ok := l.Prev(seq, nil); there && (!ok || prev < seq) {
				t.Fatalf("%s: Prev(%d) passes over it to %d", name, seq, prev)
			}
		}
		l.Holes(func(g stream.Range) bool {
			for seq := g.From; seq <= g.To; seq++ {
				if _, there := w.want[seq]; there {
					t.Fatalf("%s: message %d is said to be deleted", name, seq)
				}
			}
			return true
		})
		if _, err := l.Subject([]byte("s.1.v")); !errors.Is(err, stream.ErrUnreadable) {
			t.Fatalf("%s: subject: %v", name, err)
		}
		l.Begin(1000)
		if err := errors.Join(l.Skip(w.last+1), l.Sync()); err != nil { // a state is written meanwhile
			t.Fatalf("%s: %v", name, err)
		}
		if now := l.State().Msgs; now != before {
			t.Fatalf("%s: %d messages, and %d before", name, now, before)
		}
		disk.Hook(nil)
		for _, again := range []string{"afterwards", "after a start"} {
			for seq := uint64(1); seq <= w.last; seq++ {
				if _, there := w.want[seq]; there != (l.Load(seq, &r) == nil) {
					t.Fatalf("%s: %s: message %d was there: %v", name, again, seq, there)
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = openRotten(t, disk, &reports)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func openRotten(t *testing.T, disk *sim.Disk, reports *[]Report) *Log {
	t.Helper()
	l, err := Open(disk, "/log", rotOptions(reports))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestKnowsReadsNothing: a subject in the table is known, also where only a bound of its first message is.
func TestKnowsReadsNothing(t *testing.T) {
	w := makeRotten(t)
	var reports []Report
	l := openRotten(t, w.disk, &reports)
	name := []byte("s.1.v")
	before, err := l.Subject(name)
	if err != nil {
		t.Fatal(err)
	}
	l.Begin(1000)
	if _, err := l.Remove(before.First); err != nil {
		t.Fatal(err)
	}
	l.node.Shrink(0)
	closeAll(l)
	w.disk.Hook(on(syscall.ENOMEM, ext(".seg"), sim.Open, sim.Read))
	if err := l.Knows(name); err != nil {
		t.Error(err)
	}
	if err := l.Knows([]byte("s.2.v")); !errors.Is(err, stream.ErrNotNow) {
		t.Errorf("knows of what it has not looked for: %v", err)
	}
	w.disk.Hook(nil)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
