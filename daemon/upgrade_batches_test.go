package daemon_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// Batches that are open when another process takes over are given up: of one that is stored whole nothing is there, of another one
// what was stored, and who goes on with either is told. Counters go on.
func TestUpgradeEndsBatches(t *testing.T) {
	s, socket := controlled(t, fmt.Sprintf("jetstream { store_dir: %q }\n", t.TempDir()))
	t.Cleanup(func() { verb(t, socket, "stop") })
	nc := connect(t, s.URL(), nats.NoReconnect())
	for _, kind := range []string{"file", "memory"} {
		request(t, nc, "$JS.API.STREAM.CREATE."+kind, fmt.Sprintf(`{"name":%q,"storage":%[1]q,"subjects":["%[1]s.*"],"allow_atomic":true,"allow_batched":true,"allow_msg_counter":true}`, kind))
	}
	flow, err := nc.SubscribeSync("F.>")
	if err != nil {
		t.Fatal(err)
	}
	send := func(subject string, h nats.Header, want string) {
		t.Helper()
		h.Set("Nats-Incr", "1")
		r, err := nc.RequestMsg(&nats.Msg{Subject: subject, Header: h}, brokertest.Patience)
		if err != nil || want == "" && len(r.Data) > 0 || !strings.Contains(string(r.Data), want) {
			t.Errorf("%s %v: %v, %v; want %s", subject, h, r, err, want)
		}
	}
	part := func(seq string) nats.Header {
		return nats.Header{"Nats-Batch-Id": {"b"}, "Nats-Batch-Sequence": {seq}}
	}
	fast := func(subject string, seq, op int, want string) {
		t.Helper()
		m := &nats.Msg{Subject: subject, Reply: fmt.Sprintf("F.f.10.fail.%d.%d.$FI", seq, op), Header: nats.Header{"Nats-Incr": {"1"}}}
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
		if r, err := flow.NextMsg(brokertest.Patience); err != nil || !strings.Contains(string(r.Data), want) {
			t.Errorf("%s %d: %v, %v; want %s", subject, seq, r, err, want)
		}
	}
	for _, kind := range []string{"file", "memory"} {
		send(kind+".a", nats.Header{}, `"val":"1"`)
		send(kind+".a", part("1"), "")
		fast(kind+".a", 1, 0, `"type":"ack"`)
		send(kind+".b", nats.Header{}, `"val":"1"`) // what was sent before is stored
		fast(kind+".a", 1, 4, `"type":"ack"`)
		if kind == "file" {
			fast(kind+".a", 2, 2, `"count":2`)
			fast(kind+".a", 1, 0, `"type":"ack"`)
			send(kind+".b", nats.Header{}, `"val":"2"`)
		}
	}
	if code, out := verb(t, socket, "upgrade"); code != 0 {
		t.Fatalf("upgrade exits %d: %s", code, out)
	}
	for kind, values := range map[string]string{"file": "5", "memory": "3"} {
		send(kind+".a", part("2"), `"err_code":10176`)
		fast(kind+".a", 2, 2, `"err_code":10208`)
		send(kind+".a", nats.Header{}, fmt.Sprintf(`"val":%q`, values))
		h := part("1")
		h.Set("Nats-Batch-Commit", "1")
		send(kind+".a", h, `"batch":"b","count":1`)
	}
}
