package daemon_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

const sharedService = `
accounts {
  S { users: [{user: s, password: s}], exports: [{service: "svc.*"}, {stream: "news.>"}] }
  C { users: [{user: c, password: c}], imports: [{service: {account: S, subject: "svc.*"}}, {stream: {account: S, subject: "news.>"}}] }
}
`

// TestClusterShares: services and streams of another account are reached on other
// nodes, ours or nats-server's, and answers find their way back.
func TestClusterShares(t *testing.T) {
	for _, c := range []struct{ name, seed, joiner string }{
		{"all ours", "", ""},
		{"nats-server is the seed", brokertest.NATSServer(t), ""},
		{"nats-server joins", "", brokertest.NATSServer(t)},
	} {
		t.Run(c.name, func(t *testing.T) {
			routePort := brokertest.FreePort(t)
			seed := brokertest.Start(t, brokertest.Options{Binary: c.seed, Config: fmt.Sprintf(
				"server_name: a\ncluster { name: C, listen: '127.0.0.1:%d' }\n%s", routePort, sharedService)})
			joiner := brokertest.Start(t, brokertest.Options{Binary: c.joiner, Config: fmt.Sprintf(
				"server_name: b\ncluster { name: C, listen: '127.0.0.1:-1', routes: ['nats://127.0.0.1:%d'] }\n%s", routePort, sharedService)})
			sharesReach(t, seed, joiner)
			sharesReach(t, joiner, seed)
		})
	}
}

// sharesReach serves on one node and asks on the other.
func sharesReach(t *testing.T, serving, asking *brokertest.Server) {
	t.Helper()
	s, err := nats.Connect(serving.URL(), nats.UserInfo("s", "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := nats.Connect(asking.URL(), nats.UserInfo("c", "c"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := s.QueueSubscribe("svc.*", "q", func(m *nats.Msg) { _ = m.Respond([]byte(m.Subject)) }); err != nil {
		t.Fatal(err)
	}
	news, err := c.SubscribeSync("news.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Flush(), c.Flush()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(brokertest.Patience); ; {
		m, err := c.Request("svc.x", nil, time.Second)
		if err == nil {
			if string(m.Data) != "svc.x" {
				t.Errorf("answer %q", m.Data)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no answer from a service on another node: %v", err)
		}
	}
	for range 20 { // and again: each answer finds its request
		if _, err := c.Request("svc.y", nil, brokertest.Patience); err != nil {
			t.Fatal(err)
		}
	}
	heard := make(map[string]bool)
	next := func(patience time.Duration) (text string) {
		t.Helper()
		m, err := news.NextMsg(patience)
		if err != nil {
			return ""
		}
		if text = string(m.Data); heard[text] {
			t.Errorf("news %s came twice", text)
		}
		heard[text] = true
		return text
	}
	tell := func(text string) {
		t.Helper()
		if err := s.Publish("news.today", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for n, end := 0, time.Now().Add(brokertest.Patience); len(heard) == 0; n++ {
		if time.Now().After(end) {
			t.Fatal("no news from another node")
		}
		tell(strconv.Itoa(n))
		next(500 * time.Millisecond)
	}
	tell("last")
	for text := ""; text != "last"; {
		if text = next(brokertest.Patience); text == "" {
			t.Fatal("news stay away")
		}
	}
}
