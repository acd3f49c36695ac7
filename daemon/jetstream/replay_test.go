package jetstream

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// killed is a node over a disk that is as after the sudden end of the process before.
func (n *node) killed(disk *sim.Disk) (*node, *sim.Disk) {
	n.t.Helper()
	left := disk.Copy()
	n.stop()
	return newNodeOn(n.t, left, "/js"), left
}

// A limit that was in effect for a while takes nothing of what came after it, when the journal is read again.
func TestAnOldLimitTakesNothingNew(t *testing.T) {
	disk := sim.New(1, sim.Options{Capacity: 1 << 30})
	n := newNodeOn(t, disk, "/js")
	c := jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Storage: jetstream.FileStorage}
	ok(n.js.CreateStream(n.ctx, c))
	put := func(msgs int) {
		for i := range msgs {
			ok(n.js.Publish(n.ctx, fmt.Sprintf("s.%d", i%3), fmt.Append(nil, i)))
		}
	}
	put(20)
	c.MaxMsgs = 10
	ok(n.js.UpdateStream(n.ctx, c))
	c.MaxMsgs = -1
	ok(n.js.UpdateStream(n.ctx, c))
	put(100)
	c.Description = "the log is brought to the disk before this is entered"
	ok(n.js.UpdateStream(n.ctx, c))
	n, disk = n.killed(disk)
	s := ok(n.js.Stream(n.ctx, "S"))
	if st := s.CachedInfo().State; st.Msgs != 110 || st.FirstSeq != 11 || st.LastSeq != 120 {
		t.Fatalf("%+v", st)
	}
	// What the journal alone has of a limit is done.
	c.MaxMsgs = 7
	ok(n.js.UpdateStream(n.ctx, c))
	n, _ = n.killed(disk)
	if st := ok(n.js.Stream(n.ctx, "S")).CachedInfo().State; st.Msgs != 7 || st.LastSeq != 120 {
		t.Fatalf("%+v", st)
	}
}
