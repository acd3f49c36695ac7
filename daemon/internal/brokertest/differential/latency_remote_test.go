package differential

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestServiceLatencyAcrossServers measures requests of a client of one server that a client of another answers, for all
// four combinations of servers: the samples have the same fields, and tell of both clients, whoever made which half.
func TestServiceLatencyAcrossServers(t *testing.T) {
	bin := map[string]string{"nats-server": brokertest.NATSServer(t), "nats-broker": brokertest.Ours(t)}
	samples := map[string]string{}
	for requestor := range bin {
		for responder := range bin {
			name := requestor + " asks " + responder
			t.Run(name, func(t *testing.T) {
				samples[name] = measureAcross(t, bin[requestor], bin[responder])
			})
		}
	}
	const theirs = "nats-server asks nats-server"
	for name, got := range samples {
		if got != samples[theirs] {
			t.Errorf("%s\n- nats-server, + with ours\n%s", name, difference(samples[theirs], got))
		}
	}
}

// measureAcross has a client of one server ask another's, once of each service, and returns the samples.
func measureAcross(t *testing.T, requestor, responder string) string {
	t.Helper()
	port := brokertest.FreePort(t)
	config := strings.Replace(latencyConfig, "accounts {", "accounts { $SYS { users: [ {user: sys, password: sys} ] }", 1)
	start := func(bin, name, cluster string) *brokertest.Server {
		return brokertest.Start(t, brokertest.Options{Binary: bin,
			Config: fmt.Sprintf("server_name: %s\ncluster { name: C, %s }\n%s", name, cluster, config)})
	}
	asked := start(responder, "responding", fmt.Sprintf("listen: '127.0.0.1:%d'", port))
	asking := start(requestor, "requesting", fmt.Sprintf("listen: '127.0.0.1:-1', routes: ['nats://127.0.0.1:%d']", port))
	connect := func(s *brokertest.Server, user string) *nats.Conn {
		nc, err := nats.Connect(s.URL(), nats.Timeout(brokertest.Patience), nats.UserInfo(user, user), nats.Name(user))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	service, client := connect(asked, "s"), connect(asking, "c")
	samples := map[string]*nats.Subscription{}
	for _, subj := range []string{"all", "asked"} {
		var err error
		if samples[subj], err = service.SubscribeSync("lat." + subj); err != nil {
			t.Fatal(err)
		}
		if _, err = service.Subscribe(subj, func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := service.FlushTimeout(brokertest.Patience); err != nil {
		t.Fatal(err)
	}
	sys := connect(asked, "sys")
	halves, err := sys.SubscribeSync("$SYS.LATENCY.M2.*")
	if err != nil {
		t.Fatal(err)
	}
	if err := sys.FlushTimeout(brokertest.Patience); err != nil {
		t.Fatal(err)
	}
	awaitAnswer(t, client, &nats.Msg{Subject: "asked"})
	awaitSample(t, client, samples["all"])
	half, err := halves.NextMsg(brokertest.Patience)
	if err != nil {
		t.Fatal("what one server tells the other: ", err)
	}
	lines := []string{describeHalf(t, half)}
	for _, m := range []*nats.Msg{{Subject: "all"}, {Subject: "asked", Header: nats.Header{"X-B3-Sampled": {"1"}}}} {
		awaitAnswer(t, client, m)
		got, err := samples[m.Subject].NextMsg(brokertest.Patience)
		if err != nil {
			t.Fatalf("no sample of %q: %v", m.Subject, err)
		}
		lines = append(lines, describeSample(t, got))
	}
	return strings.Join(lines, "\n")
}

// awaitAnswer asks until there is an answer: the interest of the other server may be on its way.
func awaitAnswer(t *testing.T, nc *nats.Conn, m *nats.Msg) {
	t.Helper()
	var err error
	for end := time.Now().Add(brokertest.Patience); time.Now().Before(end); {
		if _, err = nc.RequestMsg(m, brokertest.Patience); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// awaitSample asks until an answer is measured: the accounts of services and of the system have connections of their
// own, so that answers may get through before what is measured does.
func awaitSample(t *testing.T, nc *nats.Conn, samples *nats.Subscription) {
	t.Helper()
	for end := time.Now().Add(brokertest.Patience); time.Now().Before(end); {
		awaitAnswer(t, nc, &nats.Msg{Subject: "all"})
		for {
			m, err := samples.NextMsg(100 * time.Millisecond)
			if err != nil {
				break // one more may get through
			}
			if strings.Contains(string(m.Data), `"status":200`) {
				return
			}
		}
	}
	t.Fatal("no sample of an answer")
}

// describeHalf returns the fields of what the responder's server tells, with their types.
func describeHalf(t *testing.T, m *nats.Msg) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(m.Data, &v); err != nil {
		t.Fatal(err)
	}
	id, _ := v["req_id"].(string)
	if node := strings.TrimPrefix(m.Subject, "$SYS.LATENCY.M2."); !strings.HasSuffix(id, "."+node+".T") || !strings.HasPrefix(id, "_R_.") {
		t.Errorf("%s is told of request %q", m.Subject, id)
	}
	fields := map[string]string{}
	spread(v, "", fields)
	return fieldLines(fields)
}

// describeSample checks what a sample says of times and returns the rest of it.
func describeSample(t *testing.T, m *nats.Msg) string {
	t.Helper()
	var l struct {
		Requestor, Responder   struct{ RTT any }
		Service, System, Total float64
	}
	var v map[string]any
	for _, into := range []any{&l, &v} {
		if err := json.Unmarshal(m.Data, into); err != nil {
			t.Fatal(err)
		}
	}
	if l.Service < 0 || l.System < 0 || l.Total <= 0 || l.Total < l.Service {
		t.Errorf("times that cannot be: %s", m.Data)
	}
	if l.Responder.RTT == nil || l.Requestor.RTT == nil {
		t.Errorf("a client's distance is missing: %s", m.Data)
	}
	fields := map[string]string{"subject": m.Subject}
	spread(v, "", fields)
	return fieldLines(fields)
}
