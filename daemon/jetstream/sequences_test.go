package jetstream

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// Sequences that cannot be counted on from are refused, and nothing is changed; the highest that may be asked for work, also
// after a restart.
func TestHighSequences(t *testing.T) {
	dir := t.TempDir()
	n := newNodeIn(t, dir)
	s := n.stream(jetstream.FileStorage, 3)
	c := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy}))
	const above = "sequence must not be above 1000000000000000000"
	for _, q := range [][2]string{
		{"STREAM.CREATE.T", `{"name":"T","first_seq":1000000000000000001}`}, {"STREAM.CREATE.T", `{"name":"T","first_seq":18446744073709551615}`},
		{"STREAM.PURGE.S", `{"seq":18446744073709551615}`}, {"STREAM.PURGE.S", `{"seq":1000000000000000001,"filter":"s.1"}`},
		{"CONSUMER.RESET.S.c", `{"seq":5000000000000000000}`},
		{"CONSUMER.CREATE.S.d", `{"stream_name":"S","config":{"name":"d","deliver_policy":"by_start_sequence","opt_start_seq":18446744073709551615}}`},
	} {
		r := ok(n.nc.Request("$JS.API."+q[0], []byte(q[1]), patience))
		if !strings.Contains(string(r.Data), above) {
			t.Errorf("%s: %s", q, r.Data)
		}
	}
	if a := ok(n.js.Publish(n.ctx, "s.0", nil)); a.Sequence != 4 {
		t.Fatalf("%+v", a)
	}
	if i := ok(c.Info(n.ctx)); i.NumPending != 4 {
		t.Fatalf("%+v", i)
	}

	const most = 1_000_000_000_000_000_000
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "T", Storage: jetstream.FileStorage, FirstSeq: most}))
	ok(n.nc.Request("$JS.API.STREAM.PURGE.S", fmt.Appendf(nil, `{"seq":%d}`, most), patience))
	d := ok(n.js.CreateConsumer(n.ctx, "T", jetstream.ConsumerConfig{Durable: "d", AckPolicy: jetstream.AckExplicitPolicy}))
	all := ok(n.js.CreateConsumer(n.ctx, "T", jetstream.ConsumerConfig{Durable: "all", AckPolicy: jetstream.AckAllPolicy}))
	for range 3 {
		ok(n.js.Publish(n.ctx, "T", nil))
	}
	for range 2 {
		for _, c := range []jetstream.Consumer{d, all} {
			if err := ok(c.Next()).DoubleAck(n.ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r := ok(n.nc.Request("$JS.API.CONSUMER.RESET.S.c", fmt.Appendf(nil, `{"seq":%d}`, most), patience)); !strings.Contains(string(r.Data), `"reset_seq":1000000000000000000`) {
		t.Errorf("%s", r.Data)
	}
	if a := ok(n.js.Publish(n.ctx, "s.0", nil)); a.Sequence != most {
		t.Fatalf("%+v", a)
	}
	n.stop()

	n = newNodeIn(t, dir)
	for _, name := range []string{"d", "all"} {
		c := ok(n.js.Consumer(n.ctx, "T", name))
		if i := c.CachedInfo(); i.AckFloor.Stream != most+1 || i.NumAckPending != 0 || i.NumPending != 1 {
			t.Errorf("%+v", i)
		}
		if m := ok(ok(c.Next()).Metadata()); m.Sequence.Stream != most+2 {
			t.Errorf("%+v", m)
		}
	}
	if m := ok(ok(ok(n.js.Consumer(n.ctx, "S", "c")).Next()).Metadata()); m.Sequence.Stream != most {
		t.Errorf("%+v", m)
	}
}
