package jetstream

import (
	"fmt"
	"path"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// What cannot be read for now is not taken for what is not there: not by those who get it, not by those who publish on a
// condition, and a consumer waits for it.
func TestUnreadForNow(t *testing.T) {
	disk := sim.New(1, sim.Options{})
	n := newNodeOn(t, disk, "/js")
	s := n.stream(jetstream.FileStorage, 30)
	ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy}))
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "K", Subjects: []string{"k.*"}, MaxMsgsPerSubject: 1}))
	for i := range 3 {
		ok(n.js.Publish(n.ctx, fmt.Sprintf("k.%d", i), []byte(strings.Repeat("k", i*100))))
	}
	n.stop()

	n = newNodeOn(t, disk, "/js")
	k := ok(n.js.Stream(n.ctx, "K"))
	ok(k.GetLastMsgForSubject(n.ctx, "k.2")) // what replaces it is accepted, and does not find it
	s = ok(n.js.Stream(n.ctx, "S"))
	c := ok(s.Consumer(n.ctx, "c"))
	disk.Hook(func(o sim.Op) sim.Fault {
		if o.Call == sim.Read && path.Ext(o.Name) == ".seg" {
			return sim.Fault{Err: syscall.ENOMEM}
		}
		return sim.Fault{}
	})
	n.server.files.node.Shrink(0)
	for subject, body := range map[string]string{
		"$JS.API.STREAM.MSG.GET.S": `{"last_by_subj":"s.1"}`, "$JS.API.CONSUMER.CREATE.S.d": `{"stream_name":"S","config":{"name":"d","deliver_policy":"last_per_subject","filter_subject":"s.1"}}`,
		"$JS.API.STREAM.INFO.S": `{"subjects_filter":">"}`,
	} {
		got := string(ok(n.nc.Request(subject, []byte(body), patience)).Data)
		if !strings.Contains(got, "cannot be read") && !strings.Contains(got, "unreadable") {
			t.Errorf("%s: %s", subject, got)
		}
	}
	m := nats.NewMsg("s.1")
	m.Header.Set("Nats-Expected-Last-Subject-Sequence", "0")
	if got := string(ok(n.nc.RequestMsg(m, patience)).Data); !strings.Contains(got, "cannot be read") {
		t.Errorf("published as the first on its subject: %s", got)
	}
	replaced := ok(n.js.PublishAsync("k.2", nil))
	store := n.server.lookup("$G").stream("K")
	for stalled := error(nil); stalled == nil; time.Sleep(time.Millisecond) { // as below
		store.mu.Lock()
		stalled = store.stalled
		store.mu.Unlock()
	}
	batch := ok(c.Fetch(30, jetstream.FetchMaxWait(patience)))
	own := n.server.lookup("$G").stream("S").consumers.get("c")
	for resting := false; !resting; time.Sleep(time.Millisecond) { // it has met the error when it rests
		own.mu.Lock()
		resting = own.resting != ""
		own.mu.Unlock()
	}
	select {
	case <-replaced.Ok():
		t.Error("acknowledged before it is carried out")
	default:
	}
	disk.Hook(nil)
	select {
	case <-replaced.Ok():
	case err := <-replaced.Err():
		t.Error(err)
	case <-n.ctx.Done():
		t.Error("the stream does not go on")
	}
	if st := ok(k.Info(n.ctx)).State; st.Msgs != 3 || st.NumSubjects != 3 || st.LastSeq != 4 || st.Bytes != 3*(3+30)+100 {
		t.Errorf("%+v", st)
	}
	next := uint64(0)
	for m := range batch.Messages() {
		if next++; ok(m.Metadata()).Sequence.Stream != next {
			t.Fatalf("%d comes after %d", ok(m.Metadata()).Sequence.Stream, next-1)
		}
	}
	if next != 30 {
		t.Fatal(next)
	}
}
