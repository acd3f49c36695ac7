package jetstream

import (
	"crypto/rand"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/vfs"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// said is the log of a server, to be looked through.
type said struct {
	t    *testing.T
	logs *logging.Manager
}

func newSaid(t *testing.T) *said {
	t.Helper()
	logs, err := logging.New(logging.Options{File: path.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { logs.Close() })
	return &said{t, logs}
}

func (s *said) logger() *logging.Logger { return s.logs.Logger("jetstream") }

// newNodeWith is newNodeOn with a log and a server that is changed before it starts.
func newNodeWith(t *testing.T, on vfs.FS, dir string, log *logging.Logger, change func(*Server)) *node {
	t.Helper()
	s := newServer(t, dir)
	s.fs, s.log = on, log
	change(s)
	return serve(t, s)
}

// event waits for a line of a kind, which carries the fields of its kind.
func (s *said) event(id logging.MessageID) logging.Line {
	s.t.Helper()
	return s.wait(id.Name(), func(l logging.Line) bool { return l.Event == id.Name() })
}

func (s *said) wait(what string, is func(logging.Line) bool) logging.Line {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) { // what is waited for has no signal
		for _, l := range s.logs.Tail(1000) {
			if is(l) {
				s.complete(l)
				return l
			}
		}
	}
	s.t.Fatalf("it does not say %s", what)
	return logging.Line{}
}

// complete sees to it that a line has the fields of its kind.
func (s *said) complete(l logging.Line) {
	s.t.Helper()
	for id := logging.NoID + 1; id.Name() != ""; id++ {
		if id.Name() != l.Event {
			continue
		}
		for _, name := range id.Fields() {
			if !slices.ContainsFunc(l.Fields, func(f logging.Field) bool { return f.Key() == name }) {
				s.t.Errorf("%s has no %s: %s", l.Event, name, l.Message)
			}
		}
	}
}

// count is how many lines of a kind there are.
func (s *said) count(id logging.MessageID) (n int) {
	for _, l := range s.logs.Tail(1000) {
		if l.Event == id.Name() {
			n++
		}
	}
	return n
}

func TestFullDiskIsSaid(t *testing.T) {
	log, disk := newSaid(t), &crowdedDisk{FS: vfs.OS}
	disk.free.Store(1 << 33)
	n := newNodeWith(t, disk, t.TempDir(), log.logger(), func(*Server) {})
	n.stream(jetstream.FileStorage, 3)
	disk.free.Store(1 << 20)
	n.server.lookAtRoom()
	log.event(logging.StorageFull)
	r, there := n.server.Storage()
	if !there || !r.Full || r.Free != 1<<20 || r.Need != 2*(1<<34/20) || r.Failed != nil {
		t.Errorf("%+v", r)
	}
	// What nobody asks about is counted.
	for range 5 {
		if err := n.nc.Publish("s.1", nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.js.Publish(n.ctx, "s.1", nil); err == nil {
		t.Error("a message is taken on a full disk")
	}
	s := n.server.Accounts()[0].Streams[0]
	if f := s.Figures(); f.Refused != 5 || n.server.Refused() != 5 || f.Msgs != 3 {
		t.Errorf("%+v, %d", f, n.server.Refused())
	}
	disk.free.Store(1 << 33)
	n.server.lookAtRoom()
	if r, _ := n.server.Storage(); r.Full || r.Need != 1<<34/20 {
		t.Errorf("%+v", r)
	}
}

// failing is a disk whose journal cannot be written from some time on.
func failing(fails *atomic.Bool) *sim.Disk {
	disk := sim.New(1, sim.Options{Capacity: 1 << 30})
	disk.Hook(func(o sim.Op) sim.Fault {
		if fails.Load() && o.Call.Changes() {
			return sim.Fault{Err: syscall.EIO}
		}
		return sim.Fault{}
	})
	return disk
}

func TestFailedDiskIsSaid(t *testing.T) {
	var fails atomic.Bool
	log := newSaid(t)
	n := newNodeWith(t, failing(&fails), "/js", log.logger(), func(*Server) {})
	n.stream(jetstream.FileStorage, 3)
	fails.Store(true)
	if err := n.nc.Publish("s.1", nil); err != nil { // it has no answer: nobody knows what became of it
		t.Fatal(err)
	}
	log.event(logging.StorageFailed)
	l := log.event(logging.StreamFailed)
	if !strings.Contains(l.Message, "$G > S") || !strings.Contains(l.Message, syscall.EIO.Error()) {
		t.Error(l.Message)
	}
	if r, _ := n.server.Storage(); r.Failed == nil || !strings.Contains(r.Failed.Error(), syscall.EIO.Error()) {
		t.Errorf("%+v", r)
	}
	s := n.server.Accounts()[0].Streams[0]
	if err := s.Failure(); err == nil || s.Figures().Failed == nil {
		t.Error("the stream does not say that it takes nothing")
	}
	if _, err := n.js.Publish(n.ctx, "s.1", nil); err == nil || !strings.Contains(err.Error(), syscall.EIO.Error()) {
		t.Errorf("a message on a disk that failed: %v", err)
	}
	if i := s.Report(); i.State.Msgs != 3 {
		t.Errorf("%+v", i.State)
	}
}

func TestStuckDiskIsSaid(t *testing.T) {
	var stuck atomic.Bool
	goOn := make(chan struct{})
	disk := sim.New(1, sim.Options{Capacity: 1 << 30})
	disk.Hook(func(o sim.Op) sim.Fault {
		if stuck.Load() && (o.Call == sim.Sync || o.Call == sim.Space) {
			<-goOn
		}
		return sim.Fault{}
	})
	log := newSaid(t)
	n := newNodeWith(t, disk, "/js", log.logger(), func(s *Server) { s.watch.after = time.Millisecond })
	n.stream(jetstream.FileStorage, 3)
	stuck.Store(true)
	acked := ok(n.js.PublishAsync("s.1", []byte("waits")))
	log.event(logging.StorageStuck)
	if r, _ := n.server.Storage(); r.Stuck <= 0 || r.Failed != nil {
		t.Errorf("%+v", r)
	}
	if u := n.server.Usage(); u.Accounts != 1 || u.Store == 0 { // whoever watches does not wait
		t.Errorf("%+v", u)
	}
	if f := n.server.Accounts()[0].Streams[0].Figures(); f.Msgs != 3 {
		t.Errorf("%+v", f)
	}
	stuck.Store(false)
	close(goOn)
	select {
	case <-acked.Ok():
	case err := <-acked.Err():
		t.Error(err)
	case <-time.After(patience):
		t.Error("the message that waited is not acknowledged")
	}
	log.wait("that it answers again", func(l logging.Line) bool { return strings.Contains(l.Message, "the disk answers again") })
	if log.count(logging.StorageStuck) != 1 {
		t.Error("it says so more than once")
	}
}

func TestLostMessagesAreSaid(t *testing.T) {
	disk := sim.New(1, sim.Options{Capacity: 1 << 30})
	n := newNodeOn(t, disk, "/js")
	n.stream(jetstream.FileStorage, 30)
	big := make([]byte, 10_000)
	for range 30 {
		_, _ = rand.Read(big) // it never fails
		ok(n.js.Publish(n.ctx, "s.0", big))
	}
	n.stop()
	folder := path.Join("/js", "nats-broker", "streams", "1")
	flipped := 0
	for _, e := range ok(disk.ReadDir(folder)) {
		if path.Ext(e.Name) != ".seg" {
			continue
		}
		name := path.Join(folder, e.Name)
		for at := int64(50_000); at < ok(disk.Stat(name)).Size; at += 50_000 {
			if err := disk.Flip(name, 8*at); err != nil {
				t.Fatal(err)
			}
			flipped++
		}
	}
	if flipped == 0 {
		t.Fatal("there is no file to damage")
	}
	disk.Restart()
	log := newSaid(t)
	n = newNodeWith(t, disk, "/js", log.logger(), func(*Server) {})
	s := ok(n.js.Stream(n.ctx, "S"))
	unread := 0
	for seq := uint64(1); seq <= 60; seq++ {
		if _, err := s.GetMsg(n.ctx, seq); err != nil {
			unread++
		}
	}
	l := log.event(logging.MessagesLost)
	if !strings.Contains(l.Message, "messages cannot be read") {
		t.Error(l.Message)
	}
	f := n.server.Accounts()[0].Streams[0].Figures()
	if f.Lost == 0 || f.Lost != uint64(unread) || f.Failed != nil {
		t.Errorf("%d lost, %d could not be read", f.Lost, unread)
	}
}

// What was written and taken is counted, and how long commits take.
func TestStorageIsCounted(t *testing.T) {
	n := newNodeIn(t, t.TempDir())
	n.stream(jetstream.FileStorage, 30)
	r, _ := n.server.Storage()
	var written uint64
	for _, b := range r.Written {
		written += b
	}
	if r.Journal.Commits == 0 || r.Journal.Took <= 0 || r.Written["journal"] == 0 || r.Stored == 0 || written < r.Stored {
		t.Errorf("%+v", r)
	}
	before := r.Stored
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "M", Subjects: []string{"m"}, Storage: jetstream.MemoryStorage}))
	ok(n.js.Publish(n.ctx, "m", []byte("not in a file")))
	if r, _ := n.server.Storage(); r.Stored != before {
		t.Errorf("%d bytes of a stream in memory count as stored in files", r.Stored-before)
	}
	ok(n.js.Publish(n.ctx, "s.0", []byte("four")))
	if r, _ := n.server.Storage(); r.Stored != before+uint64(len("s.0four")) {
		t.Errorf("%d bytes more", r.Stored-before)
	}
	if used, _ := n.server.Memory(); used["memory"] == 0 {
		t.Errorf("a stream in memory takes none: %v", used)
	}
	if p := n.server.Recovery(); p.Streams != 1 {
		t.Errorf("%+v", p)
	}
}

// The oldest delivery without an acknowledgement grows older, also when it is delivered again.
func TestOldestDelivery(t *testing.T) {
	n := newNode(t)
	s := n.stream(jetstream.MemoryStorage, 3)
	c := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour}))
	stream := n.server.Accounts()[0].Streams[0]
	unacked := func() (d time.Duration) {
		_, d = stream.consumers.get("c").report()
		return d
	}
	if d := unacked(); d != 0 {
		t.Errorf("%v with nothing delivered", d)
	}
	batch := ok(c.Fetch(2))
	first := <-batch.Messages()
	second := <-batch.Messages()
	began := unacked()
	if began <= 0 {
		t.Fatal(began)
	}
	if err := first.Nak(); err != nil {
		t.Fatal(err)
	}
	again := <-ok(c.Fetch(1)).Messages()
	if meta := ok(again.Metadata()); meta.NumDelivered != 2 {
		t.Fatalf("%+v", meta)
	}
	if d := unacked(); d < began {
		t.Errorf("%v, it was %v: a delivery again has made it younger", d, began)
	}
	if err := again.DoubleAck(n.ctx); err != nil {
		t.Fatal(err)
	}
	if d := unacked(); d <= 0 {
		t.Error("nothing waits, but the second one does")
	}
	if err := second.DoubleAck(n.ctx); err != nil {
		t.Fatal(err)
	}
	if d := unacked(); d != 0 {
		t.Errorf("%v with everything acknowledged", d)
	}
}
