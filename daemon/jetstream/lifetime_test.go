package jetstream

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// clock moves a node's clocks: passed is time that passes, ahead a wall clock that is set.
type clock struct{ passed, ahead atomic.Int64 }

// node is a node that has the clock, on a disk; without one everything is in memory.
func (c *clock) node(t *testing.T, disk *sim.Disk) *node {
	t.Helper()
	dir := ""
	if disk != nil {
		dir = "/js"
	}
	s := newServer(t, dir)
	if disk != nil {
		s.fs = disk
	}
	c.of(s)
	return serve(t, s)
}

// of sets the clock of a server that is not started.
func (c *clock) of(s *Server) {
	read := s.ages.read
	s.ages.read = func() (int64, int64) {
		wall, steady := read()
		return wall + c.ahead.Load() + c.passed.Load(), steady + c.passed.Load()
	}
}

// killed is a node over a disk that is as after the sudden end of the process before.
func (c *clock) killed(n *node, disk *sim.Disk) (*node, *sim.Disk) {
	left := disk.Copy()
	n.stop()
	return c.node(n.t, left), left
}

// living publishes a message that says how long it lives.
func (n *node) living(subj, ttl string) uint64 {
	n.t.Helper()
	m := nats.NewMsg(subj)
	if ttl != "" {
		m.Header.Set("Nats-TTL", ttl)
	}
	return ok(n.js.PublishMsg(n.ctx, m)).Sequence
}

// due waits until a stream knows of all its messages, has it look for what is due, and returns how many messages it has then.
func (n *node) due(name string) uint64 {
	n.t.Helper()
	s := n.server.lookup("$G").stream(name)
	n.await("the messages that were there are looked at", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.machine.Behind()
	})
	s.expire()
	n.await("what is due is done", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		due := s.machine.Due()
		return s.machine.Pending() == 0 && (due == 0 || due > s.acc.srv.ages.now())
	})
	return ok(ok(n.js.Stream(n.ctx, name)).Info(n.ctx)).State.Msgs
}

// Messages go when they say so, also after sudden ends, and what has gone and left a mark does not come back.
func TestShortLivesOutliveTheProcess(t *testing.T) {
	disk := sim.New(1, sim.Options{Capacity: 1 << 30})
	var c clock
	n := c.node(t, disk)
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Storage: jetstream.FileStorage, SubjectDeleteMarkerTTL: 10 * time.Hour, AllowMsgTTL: true, MaxMsgsPerSubject: 1}))
	for i := range 30 {
		n.living(fmt.Sprintf("s.%d", i), fmt.Sprintf("%dh", 1+i/10))
		if i == 14 {
			n.server.Checkpoint() // some are in files, some in the journal
		}
	}
	holds := func(marks, messages int) {
		t.Helper()
		if got := n.due("S"); got != uint64(marks+messages) {
			t.Fatalf("%d messages; want %d", got, marks+messages)
		}
		s := ok(n.js.Stream(n.ctx, "S"))
		st := s.CachedInfo().State
		if st.LastSeq != uint64(30+marks) {
			t.Fatalf("%+v; want %d marks", st, marks)
		}
		for i := range 30 {
			m := ok(s.GetLastMsgForSubject(n.ctx, fmt.Sprintf("s.%d", i)))
			if reason := m.Header.Get("Nats-Marker-Reason"); (reason == "MaxAge") != (i < marks) {
				t.Fatalf("s.%d: %+v", i, m)
			}
		}
	}
	holds(0, 30)
	n, disk = c.killed(n, disk)
	holds(0, 30)
	c.passed.Store(int64(time.Hour + time.Minute))
	holds(10, 20)
	n, disk = c.killed(n, disk)
	holds(10, 20)
	c.passed.Store(int64(2*time.Hour + time.Minute))
	holds(20, 10)
	n.server.Checkpoint()
	n, _ = c.killed(n, disk)
	holds(20, 10)
}

// A stream in memory that is handed over has its messages go when they say so.
func TestShortLivesAreHandedOver(t *testing.T) {
	n := newNode(t)
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Storage: jetstream.MemoryStorage, AllowMsgTTL: true}))
	n.living("s.1", "1h")
	n.living("s.2", "")
	n.living("s.3", "never")
	var c clock
	n = n.nextBy("", c.of)
	if got := n.due("S"); got != 3 {
		t.Fatal(got)
	}
	c.passed.Store(int64(2 * time.Hour))
	if got := n.due("S"); got != 2 {
		t.Fatal(got)
	}
}

// While a jump of the clock is not followed no message goes for what it says, either.
func TestAClockThatJumpsEndsNoLife(t *testing.T) {
	var c clock
	n := c.node(t, nil)
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Storage: jetstream.MemoryStorage, AllowMsgTTL: true}))
	n.living("s.1", "1h")
	c.ahead.Store(int64(24 * time.Hour))
	if got := n.due("S"); got != 1 {
		t.Error("a message is gone since the clock was set")
	}
	c.passed.Store(int64(6 * time.Minute))
	n.server.ages.now()
	if got := n.due("S"); got != 0 {
		t.Error("the clock is not followed")
	}
}

// Nobody need touch a stream for its messages to go; nor is more decided than is while one that is used all the time waits for that.
func TestShortLivesEndByThemselves(t *testing.T) {
	n := newNodeIn(t, t.TempDir())
	for _, name := range []string{"idle", "busy"} {
		ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name + ".*"}, Storage: jetstream.FileStorage, AllowMsgTTL: true}))
		for range 10 {
			n.living(name+".1", "1s")
		}
	}
	messages := func(name string) uint64 { return ok(ok(n.js.Stream(n.ctx, name)).Info(n.ctx)).State.NumSubjects }
	for range 3000 { // about which time is not said
		ok(n.js.PublishAsync("busy.2", nil))
	}
	n.await("a stream that is used", func() bool {
		ok(n.js.Publish(n.ctx, "busy.2", nil))
		return messages("busy") == 1
	})
	n.await("a stream that nobody uses", func() bool { return messages("idle") == 0 })
	<-n.js.PublishAsyncComplete()
}
