package streams

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestLongReplies: with js_ack_fc_v2 the subjects of acks and of flow control name domain and account, with both brokers alike, and
// lead back to the consumer; the short ones do still.
func TestLongReplies(t *testing.T) {
	for _, c := range []struct{ domain, prefix string }{{"", "_"}, {"domain: D", "D"}} {
		for name, bin := range map[string]string{"nats-broker": "", "nats-server": brokertest.NATSServer(t)} {
			t.Run(fmt.Sprintf("%s/%s", name, c.prefix), func(t *testing.T) {
				s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: config(t, c.domain) + "feature_flags { js_ack_fc_v2: true }\n"})
				nc, err := nats.Connect(s.URL(), nats.MaxReconnects(0))
				if err != nil {
					t.Fatal(err)
				}
				defer nc.Close()
				js, err := nc.JetStream()
				must := func(err error) {
					t.Helper()
					if err != nil {
						t.Fatal(err)
					}
				}
				must(err)
				_, err = js.AddStream(&nats.StreamConfig{Name: "S", Subjects: []string{"s"}})
				must(err)
				for range 3 {
					_, err = js.Publish("s", []byte("x"))
					must(err)
				}
				_, err = js.AddConsumer("S", &nats.ConsumerConfig{Durable: "c", AckPolicy: nats.AckExplicitPolicy})
				must(err)
				pull, err := js.PullSubscribe("", "c", nats.Bind("S", "c"))
				must(err)
				list, err := pull.Fetch(3, nats.MaxWait(brokertest.Patience))
				must(err)
				hash := "szMpdrwD" // of $G
				if got := strings.Split(list[0].Reply, "."); len(got) < 11 || strings.Join(got[:6], ".") != "$JS.ACK."+c.prefix+"."+hash+".S.c" {
					t.Errorf("the reply subject is %s", list[0].Reply)
				}
				must(list[0].AckSync())
				must(list[1].AckSync())
				short := "$JS.ACK." + strings.SplitN(list[2].Reply, ".", 5)[4]
				_, err = nc.Request(short, []byte("+ACK"), brokertest.Patience)
				must(err)
				i, err := js.ConsumerInfo("S", "c")
				must(err)
				if i.NumAckPending != 0 || i.AckFloor.Stream != 3 {
					t.Errorf("%d acks are missing, the floor is %d", i.NumAckPending, i.AckFloor.Stream)
				}

				flow, err := nc.SubscribeSync("$JS.FC.>")
				must(err)
				push, err := js.SubscribeSync("s", nats.OrderedConsumer())
				must(err)
				const more = 3000
				for range more {
					_, err = js.PublishAsync("s", make([]byte, 1000))
					must(err)
				}
				for range 3 + more {
					_, err := push.NextMsg(brokertest.Patience)
					must(err)
				}
				m, err := flow.NextMsg(brokertest.Patience) // the client's answer
				must(err)
				if want := "$JS.FC." + c.prefix + "." + hash + ".S."; !strings.HasPrefix(m.Subject, want) {
					t.Errorf("flow control by %s", m.Subject)
				}
			})
		}
	}
}
