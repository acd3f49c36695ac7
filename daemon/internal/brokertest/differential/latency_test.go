package differential

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

const latencyConfig = `accounts {
  S { users: [ {user: s, password: s} ]
    exports: [ {service: "all", latency: {subject: "lat.all", sampling: 100}, threshold: "300ms"}
      {service: "asked", latency: {subject: "lat.asked", sampling: headers}} ] }
  C { users: [ {user: c, password: c} ]
    imports: [ {service: {account: S, subject: all}}, {service: {account: S, subject: asked}, share: true} ] }
}`

// latencyRequests are requests to the two services. Each has a header or none; sample says whether it is measured, and
// how it ends.
var latencyRequests = []struct {
	name, service string
	header        nats.Header
	answered      bool
	reply         bool
	sample        bool
}{
	{"every request", "all", nil, true, true, true},
	{"no reply subject", "all", nil, false, false, true},
	{"too late", "all", nil, false, true, true},
	{"not asked for", "asked", nil, true, true, false},
	{"jaeger", "asked", nats.Header{"Uber-Trace-Id": {"479fefe9525eddb:5adb976bfc1f95c1:479fefe9525eddb:1"}, "Uberctx-X": {"y"}, "Other": {"z"}}, true, true, true},
	{"jaeger, lower case", "asked", nats.Header{"uber-trace-id": {"1:1:1:01"}}, true, true, true},
	{"jaeger, no", "asked", nats.Header{"Uber-Trace-Id": {"1:1:1:0"}}, true, true, false},
	{"zipkin", "asked", nats.Header{"X-B3-TraceId": {"80f1"}, "X-B3-SpanId": {"e457"}, "X-B3-ParentSpanId": {"1"}}, true, true, true},
	{"zipkin, sampled", "asked", nats.Header{"X-B3-Sampled": {"1"}}, true, true, true},
	{"zipkin, not sampled", "asked", nats.Header{"X-B3-TraceId": {"80f1"}, "X-B3-Sampled": {"0"}}, true, true, false},
	{"zipkin in one", "asked", nats.Header{"B3": {"80f198ee56343ba8-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90"}}, true, true, true},
	{"zipkin in one, no", "asked", nats.Header{"B3": {"0"}}, true, true, false},
	{"w3c", "asked", nats.Header{"traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, "tracestate": {"a=b"}}, true, true, true},
	{"w3c, no", "asked", nats.Header{"traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}}, true, true, false},
	{"other headers", "asked", nats.Header{"X": {"1"}}, true, true, false},
}

// TestServiceLatency measures requests to services, on both servers: the same requests give samples, of the same fields
// and with the same values where those are not times.
func TestServiceLatency(t *testing.T) {
	samples := map[string][]string{}
	for name, bin := range map[string]string{"nats-server": brokertest.NATSServer(t), "nats-broker": brokertest.Ours(t)} {
		s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: latencyConfig})
		samples[name] = measureLatency(t, s)
	}
	if a, b := samples["nats-server"], samples["nats-broker"]; !slices.Equal(a, b) {
		t.Errorf("- nats-server, + nats-broker\n%s", difference(strings.Join(a, "\n"), strings.Join(b, "\n")))
	}
}

// measureLatency plays latencyRequests and returns a line for each sample.
func measureLatency(t *testing.T, s *brokertest.Server) []string {
	t.Helper()
	connect := func(user string) *nats.Conn {
		nc, err := nats.Connect(s.URL(), nats.Timeout(brokertest.Patience), nats.UserInfo(user, user), nats.Name(user))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	service, client := connect("s"), connect("c")
	lat, err := service.SubscribeSync("lat.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := service.FlushTimeout(brokertest.Patience); err != nil {
		t.Fatal(err)
	}
	// Nobody serves yet.
	if _, err := client.Request("all", nil, brokertest.Patience); err == nil {
		t.Error("an answer of nobody")
	}
	lines := []string{"nobody: " + nextSample(t, "nobody", lat)}
	silent := make(chan struct{}, 1)
	for _, subj := range []string{"all", "asked"} {
		if _, err := service.Subscribe(subj, func(m *nats.Msg) {
			if string(m.Data) == "answer" {
				_ = m.Respond(nil)
			} else {
				silent <- struct{}{}
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := service.FlushTimeout(brokertest.Patience); err != nil {
		t.Fatal(err)
	}
	for _, r := range latencyRequests {
		m := nats.NewMsg(r.service)
		m.Header = r.header
		switch {
		case r.answered:
			m.Data = []byte("answer")
			if _, err := client.RequestMsg(m, brokertest.Patience); err != nil {
				t.Fatal(r.name, err)
			}
		default:
			if r.reply {
				m.Reply = client.NewRespInbox()
			}
			if err := client.PublishMsg(m); err != nil {
				t.Fatal(err)
			}
			<-silent
		}
		if r.sample {
			lines = append(lines, r.name+": "+nextSample(t, r.name, lat))
		}
	}
	if err := service.FlushTimeout(brokertest.Patience); err != nil {
		t.Fatal(err)
	}
	if n, _, _ := lat.Pending(); n != 0 {
		t.Errorf("%d samples more than were asked for", n)
	}
	return lines
}

// nextSample returns the next sample with what differs between runs replaced by its type.
func nextSample(t *testing.T, what string, lat *nats.Subscription) string {
	t.Helper()
	m, err := lat.NextMsg(brokertest.Patience)
	if err != nil {
		t.Fatalf("no sample of %q: %v", what, err)
	}
	var v map[string]any
	if err := json.Unmarshal(m.Data, &v); err != nil {
		t.Fatal(err)
	}
	fields := map[string]string{"subject": m.Subject}
	spread(v, "", fields)
	return fieldLines(fields)
}

// fieldLines lists fields with their values.
func fieldLines(fields map[string]string) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		list = append(list, k+"="+fields[k])
	}
	return strings.Join(list, " ")
}

// spread notes the fields of an event: values that are the same in every run, types of the others.
func spread(v any, path string, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			spread(e, path+"."+k, into)
		}
	case []any:
		for i, e := range v {
			spread(e, fmt.Sprintf("%s[%d]", path, i), into)
		}
	default:
		into[path] = fmt.Sprintf("%T", v)
		for _, same := range []string{".type", ".status", ".description", ".acc", ".name", ".user", ".kind", ".client_type", ".lang", ".host"} {
			if strings.HasSuffix(path, same) || strings.HasPrefix(path, ".header.") {
				into[path] = fmt.Sprint(v)
			}
		}
	}
}
