package monitor_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// What each subscription of a connection got is counted, and shown, by both servers: messages that came before it are
// not its own.
func TestConnzCountsWhatASubscriptionGot(t *testing.T) {
	shown := map[string][]string{}
	for name, binary := range map[string]string{"nats-broker": brokertest.Ours(t), "nats-server": brokertest.NATSServer(t)} {
		w := startWatched(t, binary)
		c := w.server.Open(t, `{"verbose":false}`)
		c.Send("SUB a.b 1\r\nSUB a.* 2\r\nSUB a.b q 3\r\nSUB other 4\r\n" + strings.Repeat("PUB a.b 1\r\nx\r\n", 3) + "SUB a.> late\r\nPUB a.b 1\r\nx\r\nPUB a.c 1\r\nx\r\n")
		c.Sync()
		conn := w.object("/connz?subs=detail")["connections"].([]any)[0].(map[string]any)
		for _, s := range conn["subscriptions_list_detail"].([]any) {
			s := s.(map[string]any)
			shown[name] = append(shown[name], fmt.Sprint(s["sid"], " got ", s["msgs"]))
		}
		slices.Sort(shown[name])
		var named []string
		for _, s := range w.object("/connz?subs=1")["connections"].([]any)[0].(map[string]any)["subscriptions_list"].([]any) {
			named = append(named, s.(string))
		}
		if slices.Sort(named); fmt.Sprint(named) != "[a.* a.> a.b a.b other]" {
			t.Errorf("%s lists %v", name, named)
		}
	}
	if want := shown["nats-server"]; !slices.Equal(shown["nats-broker"], want) || !slices.Contains(want, "1 got 4") {
		t.Errorf("shown %v, by nats-server %v", shown["nats-broker"], want)
	}
}
