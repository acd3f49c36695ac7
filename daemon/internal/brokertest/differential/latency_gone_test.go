package differential

import (
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestServiceLatencyOfWhoGoesAway measures requests whose requestor does not wait for the answer, on both servers: the
// sample comes when nobody takes the answer any more, long before the service would be late.
func TestServiceLatencyOfWhoGoesAway(t *testing.T) {
	samples := map[string][]string{}
	for name, bin := range map[string]string{"nats-server": brokertest.NATSServer(t), "nats-broker": brokertest.Ours(t)} {
		s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: `accounts {
  S { users: [ {user: s, password: s} ], exports: [ {service: svc, latency: {subject: "lat.svc", sampling: 100}, threshold: "10m"} ] }
  C { users: [ {user: c, password: c} ], imports: [ {service: {account: S, subject: svc}} ] } }`})
		samples[name] = measureGone(t, s)
	}
	if a, b := samples["nats-server"], samples["nats-broker"]; !slices.Equal(a, b) {
		t.Errorf("- nats-server, + nats-broker\n%s", difference(strings.Join(a, "\n"), strings.Join(b, "\n")))
	}
}

func measureGone(t *testing.T, s *brokertest.Server) (lines []string) {
	t.Helper()
	connect := func(user string) *nats.Conn {
		nc, err := nats.Connect(s.URL(), nats.Timeout(brokertest.Patience), nats.UserInfo(user, user), nats.Name(user))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	subscribe := func(nc *nats.Conn, subject string) *nats.Subscription {
		sub, err := nc.SubscribeSync(subject)
		if err != nil {
			t.Fatal(err)
		}
		return sub
	}
	flush := func(nc *nats.Conn) {
		if err := nc.FlushTimeout(brokertest.Patience); err != nil {
			t.Fatal(err)
		}
	}
	service, other := connect("s"), connect("c")
	lat, requests := subscribe(service, "lat.>"), subscribe(service, "svc")
	flush(service)
	ask := func(nc *nats.Conn, reply string) *nats.Msg {
		if err := nc.PublishRequest("svc", reply, nil); err != nil {
			t.Fatal(err)
		}
		m, err := requests.NextMsg(brokertest.Patience)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	also := subscribe(other, "two.*")
	flush(other)

	gone := connect("c")
	subscribe(gone, "in.>")
	ask(gone, "in.box")
	gone.Close()
	lines = append(lines, "the connection: "+nextSample(t, "the connection", lat))

	stays := connect("c")
	wild, one := subscribe(stays, "in.*"), subscribe(stays, "one")
	ask(stays, "one")
	late := ask(stays, "in.box")
	both := ask(stays, "two.a")
	for _, sub := range []*nats.Subscription{one, wild} {
		if err := sub.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		flush(stays)
		lines = append(lines, sub.Subject+": "+nextSample(t, sub.Subject, lat))
	}
	if err := late.Respond(nil); err != nil { // nobody waits: no sample
		t.Fatal(err)
	}
	two := subscribe(stays, "two.a")
	if err := two.Unsubscribe(); err != nil { // the other connection takes it
		t.Fatal(err)
	}
	flush(stays)
	if err := both.Respond(nil); err != nil {
		t.Fatal(err)
	}
	lines = append(lines, "another takes it: "+nextSample(t, "another takes it", lat))
	if _, err := also.NextMsg(brokertest.Patience); err != nil {
		t.Error(err)
	}

	once := subscribe(stays, "once")
	if err := once.AutoUnsubscribe(1); err != nil {
		t.Fatal(err)
	}
	if err := ask(stays, "once").Respond(nil); err != nil {
		t.Fatal(err)
	}
	lines = append(lines, "an answer that ends the subscription: "+nextSample(t, "once", lat))
	flush(service)
	if n, _, _ := lat.Pending(); n != 0 {
		t.Errorf("%d samples more than were asked for", n)
	}
	return lines
}
