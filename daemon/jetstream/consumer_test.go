package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// patience is far more than anything here takes.
const patience = time.Minute

// node is a broker with JetStream, and a client.
type node struct {
	t      *testing.T
	server *Server
	nc     *nats.Conn
	js     jetstream.JetStream
	legacy nats.JetStreamContext
	ctx    context.Context
	stop   func()
}

func newNode(t *testing.T) *node { return newNodeIn(t, "") }

// newNodeIn is newNode with a store; without one everything is in memory.
func newNodeIn(t *testing.T, dir string) *node { return newNodeOn(t, vfs.OS, dir) }

// newNodeOn is newNodeIn on a disk.
func newNodeOn(t *testing.T, on vfs.FS, dir string) *node {
	t.Helper()
	s := newServer(t, dir)
	s.fs = on
	return serve(t, s)
}

// newServer is a server that is not started.
func newServer(t *testing.T, dir string) *Server {
	t.Helper()
	b, err := broker.New(broker.Options{ServerName: "alpha", MaxPayload: 1 << 20}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	o := Options{StoreDir: dir, MaxMemory: 1 << 30, MaxStore: 1 << 30, Strict: true, Accounts: map[string]api.AccountLimits{"$G": NoLimits()}}
	return New(b, o, logging.Discard())
}

// serve starts a server, and connects a client.
func serve(t *testing.T, s *Server) *node {
	t.Helper()
	b := s.broker
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Serve(l); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect("nats://"+l.Addr().String(), nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	n := &node{t: t, server: s, nc: nc, ctx: ctx}
	n.stop = sync.OnceFunc(func() { cancel(); nc.Close(); s.Stop(); b.Stop() })
	t.Cleanup(n.stop)
	if n.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	if n.legacy, err = nc.JetStream(nats.MaxWait(patience)); err != nil {
		t.Fatal(err)
	}
	return n
}

// ok returns the value of a call that must not fail.
func ok[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// stream makes one with n messages on s.0, s.1, s.2, s.0, …
func (n *node) stream(storage jetstream.StorageType, msgs int) jetstream.Stream {
	n.t.Helper()
	s, err := n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Storage: storage})
	ok(s, err)
	for i := range msgs {
		if _, err := n.js.Publish(n.ctx, fmt.Sprintf("s.%d", i%3), fmt.Append(nil, i)); err != nil {
			n.t.Fatal(err)
		}
	}
	return s
}

func TestFetchAckRedeliver(t *testing.T) {
	n := newNode(t)
	s := n.stream(jetstream.MemoryStorage, 10)
	c := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "s.1"}))
	if i := c.CachedInfo(); i.NumPending != 3 {
		t.Fatalf("%+v", i)
	}
	batch := ok(c.Fetch(2))
	var seqs []uint64
	for m := range batch.Messages() {
		meta := ok(m.Metadata())
		seqs = append(seqs, meta.Sequence.Stream)
		if len(seqs) == 1 {
			if err := m.DoubleAck(n.ctx); err != nil {
				t.Fatal(err)
			}
		} else if err := m.Nak(); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(seqs) != "[2 5]" {
		t.Fatal(seqs)
	}
	batch = ok(c.Fetch(2))
	seqs = nil
	for m := range batch.Messages() {
		meta := ok(m.Metadata())
		seqs = append(seqs, meta.Sequence.Stream, meta.NumDelivered)
	}
	if fmt.Sprint(seqs) != "[5 2 8 1]" {
		t.Fatal(seqs)
	}
	i := ok(c.Info(n.ctx))
	if i.NumAckPending != 2 || i.NumRedelivered != 1 || i.AckFloor.Stream != 4 || i.Delivered.Consumer != 4 || i.Delivered.Stream != 8 {
		t.Fatalf("%+v", i)
	}
}

// A consumer that waits is served when messages come, however they come.
func TestWaitingPullIsServed(t *testing.T) {
	n := newNode(t)
	s := n.stream(jetstream.MemoryStorage, 0)
	c := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy}))
	got := make(chan uint64, 1000)
	cc := ok(c.Consume(func(m jetstream.Msg) {
		meta, err := m.Metadata()
		if err != nil {
			t.Error(err)
			return
		}
		got <- meta.Sequence.Stream
	}))
	defer cc.Stop()
	for i := range 500 {
		if err := n.nc.Publish(fmt.Sprintf("s.%d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	for want := uint64(1); want <= 500; want++ {
		select {
		case seq := <-got:
			if seq != want {
				t.Fatalf("got %d, want %d", seq, want)
			}
		case <-n.ctx.Done():
			t.Fatalf("%d never came", want)
		}
	}
}

func TestKeyValueWatch(t *testing.T) {
	n := newNode(t)
	kv := ok(n.js.CreateKeyValue(n.ctx, jetstream.KeyValueConfig{Bucket: "b", History: 3, Storage: jetstream.MemoryStorage}))
	for i := range 5 {
		ok(kv.Put(n.ctx, fmt.Sprintf("k%d", i%2), fmt.Append(nil, i)))
	}
	w := ok(kv.WatchAll(n.ctx))
	defer w.Stop()
	var seen []string
	next := func() jetstream.KeyValueEntry {
		select {
		case e := <-w.Updates():
			return e
		case <-n.ctx.Done():
			t.Fatal("nothing came")
		}
		return nil
	}
	for e := next(); e != nil; e = next() {
		seen = append(seen, e.Key()+"="+string(e.Value()))
	}
	if fmt.Sprint(seen) != "[k1=3 k0=4]" {
		t.Fatal(seen)
	}
	ok(kv.Put(n.ctx, "k9", []byte("new")))
	if e := next(); e.Key() != "k9" {
		t.Fatal(e)
	}
	keys := ok(kv.Keys(n.ctx))
	if len(keys) != 3 {
		t.Fatal(keys)
	}
	h := ok(kv.History(n.ctx, "k0"))
	if len(h) != 3 {
		t.Fatal(len(h))
	}
}

func TestOrderedAndPush(t *testing.T) {
	n := newNode(t)
	s := n.stream(jetstream.MemoryStorage, 100)
	c := ok(s.OrderedConsumer(n.ctx, jetstream.OrderedConsumerConfig{}))
	batch := ok(c.Fetch(100))
	k := 0
	for m := range batch.Messages() {
		if string(m.Data()) != fmt.Sprint(k) {
			t.Fatalf("%s instead of %d", m.Data(), k)
		}
		k++
	}
	if k != 100 {
		t.Fatal(k)
	}
	sub := ok(n.legacy.SubscribeSync("s.*", nats.Durable("push"), nats.IdleHeartbeat(time.Second), nats.EnableFlowControl()))
	for i := range 100 {
		m := ok(sub.NextMsg(patience))
		if string(m.Data) != fmt.Sprint(i) {
			t.Fatalf("%s instead of %d", m.Data, i)
		}
		if err := m.AckSync(); err != nil {
			t.Fatal(err)
		}
	}
	i := ok(sub.ConsumerInfo())
	if i.NumAckPending != 0 || i.AckFloor.Stream != 100 || !i.PushBound {
		t.Fatalf("%+v", i)
	}
}

// A consumer that pushes begins when somebody begins to listen, without heartbeats too, and for a group when the group does.
func TestPushBeginsWithInterest(t *testing.T) {
	n := newNode(t)
	s := n.stream(jetstream.MemoryStorage, 2)
	read := func(sub *nats.Subscription, want ...string) {
		t.Helper()
		for _, w := range want {
			if m := ok(sub.NextMsg(patience)); string(m.Data) != w {
				t.Fatalf("%s instead of %s", m.Data, w)
			}
		}
	}
	cfg := jetstream.ConsumerConfig{Durable: "one", DeliverSubject: "to.one"}
	c := ok(s.CreatePushConsumer(n.ctx, cfg))
	ok(c.Info(n.ctx))
	read(ok(n.nc.SubscribeSync("to.one")), "0", "1")

	group := jetstream.ConsumerConfig{Durable: "group", DeliverSubject: "to.group", DeliverGroup: "g"}
	ok(s.CreatePushConsumer(n.ctx, group))
	ok(n.nc.SubscribeSync("to.group")) // is not in the group
	read(ok(n.nc.QueueSubscribeSync("to.group", "g")), "0", "1")

	cfg = jetstream.ConsumerConfig{Durable: "moved", DeliverSubject: "to.nowhere"}
	ok(s.CreatePushConsumer(n.ctx, cfg))
	cfg.DeliverSubject = "to.here"
	ok(s.UpdatePushConsumer(n.ctx, cfg))
	read(ok(n.nc.SubscribeSync("to.here")), "0", "1")
}

func TestConsumersListAndGo(t *testing.T) {
	n := newNode(t)
	s := n.stream(jetstream.MemoryStorage, 3)
	for _, name := range []string{"b", "a"} {
		ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: name}))
	}
	var names []string
	for name := range s.ConsumerNames(n.ctx).Name() {
		names = append(names, name)
	}
	if fmt.Sprint(names) != "[a b]" {
		t.Fatal(names)
	}
	if i := ok(s.Info(n.ctx)); i.State.Consumers != 2 {
		t.Fatalf("%+v", i.State)
	}
	sub := ok(n.nc.SubscribeSync("inbox"))
	if err := n.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.S.a", "inbox", []byte(`{"batch":5}`)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ok(sub.NextMsg(patience))
	}
	if err := s.DeleteConsumer(n.ctx, "a"); err != nil {
		t.Fatal(err)
	}
	m := ok(sub.NextMsg(patience))
	if m.Header.Get("Status") != "409" || m.Header.Get("Description") != "Consumer Deleted" {
		t.Fatal(m.Header)
	}
	if _, err := s.Consumer(n.ctx, "a"); !errors.Is(err, jetstream.ErrConsumerNotFound) {
		t.Fatal(err)
	}
	if _, err := n.nc.Request("$JS.API.CONSUMER.MSG.NEXT.S.a", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Fatal(err)
	}
}

// A consumer that nobody uses goes by itself; whoever waits keeps it.
func TestInactiveConsumerGoes(t *testing.T) {
	n := newNode(t)
	s := n.stream(jetstream.MemoryStorage, 0)
	gone := ok(n.nc.SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.DELETED.S.*"))
	kept := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Name: "kept", InactiveThreshold: time.Hour}))
	if err := n.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.S.kept", ok(n.nc.SubscribeSync("inbox")).Subject, nil); err != nil {
		t.Fatal(err)
	}
	n.await("nobody waits", func() bool { return ok(kept.Info(n.ctx)).NumWaiting == 1 })
	ok(s.UpdateConsumer(n.ctx, jetstream.ConsumerConfig{Name: "kept", InactiveThreshold: 50 * time.Millisecond}))
	ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Name: "idle", InactiveThreshold: 50 * time.Millisecond}))
	m := ok(gone.NextMsg(patience))
	var e consumerEvent
	if err := json.Unmarshal(m.Data, &e); err != nil || e.Consumer != "idle" {
		t.Fatalf("%s, %v", m.Data, err)
	}
	if _, err := s.Consumer(n.ctx, "kept"); err != nil {
		t.Fatal(err)
	}
}

func TestDeadLetterAndTerm(t *testing.T) {
	n := newNode(t)
	s := n.stream(jetstream.MemoryStorage, 2)
	events := ok(n.nc.SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.*.S.c"))
	c := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, MaxDeliver: 1, AckWait: 2 * time.Second}))
	batch := ok(c.Fetch(2))
	for m := range batch.Messages() {
		if string(m.Data()) == "1" {
			if err := m.TermWithReason("no use"); err != nil {
				t.Fatal(err)
			}
		}
	}
	seen := map[string]deliveryEvent{}
	for len(seen) < 2 {
		m := ok(events.NextMsg(patience))
		var e deliveryEvent
		if err := json.Unmarshal(m.Data, &e); err != nil {
			t.Fatal(err)
		}
		seen[e.Type] = e
		delete(seen, "io.nats.jetstream.advisory.v1.consumer_action")
	}
	if e := seen["io.nats.jetstream.advisory.v1.terminated"]; e.Reason != "no use" || e.StreamSeq != 2 {
		t.Errorf("%+v", e)
	}
	if e := seen["io.nats.jetstream.advisory.v1.max_deliver"]; e.StreamSeq != 1 || e.Deliveries != 1 {
		t.Errorf("%+v", e)
	}
}
