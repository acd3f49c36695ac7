package jetstream

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// schedule publishes a schedule with a target.
func (n *node) schedule(subj, when, target string) {
	n.t.Helper()
	m := nats.NewMsg(subj)
	m.Header.Set("Nats-Schedule", when)
	m.Header.Set("Nats-Schedule-Target", target)
	ok(n.js.PublishMsg(n.ctx, m))
}

// sent returns how many messages a schedule has sent that are there, and takes them away.
func (n *node) sent(name, target string) uint64 {
	n.t.Helper()
	n.due(name)
	s := ok(n.js.Stream(n.ctx, name))
	count := ok(s.Info(n.ctx, jetstream.WithSubjectFilter(target))).State.Subjects[target]
	ok(0, s.Purge(n.ctx, jetstream.WithPurgeSubject(target)))
	return count
}

// Schedules are due when they say so, over sudden ends and hand-overs, also where nothing is left of what they have sent; what is
// missed comes once.
func TestSchedulesOutliveTheProcess(t *testing.T) {
	var c clock
	disk := sim.New(1, sim.Options{Capacity: 1 << 30})
	nodes := map[jetstream.StorageType]*node{jetstream.FileStorage: c.node(t, disk), jetstream.MemoryStorage: c.node(t, nil)}
	for storage, n := range nodes {
		ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Storage: storage, AllowMsgSchedules: true}))
		n.schedule("s.often", "@every 1h", "s.to")
		n.schedule("s.once", "@at "+time.Now().Add(270*time.Minute).Format(time.RFC3339), "s.at")
	}
	renew := func(sync bool) {
		n := nodes[jetstream.FileStorage]
		if sync {
			n.server.Checkpoint()
		}
		nodes[jetstream.FileStorage], disk = c.killed(n, disk)
		nodes[jetstream.MemoryStorage] = nodes[jetstream.MemoryStorage].nextBy("", c.of)
	}
	for i, step := range []struct {
		minutes     int64 // since the begin
		often, once uint64
		sync        bool
	}{
		{30, 0, 0, true}, {61, 1, 0, false}, {90, 0, 0, true}, {119, 0, 0, false}, {122, 1, 0, true}, {150, 0, 0, false}, {175, 0, 0, false}, {250, 1, 0, false}, {251, 0, 0, true}, {275, 0, 1, false}, {300, 0, 0, false}, {320, 1, 0, true},
		{900, 1, 0, true},
	} {
		c.passed.Store(step.minutes * int64(time.Minute))
		for storage, n := range nodes {
			if often, once := n.sent("S", "s.to"), n.sent("S", "s.at"); often != step.often || once != step.once {
				t.Fatalf("step %d, %v: %d and %d messages; want %d and %d", i, storage, often, once, step.often, step.once)
			}
		}
		renew(step.sync)
	}
	for storage, n := range nodes {
		if st := ok(n.js.Stream(n.ctx, "S")).CachedInfo().State; st.Msgs != 1 {
			t.Errorf("%v: %+v", storage, st)
		}
	}
}

// The times of an account that nobody has taken yet are kept, too.
func TestSchedulesOfAnAbsentAccount(t *testing.T) {
	var c clock
	disk := sim.New(1, sim.Options{Capacity: 1 << 30})
	n := c.node(t, disk)
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Storage: jetstream.FileStorage, AllowMsgSchedules: true}))
	n.schedule("s.often", "@every 1h", "s.to")
	c.passed.Store(int64(61 * time.Minute))
	if got := n.sent("S", "s.to"); got != 1 {
		t.Fatal(got)
	}
	left := disk.Copy()
	n.stop()
	for range 2 {
		s := newServer(t, "/js")
		s.fs = left
		o := *s.options()
		o.Accounts = nil
		s.opts.Store(&o)
		absent := serve(t, s)
		absent.server.Checkpoint()
		next := left.Copy()
		absent.stop()
		left = next
	}
	n = c.node(t, left)
	c.passed.Store(int64(119 * time.Minute))
	if got := n.sent("S", "s.to"); got != 0 {
		t.Fatal(got, "messages too early")
	}
	c.passed.Store(int64(122 * time.Minute))
	if got := n.sent("S", "s.to"); got != 1 {
		t.Fatal(got, "messages when the next is due")
	}
}

// While a jump of the clock is not followed nothing is sent that would not be without it.
func TestAClockThatJumpsSendsNothing(t *testing.T) {
	var c clock
	n := c.node(t, nil)
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Storage: jetstream.MemoryStorage, AllowMsgSchedules: true}))
	n.schedule("s.often", "@every 1h", "s.to")
	c.ahead.Store(int64(24 * time.Hour))
	if got := n.sent("S", "s.to"); got != 0 {
		t.Error("a message is sent since the clock was set")
	}
	c.passed.Store(int64(6 * time.Minute))
	n.server.ages.now()
	if got := n.sent("S", "s.to"); got != 1 {
		t.Error(got, "messages, when the clock is followed")
	}
}

// Many schedules for one moment all send, in their order.
func TestManySchedulesAtOnce(t *testing.T) {
	n := newNodeIn(t, t.TempDir())
	s := ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, Storage: jetstream.FileStorage, AllowMsgSchedules: true}))
	at := "@at " + time.Now().Add(time.Second).Format(time.RFC3339)
	const many = 3000
	for i := range many {
		m := nats.NewMsg(fmt.Sprintf("s.when.%d", i))
		m.Header.Set("Nats-Schedule", at)
		m.Header.Set("Nats-Schedule-Target", "s.to")
		m.Data = fmt.Append(nil, i)
		ok(n.js.PublishMsgAsync(m))
	}
	c := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckNonePolicy, FilterSubject: "s.to"}))
	for i := 0; i < many; {
		for m := range ok(c.Fetch(many, jetstream.FetchMaxWait(5*time.Second))).Messages() {
			if string(m.Data()) != fmt.Sprint(i) {
				t.Fatalf("%s comes instead of %d", m.Data(), i)
			}
			i++
		}
		if n.ctx.Err() != nil {
			t.Fatal(i, "messages")
		}
	}
	if st := ok(s.Info(n.ctx)).State; st.Msgs != many || st.LastSeq != 2*many {
		t.Errorf("%+v", st)
	}
}
