package daemon_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// Who waits goes on waiting through an upgrade: for the messages of a pull request, with what is left of its time; as the one that a
// consumer is pinned to; where a consumer pushes to, with the window of its flow control; and where it delivers in order, without
// beginning again. Streams and consumers in memory are there as they were.
func TestUpgradeKeepsWhoWaits(t *testing.T) {
	s, socket := controlled(t, fmt.Sprintf("jetstream { store_dir: %q }\n", t.TempDir()))
	t.Cleanup(func() { verb(t, socket, "stop") })
	nc := connect(t, s.URL(), nats.NoReconnect())
	request(t, nc, "$JS.API.STREAM.CREATE.F", `{"name":"F","subjects":["f.*"]}`)
	request(t, nc, "$JS.API.STREAM.CREATE.M", `{"name":"M","subjects":["m.*"],"storage":"memory"}`)
	request(t, nc, "$JS.API.CONSUMER.DURABLE.CREATE.F.pull", `{"stream_name":"F","config":{"durable_name":"pull","ack_policy":"explicit","filter_subject":"f.1"}}`)
	request(t, nc, "$JS.API.CONSUMER.CREATE.M.pull", `{"stream_name":"M","config":{"name":"pull","ack_policy":"explicit","filter_subject":"m.1","inactive_threshold":600000000000}}`)
	request(t, nc, "$JS.API.CONSUMER.DURABLE.CREATE.F.pinned", `{"stream_name":"F","config":{"durable_name":"pinned","ack_policy":"explicit","filter_subject":"f.2",`+
		`"priority_policy":"pinned_client","priority_groups":["g"],"priority_timeout":600000000000}}`)
	replies := make(chan *nats.Msg, 100)
	asks := func(to, inbox, body string) {
		t.Helper()
		if _, err := nc.ChanSubscribe(inbox, replies); err != nil {
			t.Fatal(err)
		}
		if err := nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+to, inbox, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	next := func(what string) *nats.Msg {
		t.Helper()
		select {
		case m := <-replies:
			if m.Header.Get("Status") != "" {
				t.Fatalf("%s: %v", what, m.Header)
			}
			return m
		case <-time.After(brokertest.Patience):
			t.Fatalf("%s: no message", what)
		}
		return nil
	}
	publish := func(subject, text string) { t.Helper(); request(t, nc, subject, text) }

	asks("F.pull", "of.f", `{"batch":3,"expires":600000000000}`)
	asks("M.pull", "of.m", `{"batch":3,"expires":600000000000}`)
	asks("F.pinned", "of.pinned", `{"batch":3,"expires":600000000000,"group":"g"}`)
	publish("f.1", "0")
	publish("m.1", "0")
	next("of the first process")
	next("of the first process")
	publish("f.2", "0")
	pin := next("of the first process").Header.Get("Nats-Pin-Id")
	if pin == "" {
		t.Fatal("nobody is pinned")
	}

	js, err := nc.JetStream(nats.MaxWait(brokertest.Patience))
	if err != nil {
		t.Fatal(err)
	}
	type listener struct {
		sub *nats.Subscription
		got chan string
	}
	var listeners []listener
	listen := func(subject string, opts ...nats.SubOpt) {
		t.Helper()
		l := listener{got: make(chan string, 10_000)}
		if l.sub, err = js.Subscribe(subject, func(m *nats.Msg) { l.got <- string(m.Data) }, opts...); err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
	}
	for _, subject := range []string{"f.3", "m.3"} {
		listen(subject, nats.OrderedConsumer(), nats.IdleHeartbeat(time.Minute))
		listen(subject, nats.EnableFlowControl(), nats.IdleHeartbeat(time.Minute), nats.AckNone())
	}
	const many = 200
	sent := 0
	stream := func() {
		t.Helper()
		for range many {
			for _, subject := range []string{"f.3", "m.3"} {
				if err := nc.Publish(subject, fmt.Appendf(make([]byte, 0, 30_000), "%-30000d", sent)); err != nil {
					t.Fatal(err)
				}
			}
			sent++
		}
	}
	heard := 0
	hear := func() {
		t.Helper()
		for ; heard < sent; heard++ {
			for _, l := range listeners {
				select {
				case text := <-l.got:
					if strings.TrimSpace(text) != fmt.Sprint(heard) {
						t.Fatalf("%s: %.20s; want %d", l.sub.Subject, text, heard)
					}
				case <-time.After(brokertest.Patience):
					t.Fatalf("%s: no message %d", l.sub.Subject, heard)
				}
			}
		}
	}
	stream()
	hear()
	names := func() (list []string) {
		for _, l := range listeners {
			i, err := l.sub.ConsumerInfo()
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, i.Name)
		}
		return list
	}
	before := names()
	stream() // some of it is under way
	for i := range 2 {
		if code, out := verb(t, socket, "upgrade"); code != 0 {
			t.Fatalf("upgrade exits %d: %s", code, out)
		}
		for _, subject := range []string{"f.1", "m.1", "f.2"} {
			publish(subject, fmt.Sprint(i+1))
			if m := next(subject); string(m.Data) != fmt.Sprint(i+1) || subject == "f.2" && m.Header.Get("Nats-Pin-Id") != pin {
				t.Errorf("%s: %s, %v", subject, m.Data, m.Header)
			}
		}
		stream()
	}
	hear()
	if after := names(); !slices.Equal(before, after) {
		t.Errorf("consumers were %q and are %q", before, after)
	}
	for stream, msgs := range map[string]int{"F": 6 + sent, "M": 3 + sent} {
		if out := request(t, nc, "$JS.API.STREAM.INFO."+stream, ""); !strings.Contains(out, fmt.Sprintf(`"messages":%d,`, msgs)) ||
			!strings.Contains(out, `"consumer_count":`+map[string]string{"F": "4", "M": "3"}[stream]) {
			t.Errorf("%s", out)
		}
	}
	select {
	case m := <-replies:
		t.Errorf("%s: %v %s", m.Subject, m.Header, m.Data)
	default:
	}
}

// A process that ends while it takes over costs nobody who waits: our own program, which goes on in its place, finds what was left
// once more.
func TestUpgradeToOneThatCrashesKeepsWhoWaits(t *testing.T) {
	for _, step := range []string{"found", "started"} {
		t.Run(step, func(t *testing.T) {
			flag, socket := filepath.Join(t.TempDir(), "crash"), filepath.Join(t.TempDir(), "control.sock")
			s := brokertest.Start(t, brokertest.Options{
				Binary: brokertest.OursCrashing(t), Env: []string{"NATS_CRASH_FILE=" + flag},
				Config: fmt.Sprintf("listen: \"127.0.0.1:%s\"\nconfig_watch: off\ncontrol_socket: %q\njetstream { store_dir: %q }\n",
					brokertest.PortMark, socket, t.TempDir()),
			})
			t.Cleanup(func() { verb(t, socket, "stop") })
			nc := connect(t, s.URL(), nats.NoReconnect())
			request(t, nc, "$JS.API.STREAM.CREATE.M", `{"name":"M","subjects":["m.*"],"storage":"memory"}`)
			request(t, nc, "m.1", "before")
			request(t, nc, "$JS.API.CONSUMER.CREATE.M.c", `{"stream_name":"M","config":{"name":"c","filter_subject":"m.2","inactive_threshold":600000000000}}`)
			sub, err := nc.SubscribeSync("inbox")
			if err != nil {
				t.Fatal(err)
			}
			if err := nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.M.c", "inbox", []byte(`{"batch":1,"expires":600000000000}`)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(flag, []byte(step), 0o600); err != nil {
				t.Fatal(err)
			}
			if code, out := verb(t, socket, "upgrade"); code != 1 {
				t.Errorf("upgrade exits %d: %s", code, out)
			}
			if _, err := os.Stat(flag); err == nil {
				t.Fatal("it did not crash")
			}
			request(t, nc, "m.2", "after")
			if m, err := sub.NextMsg(brokertest.Patience); err != nil || string(m.Data) != "after" {
				t.Errorf("%+v, %v", m, err)
			}
			if out := request(t, nc, "$JS.API.STREAM.INFO.M", ""); !strings.Contains(out, `"messages":2,`) {
				t.Errorf("%s", out)
			}
		})
	}
}
