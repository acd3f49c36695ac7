package system_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// startStreams starts a server with JetStream in A and B, and with streams in A.
func startStreams(t *testing.T, binary string) *node {
	t.Helper()
	config := fmt.Sprintf("jetstream { store_dir: %q, max_mem: 64MB, max_file: 256MB, domain: hub, sync_interval: always }\n", t.TempDir())
	n := startNode(t, binary, config+strings.NewReplacer("A { users", "A { jetstream { max_mem: 1MB, max_store: 16MB }, users", "B { users", "B { jetstream: enabled, users").Replace(accounts))
	n.a = n.connect("a", "first")
	js, err := n.a.JetStream(nats.MaxWait(brokertest.Patience))
	n.must(err)
	for _, c := range []*nats.StreamConfig{
		{Name: "ORDERS", Subjects: []string{"orders.>"}, MaxBytes: 1 << 20},
		{Name: "MEM", Subjects: []string{"mem"}, Storage: nats.MemoryStorage},
		{Name: "UNUSED", Subjects: []string{"unused"}, Storage: nats.MemoryStorage},
	} {
		_, err := js.AddStream(c)
		n.must(err)
	}
	for i := range 20 {
		_, err := js.Publish(fmt.Sprintf("orders.%d", i%4), []byte("a message"))
		n.must(err)
		_, err = js.Publish("mem", []byte("in memory"))
		n.must(err)
	}
	n.must(js.DeleteMsg("ORDERS", 5))
	_, err = js.AddConsumer("ORDERS", &nats.ConsumerConfig{Durable: "pull", AckPolicy: nats.AckExplicitPolicy, AckWait: time.Hour})
	n.must(err)
	_, err = js.AddConsumer("ORDERS", &nats.ConsumerConfig{Durable: "push", DeliverSubject: "nobody.listens", AckPolicy: nats.AckNonePolicy, FilterSubject: "orders.1"})
	n.must(err)
	sub, err := js.PullSubscribe("", "", nats.Bind("ORDERS", "pull"))
	n.must(err)
	msgs, err := sub.Fetch(4, nats.MaxWait(brokertest.Patience))
	n.must(err)
	n.must(msgs[0].AckSync(nats.AckWait(brokertest.Patience)))
	return n
}

// idle is a key of our own: why a consumer delivers nothing.
var idle = regexp.MustCompile(`,"idle":"[^"]*"`)

var storeDirs = regexp.MustCompile(`Storage Directory: \S+`)

// shown is what the tool says without what differs on purpose: where the storage is, and the mappings and imports by which
// nats-server has accounts reach it.
func shown(text string) string {
	text, _, _ = strings.Cut(text, "Mappings:")
	text, _, _ = strings.Cut(text, "Imports:")
	return storeDirs.ReplaceAllString(masked(text), "Storage Directory")
}

// TestNATSCLIOnStreams has operators and users look at streams by their tool, on both servers.
func TestNATSCLIOnStreams(t *testing.T) {
	ours, theirs := startStreams(t, ""), startStreams(t, brokertest.NATSServer(t))
	for _, c := range []struct{ user, args string }{
		{"sys", "server list"},
		{"sys", "server info"},
		{"sys", "server report jetstream"},
		{"sys", "server report jetstream --account A"},
		{"sys", "server report jetstream --sort bytes"},
		{"sys", "server report health"},
		{"sys", "server report health --account A --stream ORDERS --consumer pull"},
		{"sys", "server report health --account A --stream NOTHING"},
		{"sys", "server request jetstream"},
		{"sys", "server request jetstream --accounts"},
		{"sys", "server request jetstream --all"},
		{"sys", "server request jetstream --account A --streams --config"},
		{"sys", "server request jetstream-health"},
		{"sys", "server request jetstream-health --account A --stream NOTHING --details"},
		{"sys", "server request variables"},
		{"sys", "server account info A"},
		{"sys", "server check server --name watched"},
		{"a", "server check jetstream"},
		{"a", "server check jetstream --mem-critical 1"},
		{"a", "server check jetstream --streams-warn 1 --streams-critical 2"},
		{"a", "server check stream --stream ORDERS"},
		{"a", "server check stream --stream ORDERS --msgs-warn 10 --msgs-critical 5"},
		{"a", "server check stream --stream NOTHING"},
		{"a", "server check consumer --stream ORDERS --consumer pull"},
		{"a", "server check consumer --stream ORDERS --consumer pull --outstanding-ack-critical 2"},
		{"a", "server check consumer --stream ORDERS --consumer pull --unprocessed-critical 2"},
		{"a", "server check consumer --stream ORDERS --consumer NOTHING"},
		{"a", "account info"},
		{"a", "stream report"},
		{"a", "stream list"},
		{"a", "stream info ORDERS"},
		{"a", "stream state ORDERS"},
		{"a", "stream subjects ORDERS"},
		{"a", "consumer report ORDERS"},
		{"a", "consumer list ORDERS"},
		{"a", "consumer info ORDERS pull"},
	} {
		sameShown(t, ours, theirs, c.user, c.args, shown)
	}
}

// TestRequestsForStreams compares what both answer in the system account, key by key and value by value.
func TestRequestsForStreams(t *testing.T) {
	ours, theirs := startStreams(t, ""), startStreams(t, brokertest.NATSServer(t))
	for _, c := range []struct{ subject, body string }{
		{"$SYS.REQ.SERVER.PING.IDZ", ""},
		{"$SYS.REQ.SERVER.PING.STATSZ", ""},
		{"$SYS.REQ.SERVER.PING.VARZ", ""},
		{"$SYS.REQ.SERVER.PING.VARZ", `{"domain":"hub"}`},
		{"$SYS.REQ.SERVER.PING.VARZ", `{"domain":"spoke"}`},
		{"$SYS.REQ.SERVER.PING.JSZ", ""},
		{"$SYS.REQ.SERVER.PING.JSZ", `{"leader_only":true}`},
		{"$SYS.REQ.SERVER.PING.JSZ", `{"accounts":true,"streams":true,"consumer":true,"config":true}`},
		{"$SYS.REQ.SERVER.PING.JSZ", `{"account":"A","streams":true}`},
		{"$SYS.REQ.SERVER.PING.JSZ", `{"accounts":true,"offset":1,"limit":1}`},
		{"$SYS.REQ.SERVER.PING.JSZ", `{"raft":true,"stream_leader_only":true,"consumer":true,"direct_consumer":true}`},
		{"$SYS.REQ.SERVER.<id>.JSZ", `{"accounts":true}`},
		{"$SYS.REQ.SERVER.PING.HEALTHZ", ""},
		{"$SYS.REQ.SERVER.PING.HEALTHZ", `{"account":"A","stream":"ORDERS","consumer":"pull"}`},
		{"$SYS.REQ.SERVER.PING.HEALTHZ", `{"account":"A","stream":"NOTHING"}`},
		{"$SYS.REQ.SERVER.PING.HEALTHZ", `{"account":"A","stream":"NOTHING","details":true}`},
		{"$SYS.REQ.SERVER.PING.HEALTHZ", `{"account":"NOBODY","js-enabled-only":true}`},
		{"$SYS.REQ.ACCOUNT.A.JSZ", ""},
		{"$SYS.REQ.ACCOUNT.A.JSZ", `{"streams":true,"consumer":true,"config":true}`},
		{"$SYS.REQ.ACCOUNT.A.JSZ", `{"consumer":true}`},
		{"$SYS.REQ.ACCOUNT.B.JSZ", ""},
		{"$SYS.REQ.ACCOUNT.$SYS.JSZ", ""},
		{"$SYS.REQ.ACCOUNT.NOBODY.JSZ", ""},
		{"$SYS.REQ.ACCOUNT.A.INFO", ""},
		{"$SYS.REQ.SERVER.PING.ACCOUNTZ", `{"account":"A"}`},
	} {
		what := c.subject + " " + c.body
		got, want := ours.ask(c.subject, c.body), theirs.ask(c.subject, c.body)
		if got != nil {
			got.Data = idle.ReplaceAll(got.Data, nil)
		}
		compareShapesBut(t, what, got, want, func(path string) bool {
			return strings.HasPrefix(path, ".data.account_detail.mappings") || strings.HasPrefix(path, ".data.mappings") // as in shown
		})
		if !strings.HasSuffix(c.subject, ".ACCOUNTZ") && !strings.HasSuffix(c.subject, ".INFO") { // their list of imports is another
			compareValues(t, what, got, want)
		}
	}
}
