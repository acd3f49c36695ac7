package monitor_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// streamAccounts are accounts with and without JetStream.
const streamAccounts = `
accounts {
  $SYS { users: [{user: sys, password: sys}] }
  A { users: [{user: a, password: a}], jetstream: {max_mem: 1MB, max_store: 10MB, max_streams: 10} }
  B { users: [{user: b, password: b}], jetstream: enabled }
  C { users: [{user: c, password: c}] }
}
`

// startStreams starts a server with JetStream; more is put into its block.
func startStreams(t *testing.T, binary, more string) *watched {
	t.Helper()
	return startWith(t, binary, fmt.Sprintf("jetstream { store_dir: %q, max_mem: 64MB, max_file: 256MB, sync_interval: always\n%s }\n", t.TempDir(), more)+streamAccounts)
}

// jetStream is an account's, as a client sees it.
func (w *watched) jetStream(user string) nats.JetStreamContext {
	w.t.Helper()
	nc, err := nats.Connect(w.server.URL(), nats.UserInfo(user, user))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(nc.Close)
	js, err := nc.JetStream()
	if err != nil {
		w.t.Fatal(err)
	}
	return js
}

// loadStreams makes the same streams, messages and consumers each time.
func (w *watched) loadStreams() {
	t := w.t
	t.Helper()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	a := w.jetStream("a")
	must(a.AddStream(&nats.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, MaxBytes: 1 << 20, Description: "what was ordered", Metadata: map[string]string{"team": "x"}}))
	must(a.AddStream(&nats.StreamConfig{Name: "MEM", Subjects: []string{"mem"}, Storage: nats.MemoryStorage, MaxMsgs: 3}))
	must(a.AddStream(&nats.StreamConfig{Name: "UNUSED", Subjects: []string{"unused"}, Storage: nats.MemoryStorage}))
	for i := range 10 {
		must(a.Publish(fmt.Sprintf("orders.%d", i%4), []byte("a message")))
		must(a.Publish("mem", []byte("in memory")))
	}
	must(nil, a.DeleteMsg("ORDERS", 5))
	must(a.AddConsumer("ORDERS", &nats.ConsumerConfig{Durable: "pull", AckPolicy: nats.AckExplicitPolicy, Description: "takes some"}))
	must(a.AddConsumer("ORDERS", &nats.ConsumerConfig{Durable: "push", DeliverSubject: "nobody.listens", AckPolicy: nats.AckNonePolicy, FilterSubject: "orders.1"}))
	sub, err := a.PullSubscribe("", "", nats.Bind("ORDERS", "pull"))
	must(sub, err)
	msgs, err := sub.Fetch(4)
	must(msgs, err)
	must(nil, msgs[0].AckSync())
	_, err = a.StreamInfo("NOWHERE")
	if err == nil {
		t.Fatal("there is a stream NOWHERE")
	}
	b := w.jetStream("b")
	must(b.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}}))
	must(b.Publish("s", []byte("x")))
}

// Keys whose values two servers cannot have in common, and those of our own.
var (
	maskedKeys = []string{"server_id", "now", "ts", "created", "first_ts", "last_ts", "last_active", "store_dir"}
	ownKeys    = []string{"idle"}
)

// settle makes a JSON value comparable: what differs from run to run is masked, lists without an order are put into one.
func settle(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			switch {
			case slices.Contains(ownKeys, k):
				delete(v, k)
			case slices.Contains(maskedKeys, k):
				v[k] = fmt.Sprintf("%T", e)
			case k == "_nats.ver":
				v[k] = "version"
			default:
				v[k] = settle(e)
			}
		}
	case []any:
		for i := range v {
			v[i] = settle(v[i])
		}
		text := func(v any) string { b, _ := json.Marshal(v); return string(b) }
		slices.SortFunc(v, func(a, b any) int { return strings.Compare(text(a), text(b)) })
	}
	return v
}

// settled is a body that can be compared; as it is if it is no JSON.
func settled(body []byte) string {
	var v any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // 2^64-1 is among them
	if dec.Decode(&v) != nil {
		return string(body)
	}
	b, _ := json.MarshalIndent(settle(v), "", " ")
	return string(b)
}

// sameOf compares what both answer.
func sameOf(t *testing.T, ours, theirs *watched, paths ...string) {
	t.Helper()
	for _, path := range paths {
		code, kind, body := ours.get(path)
		wantCode, wantKind, want := theirs.get(path)
		got, expected := settled(body), settled(want)
		if code != wantCode || kind != wantKind || got != expected {
			t.Errorf("%s: %d %s\n%s\nwant %d %s\n%s", path, code, kind, firstDifference(got, expected), wantCode, wantKind, firstDifference(expected, got))
		}
	}
}

// firstDifference is the part of a text where it differs from another.
func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range x {
		if i >= len(y) || x[i] != y[i] {
			return strings.Join(x[max(i-6, 0):min(i+6, len(x))], "\n")
		}
	}
	return a
}

// TestJetStreamIsNATSServers compares what both show of the same streams, key by key and value by value.
func TestJetStreamIsNATSServers(t *testing.T) {
	ours, theirs := startStreams(t, "", "domain: hub\nlimits { max_ack_pending: 1000, max_request_batch: 50, duplicate_window: \"5m\", batch { max_inflight_per_stream: 7, max_inflight_total: 70, max_msgs: 17, timeout: \"3s\" } }"),
		startStreams(t, brokertest.NATSServer(t), "domain: hub\nlimits { max_ack_pending: 1000, max_request_batch: 50, duplicate_window: \"5m\", batch { max_inflight_per_stream: 7, max_inflight_total: 70, max_msgs: 17, timeout: \"3s\" } }")
	ours.loadStreams()
	theirs.loadStreams()
	sameOf(t, ours, theirs,
		"/jsz", "/jsz?accounts=1", "/jsz?streams=1", "/jsz?consumers=1", "/jsz?consumers=1&config=1", "/jsz?streams=1&config=true", "/jsz?config=1",
		"/jsz?acc=A", "/jsz?acc=A&streams=1", "/jsz?acc=A&consumers=1&config=1", "/jsz?acc=C&streams=1", "/jsz?acc=nobody", "/jsz?acc=nobody&streams=1",
		"/jsz?acc=nobody&accounts=1", "/jsz?accounts=1&limit=1", "/jsz?accounts=1&offset=1", "/jsz?accounts=1&offset=9", "/jsz?accounts=1&offset=-1&limit=-1",
		"/jsz?accounts=1&offset=1&limit=1&streams=1", "/jsz?leader-only=1", "/jsz?raft=1&consumers=1", "/jsz?stream-leader-only=1&streams=1", "/jsz?direct-consumers=1&consumers=1",
		"/jsz?accounts=x", "/jsz?limit=x", "/jsz?stream-leader-only=x", "/jsz?raft=x")
	for _, path := range []string{"/jsz", "/jsz?acc=B&streams=1&config=1"} {
		_, _, a := ours.get(path)
		_, _, b := theirs.get(path)
		got, want := keysOf(t, a), keysOf(t, b)
		if !slices.Equal(got, want) {
			t.Errorf("%s: keys in the order\n%v\nwant\n%v", path, got, want)
		}
	}
	part := func(w *watched, path string, keys ...string) string {
		v := any(w.object(path))
		for _, k := range keys {
			v = v.(map[string]any)[k]
		}
		b, _ := json.Marshal(v)
		return settled(b)
	}
	if got, want := part(ours, "/varz", "jetstream"), part(theirs, "/varz", "jetstream"); got != want {
		t.Errorf("/varz: jetstream is\n%s\nwant\n%s", got, want)
	}
	for _, account := range []string{"A", "B", "C", "$SYS"} {
		if got, want := part(ours, "/accountz?acc="+account, "account_detail", "jetstream_enabled"), part(theirs, "/accountz?acc="+account, "account_detail", "jetstream_enabled"); got != want {
			t.Errorf("/accountz?acc=%s: jetstream_enabled is %s, want %s", account, got, want)
		}
	}
	for _, path := range []string{"/accstatz?unused=1", "/accountz", "/varz", "/healthz"} {
		compareShapes(t, path, ours, theirs, skippedPart)
	}
}

// TestHealthOfStreamsIsNATSServers asks both how accounts, streams and consumers are.
func TestHealthOfStreamsIsNATSServers(t *testing.T) {
	ours, theirs := startStreams(t, "", ""), startStreams(t, brokertest.NATSServer(t), "")
	ours.loadStreams()
	theirs.loadStreams()
	for _, details := range []string{"", "details=true&"} {
		for _, query := range []string{
			"", "js-enabled=1", "js-enabled-only=1", "js-server-only=1", "js-meta-only=1", "leaf-remotes-connected=1", "leaf-remotes-connected=x", "js-enabled=x",
			"account=A", "account=C", "account=nobody", "account=A&stream=ORDERS", "account=B&stream=ORDERS", "account=A&stream=nothing", "account=nobody&stream=ORDERS",
			"account=A&stream=ORDERS&consumer=pull", "account=A&stream=ORDERS&consumer=nothing", "account=A&stream=nothing&consumer=pull", "stream=ORDERS", "account=A&consumer=pull",
			"account=nobody&js-enabled-only=1", "account=nobody&js-server-only=1",
		} {
			sameOf(t, ours, theirs, "/healthz?"+details+query)
		}
	}
}

// TestHealthOfStreamsInMemory: nats-server looks for streams on the disk, and does not find those in memory.
func TestHealthOfStreamsInMemory(t *testing.T) {
	ours, theirs := startStreams(t, "", ""), startStreams(t, brokertest.NATSServer(t), "")
	ours.loadStreams()
	theirs.loadStreams()
	if code, _, body := theirs.get("/healthz?account=A&stream=MEM"); code != 404 {
		t.Errorf("nats-server: %d %s", code, body)
	}
	if code, _, body := ours.get("/healthz?account=A&stream=MEM"); code != 200 {
		t.Errorf("%d %s", code, body)
	}
}

// TestHealthOfRemotesIsNATSServers asks both for remotes of leaf nodes that nobody answers to.
func TestHealthOfRemotesIsNATSServers(t *testing.T) {
	port := brokertest.FreePort(t)
	more := fmt.Sprintf(`leafnodes { remotes: [
  { url: "nats-leaf://u:secret@127.0.0.1:%d", account: A }, { urls: ["nats-leaf://127.0.0.1:%[1]d", "nats-leaf://127.0.0.2:%[1]d"], account: B } ] }
accounts { A { users: [{user: a, password: a}] }, B { users: [{user: b, password: b}] } }
`, port)
	ours, theirs := startWith(t, "", more), startWith(t, brokertest.NATSServer(t), more)
	sameOf(t, ours, theirs, "/healthz", "/healthz?leaf-remotes-connected=1", "/healthz?leaf-remotes-connected=1&details=1", "/healthz?leaf-remotes-connected=1&js-server-only=1")
	if _, _, body := ours.get("/healthz?leaf-remotes-connected=1&details=1"); bytes.Contains(body, []byte("secret")) || bytes.Count(body, []byte("is not connected")) != 2 {
		t.Errorf("%s", body)
	}
}
