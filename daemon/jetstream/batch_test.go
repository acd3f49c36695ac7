package jetstream

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/budget"
	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// batched is a message of an atomic batch.
func batched(subj, id string, seq int, commit string, data []byte) *nats.Msg {
	m := &nats.Msg{Subject: subj, Data: data, Header: nats.Header{"Nats-Batch-Id": {id}, "Nats-Batch-Sequence": {strconv.Itoa(seq)}}}
	if commit != "" {
		m.Header.Set("Nats-Batch-Commit", commit)
	}
	return m
}

// ask sends a message and returns the answer.
func (n *node) ask(m *nats.Msg) string {
	n.t.Helper()
	return string(ok(n.nc.RequestMsg(m, patience)).Data)
}

// batches makes a stream S that takes both kinds.
func (n *node) batches(more string) {
	n.t.Helper()
	r := ok(n.nc.Request("$JS.API.STREAM.CREATE.S", []byte(`{"name":"S","subjects":["s.*"],"allow_atomic":true,"allow_batched":true`+more+`}`), patience))
	if !strings.Contains(string(r.Data), "did_create") {
		n.t.Fatalf("%s", r.Data)
	}
}

// Messages that wait for the rest of their batch are counted, and count for nothing once it has ended, however it does.
func TestStagedMessagesAreCounted(t *testing.T) {
	n := newNodeIn(t, t.TempDir())
	n.batches("")
	held := func() int64 { return n.server.memory.Used(budget.Batches) }
	body := make([]byte, 10_000)
	stage := func(id string) {
		for i := 1; i <= 5; i++ {
			if a := n.ask(batched("s.0", id, i, "", body)); a != "" {
				t.Fatal(a)
			}
		}
		if h := held(); h < 50_000 || h > 55_000 {
			t.Errorf("50000 bytes are staged, %d are counted", h)
		}
	}
	over := func(what string, open int64) {
		t.Helper()
		if held() != 0 || n.server.atomicBatches.Load() != 0 || n.server.fastBatches.Load() != open {
			t.Errorf("%s: %d bytes, %d and %d batches are left", what, held(), n.server.atomicBatches.Load(), n.server.fastBatches.Load())
		}
	}
	stage("a")
	if a := n.ask(batched("s.0", "a", 6, "eob", nil)); !strings.Contains(a, `"seq":5,"batch":"a","count":5}`) {
		t.Error(a)
	}
	over("committed", 0)
	stage("b")
	n.ask(batched("s.0", "b", 9, "", nil))
	over("given up", 0)
	stage("c")
	m := batched("s.0", "c", 6, "1", nil)
	m.Header.Set("Nats-Expected-Stream", "T")
	n.ask(m)
	over("refused", 0)
	stage("d")
	ok(n.js.UpdateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}}))
	over("switched off", 0)
	ok(0, n.js.DeleteStream(n.ctx, "S"))
	n.batches("")
	stage("e")
	ok(n.nc.Request("s.0", nil, patience))
	ok(0, n.nc.PublishRequest("s.0", "F.f.10.ok.1.0.$FI", nil))
	ok(n.nc.Request("s.0", nil, patience))
	if n.server.fastBatches.Load() != 1 {
		t.Error("a fast batch is not open")
	}
	ok(0, n.js.DeleteStream(n.ctx, "S"))
	over("deleted", 0)
}

// A batch takes no more memory than what may wait in a stream.
func TestStagedMessagesAreBounded(t *testing.T) {
	n := newNodeIn(t, t.TempDir())
	n.batches("")
	o := *n.server.options()
	o.MaxBufferedBy = 100_000
	n.server.opts.Store(&o)
	sub := ok(n.nc.SubscribeSync("$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.S"))
	body := make([]byte, 10_000)
	refused := 0
	for i := 1; i <= 15 && refused == 0; i++ {
		switch a := n.ask(batched("s.0", "a", i, "", body)); {
		case a == "":
		case strings.Contains(a, `"err_code":10167`):
			refused = i
		default:
			t.Fatal(a)
		}
	}
	if refused < 8 || refused > 10 {
		t.Errorf("message %d was refused", refused)
	}
	if m := ok(sub.NextMsg(patience)); !strings.Contains(string(m.Data), `"batch":"a","reason":"incomplete"`) {
		t.Errorf("%s", m.Data)
	}
	if a := n.ask(batched("s.0", "a", refused+1, "1", nil)); !strings.Contains(a, `"err_code":10176`) {
		t.Error(a)
	}
	if a := n.ask(&nats.Msg{Subject: "s.0"}); !strings.Contains(a, `"seq":1}`) {
		t.Error(a)
	}
}

// A batch ends when its publisher says nothing any more, and only then.
func TestBatchesTimeOut(t *testing.T) {
	n := newNode(t)
	n.batches(`,"storage":"memory"`)
	o := *n.server.options()
	o.Batches = BatchLimits{PerStream: 2}
	n.server.opts.Store(&o)
	sub := ok(n.nc.SubscribeSync("$JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED.S"))
	flow := ok(n.nc.SubscribeSync("F.>"))
	for _, id := range []string{"a", "b"} {
		if a := n.ask(batched("s.0", id, 1, "", nil)); a != "" {
			t.Fatal(a)
		}
	}
	if a := n.ask(batched("s.0", "c", 1, "", nil)); !strings.Contains(a, `"err_code":10210`) {
		t.Error(a)
	}
	fast := func(id string, seq, op int, want string) {
		t.Helper()
		ok(0, n.nc.PublishRequest("s.0", fmt.Sprintf("F.%s.10.ok.%d.%d.$FI", id, seq, op), nil))
		for m := ok(flow.NextMsg(patience)); !strings.Contains(string(m.Data), want); m = ok(flow.NextMsg(patience)) {
			if !strings.Contains(string(m.Data), `"type":"ack"`) {
				t.Errorf("%s; want %s", m.Data, want)
			}
		}
	}
	fast("x", 1, 0, `"type":"ack"`)
	fast("y", 1, 0, `"type":"ack"`)
	fast("z", 1, 0, `"err_code":10211`)
	later := o
	later.Batches.Idle = 50 * time.Millisecond
	n.server.opts.Store(&later)
	n.server.lookup("$G").stream("S").tireOfBatches() // it would have looked in 10 seconds
	left := map[string]bool{"a": true, "b": true}
	for len(left) > 0 {
		m := ok(sub.NextMsg(patience))
		for id := range left {
			if strings.Contains(string(m.Data), `"batch":"`+id+`","reason":"timeout"`) {
				delete(left, id)
			}
		}
	}
	if a := n.ask(batched("s.0", "a", 2, "1", nil)); !strings.Contains(a, `"err_code":10176`) {
		t.Error(a)
	}
	n.await("fast batches stay", func() bool { return n.server.fastBatches.Load() == 0 })
	fast("x", 2, 2, `"err_code":10208`)
}

// Batches of several streams together are bounded, and large ones.
func TestBatchLimits(t *testing.T) {
	n := newNode(t)
	n.batches(`,"storage":"memory"`)
	o := *n.server.options()
	o.Batches = BatchLimits{Total: 2, Msgs: 3}
	n.server.opts.Store(&o)
	ok(n.nc.Request("$JS.API.STREAM.CREATE.T", []byte(`{"name":"T","storage":"memory","allow_atomic":true}`), patience))
	for _, s := range []struct {
		subj, id string
		seq      int
		commit   string
		want     string
	}{
		{"s.0", "a", 1, "", ""}, {"T", "b", 1, "", ""}, {"T", "c", 1, "", "10210"}, {"s.0", "c", 1, "", "10210"}, {"T", "b", 2, "1", `"count":2}`}, {"T", "c", 1, "", ""},
		{"T", "c", 2, "", ""}, {"T", "c", 3, "", ""}, {"T", "c", 4, "", "batch is too large: 3"}, {"T", "c", 5, "", "batch is too large: 3"},
		{"T", "d", 1, "", ""}, {"T", "d", 2, "", ""}, {"T", "d", 3, "", ""}, {"T", "d", 4, "eob", `"count":3}`},
	} {
		if a := n.ask(batched(s.subj, s.id, s.seq, s.commit, nil)); s.want == "" && a != "" || !strings.Contains(a, s.want) {
			t.Errorf("%+v: %s", s, a)
		}
	}
}

// Whoever reads sees all of a batch, or nothing.
func TestReadersSeeWholeBatches(t *testing.T) {
	for _, storage := range []string{"memory", "file"} {
		t.Run(storage, func(t *testing.T) {
			n := newNodeIn(t, t.TempDir())
			n.batches(`,"allow_direct":true,"storage":"` + storage + `"`)
			const msgs = 30
			done := make(chan struct{})
			go func() { // ends with the batches
				defer close(done)
				for b := range 40 {
					for i := 1; i <= msgs; i++ {
						m := batched(fmt.Sprintf("s.%d", i%3), "b", i, "", fmt.Append(nil, b))
						if i < msgs {
							if err := n.nc.PublishMsg(m); err != nil {
								t.Error(err)
							}
							continue
						}
						m.Header.Set("Nats-Batch-Commit", "1")
						if r, err := n.nc.RequestMsg(m, patience); err != nil || !strings.Contains(string(r.Data), `"count":30`) {
							t.Error(err, r)
						}
					}
				}
			}()
			looks := 0
			for open := true; open; looks++ {
				select {
				case <-done:
					open = false
				default:
				}
				i := ok(ok(n.js.Stream(n.ctx, "S")).Info(n.ctx)).State
				if i.Msgs%msgs != 0 || i.LastSeq%msgs != 0 {
					t.Fatalf("%d messages, the last is %d", i.Msgs, i.LastSeq)
				}
				n.lastOfEach(t)
			}
			t.Logf("%d looks", looks)
		})
	}
}

// lastOfEach gets the last messages of three subjects at once, and sees that they are of one batch.
func (n *node) lastOfEach(t *testing.T) {
	t.Helper()
	sub := ok(n.nc.SubscribeSync(nats.NewInbox()))
	defer func() { ok(0, sub.Unsubscribe()) }()
	ok(0, n.nc.PublishRequest("$JS.API.DIRECT.GET.S", sub.Subject, []byte(`{"multi_last":["s.*"]}`)))
	seen := map[string]bool{}
	for {
		m := ok(sub.NextMsg(patience))
		if m.Header.Get("Status") != "" {
			break
		}
		seen[string(m.Data)] = true
	}
	if len(seen) > 1 {
		t.Fatalf("messages of %v", seen)
	}
}

// Whoever reads the journal without a server sees the messages of a batch that are stored.
func TestFramesOfBatches(t *testing.T) {
	var body [][]byte
	for i := range 10 {
		body = append(body, appendRecord(nil, &stream.Record{Subject: fmt.Append(nil, "s.", i), Payload: []byte("x")}))
	}
	skipped := make([]bool, 10)
	skipped[0], skipped[8] = true, true
	f := &journal.Frame{Kind: frameBatch, First: 5, Count: 10, Body: append([][]byte{asBits(skipped)}, body...)}
	var seen []string
	if err := EachMessage(f, func(r *stream.Record) { seen = append(seen, fmt.Sprintf("%d %s", r.Seq, r.Subject)) }); err != nil {
		t.Fatal(err)
	}
	if n := FrameMessages(f); n != 8 || len(seen) != 8 || seen[0] != "6 s.1" || seen[7] != "14 s.9" {
		t.Errorf("%d: %q", n, seen)
	}
	f.Body = [][]byte{{1}}
	if err := EachMessage(f, func(*stream.Record) {}); err == nil {
		t.Error("a frame that is too short is read")
	}
}
