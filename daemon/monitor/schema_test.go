package monitor_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// watched is one of the two servers under the same load.
type watched struct {
	t       *testing.T
	server  *brokertest.Server
	monitor string
}

func startWatched(t *testing.T, binary string) *watched {
	t.Helper()
	return startWith(t, binary, "")
}

// startWith adds to the configuration.
func startWith(t *testing.T, binary, more string) *watched {
	t.Helper()
	port := brokertest.FreePort(t)
	s := brokertest.Start(t, brokertest.Options{Binary: binary, Config: fmt.Sprintf("http: \"127.0.0.1:%d\"\nserver_name: watched\nmax_payload: 512KB\n%s", port, more)})
	return &watched{t, s, fmt.Sprintf("http://127.0.0.1:%d", port)}
}

// get returns the status, content type and body of a path.
func (w *watched) get(path string) (status int, kind string, body []byte) {
	w.t.Helper()
	req, err := http.NewRequest("GET", w.monitor+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err = io.ReadAll(res.Body); err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("Content-Type"), body
}

func (w *watched) object(path string) map[string]any {
	w.t.Helper()
	status, _, body := w.get(path)
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil || status != 200 {
		w.t.Fatalf("%s%s: %d, %v: %.300s", w.monitor, path, status, err, body)
	}
	return m
}

// load makes connections, subscriptions and traffic that are the same each time.
func (w *watched) load() {
	w.t.Helper()
	connect := func(name string) *nats.Conn {
		nc, err := nats.Connect(w.server.URL(), nats.Name(name))
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(nc.Close)
		return nc
	}
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	gone := connect("gone")
	_, err := gone.Subscribe("left.behind", func(*nats.Msg) {})
	must(err)
	must(gone.Flush())
	gone.Close()
	w.await("/connz?state=closed", func(m map[string]any) bool { return m["total"] == 1.0 })

	sub := connect("subscriber")
	all, err := sub.SubscribeSync("orders.>")
	must(err)
	_, err = sub.QueueSubscribe("orders.*", "workers", func(*nats.Msg) {})
	must(err)
	few, err := sub.SubscribeSync("few")
	must(err)
	must(few.AutoUnsubscribe(100))
	must(sub.Flush())
	pub := connect("publisher")
	for i := range 50 {
		must(pub.Publish(fmt.Sprintf("orders.%d", i), []byte("payload")))
	}
	must(pub.Publish("few", nil))
	must(pub.Flush())
	for range 50 {
		_, err := all.NextMsg(10 * time.Second)
		must(err)
	}
	must(sub.Flush())
}

// shape collects the paths of a JSON value with their types: "a.b[].c number".
func shape(v any, path string, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		into[path] = "object"
		for k, e := range v {
			shape(e, path+"."+k, into)
		}
	case []any:
		into[path] = "array"
		for _, e := range v {
			shape(e, path+"[]", into)
		}
	case string:
		into[path] = "string"
		if _, err := time.Parse(time.RFC3339Nano, v); err == nil {
			into[path] = "time"
		} else if _, err := time.ParseDuration(v); err == nil {
			into[path] = "duration"
		}
	default:
		into[path] = fmt.Sprintf("%T", v)
	}
}

// elsewhere are the parts of nats-server's answers that come from what this
// broker does not have, with the reason.
var elsewhere = map[string]string{
	"/varz.nats_broker": "our own: which nats-broker it is",
	"/debug/vars":       "the Go runtime's own, not made here",
}

func skippedPart(path string) bool {
	for part := range elsewhere {
		if strings.HasPrefix(path, part) {
			return true
		}
	}
	return false
}

var compared = []string{
	"/varz", "/connz", "/connz?auth=1&subs=1", "/connz?subs=detail", "/connz?state=closed&subs=detail&auth=true", "/connz?state=all&sort=uptime", "/connz?limit=1&offset=1&sort=subs",
	"/connz?acc=$G", "/connz?acc=nobody", "/connz?user=nobody", "/connz?cid=999999", "/routez", "/routez?subs=detail", "/gatewayz", "/gatewayz?accs=1", "/leafz", "/leafz?subs=1",
	"/subsz", "/subscriptionsz", "/subsz?subs=1&acc=$G&test=orders.7", "/subsz?subs=1&acc=$G&test=few", "/accountz", "/accountz?acc=$G", "/accstatz", "/accstatz?unused=1", "/jsz", "/jsz?accounts=1&streams=1",
	"/healthz", "/healthz?details=1", "/healthz?js-server-only=true", "/debug/vars",
}

// Under the same load every endpoint must have nats-server's keys and types,
// no more and no fewer.
func TestSchemaIsNATSServers(t *testing.T) {
	ours, theirs := startWatched(t, ""), startWatched(t, brokertest.NATSServer(t))
	ours.load()
	theirs.load()
	for _, path := range compared {
		compareShapes(t, path, ours, theirs, skippedPart)
	}
}

// compareShapes asks both for a path and complains about keys and types that are
// not the same, and about a content type that is not.
func compareShapes(t *testing.T, path string, ours, theirs *watched, skip func(part string) bool) {
	t.Helper()
	got, want := map[string]string{}, map[string]string{}
	_, kind, _ := ours.get(path)
	if _, k, _ := theirs.get(path); k != kind {
		t.Errorf("%s: content type %q, want %q", path, kind, k)
	}
	shape(any(ours.object(path)), path, got)
	shape(any(theirs.object(path)), path, want)
	maps.DeleteFunc(got, func(p, _ string) bool { return skip(p) })
	maps.DeleteFunc(want, func(p, _ string) bool { return skip(p) })
	for _, p := range slices.Sorted(maps.Keys(want)) {
		if got[p] != want[p] {
			t.Errorf("%s: %q, want %s", p, got[p], want[p])
		}
	}
	for _, p := range slices.Sorted(maps.Keys(got)) {
		if want[p] == "" {
			t.Errorf("%s: %s, nats-server has none", p, got[p])
		}
	}
}

// The order of the keys is what people see; it must be nats-server's as well.
func TestKeyOrderIsNATSServers(t *testing.T) {
	ours, theirs := startWatched(t, ""), startWatched(t, brokertest.NATSServer(t))
	ours.load()
	theirs.load()
	for _, path := range []string{"/varz", "/connz?auth=1", "/connz?state=closed", "/routez", "/subsz?subs=1&acc=$G&test=few", "/accstatz", "/jsz", "/leafz", "/gatewayz"} {
		_, _, a := ours.get(path)
		_, _, b := theirs.get(path)
		got, want := keysOf(t, a), keysOf(t, b)
		if path == "/varz" { // our own stands behind all others
			own := slices.Index(got, "nats_broker")
			if own < 0 {
				t.Fatal("it does not say which nats-broker it is")
			}
			got = got[:own]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: keys in the order\n%v\nwant\n%v", path, got, want)
		}
	}
}

// keysOf lists the keys of a JSON text in the order in which they first appear.
func keysOf(t *testing.T, body []byte) (keys []string) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(body)))
	type level struct {
		object bool
		n      int
	}
	var stack []level
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return keys
		}
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := tok.(json.Delim); ok && (d == '}' || d == ']') {
			stack = stack[:len(stack)-1]
			continue
		}
		if k := len(stack) - 1; k >= 0 {
			if name, ok := tok.(string); ok && stack[k].object && stack[k].n%2 == 0 && !slices.Contains(keys, name) && !strings.HasPrefix(name, "/") {
				keys = append(keys, name)
			}
			stack[k].n++
		}
		if d, ok := tok.(json.Delim); ok {
			stack = append(stack, level{object: d == '{'})
		}
	}
}

// What can be counted must be counted alike.
func TestFiguresAreNATSServers(t *testing.T) {
	ours, theirs := startWatched(t, ""), startWatched(t, brokertest.NATSServer(t))
	ours.load()
	theirs.load()
	pick := func(w *watched, path string, fields ...string) map[string]any {
		m := w.object(path)
		out := map[string]any{}
		for _, f := range fields {
			v := any(m)
			for part := range strings.SplitSeq(f, ".") {
				switch at := v.(type) {
				case map[string]any:
					v = at[part]
				case []any:
					var i int
					fmt.Sscan(part, &i)
					v = at[i]
				}
			}
			out[f] = v
		}
		return out
	}
	conn := []string{"name", "kind", "type", "ip", "lang", "version", "in_msgs", "out_msgs", "in_bytes", "out_bytes", "subscriptions", "authorized_user", "account", "name_tag", "tls_version", "reason"}
	first := func(list string) (fields []string) {
		for _, f := range conn {
			fields = append(fields, list+".0."+f)
		}
		return append(fields, "num_connections", "total", "offset", "limit")
	}
	for path, fields := range map[string][]string{
		"/varz": {"server_name", "version", "proto", "go", "host", "max_connections", "max_subscriptions", "ping_interval", "ping_max", "http_host", "http_base_path", "https_port", "auth_timeout", "auth_required", "tls_required",
			"max_control_line", "max_payload", "max_pending", "tls_timeout", "write_deadline", "cores", "gomaxprocs", "connections", "total_connections", "routes", "remotes", "leafnodes", "in_msgs", "in_bytes",
			"out_msgs", "out_bytes", "in_client_msgs", "out_client_bytes", "slow_consumers", "stale_connections", "system_account"},
		"/connz?auth=1&sort=subs&limit=1":        first("connections"),
		"/connz?auth=1&sort=msgs_from&limit=1":   first("connections"),
		"/connz?auth=1&state=closed&sort=reason": first("connections"),
		"/subsz?subs=1&acc=$G&test=few":          {"total", "subscriptions_list.0.subject", "subscriptions_list.0.max", "subscriptions_list.0.msgs", "subscriptions_list.0.sid", "subscriptions_list.0.account", "subscriptions_list.0.account_tag"},
		"/accstatz":                              {"account_statz.0"},
	} {
		got, want := pick(ours, path, fields...), pick(theirs, path, fields...)
		if st, ok := got["account_statz.0"].(map[string]any); ok { // nats-server counts its internal subscriptions
			delete(st, "num_subscriptions")
			delete(want["account_statz.0"].(map[string]any), "num_subscriptions")
		}
		for _, f := range fields {
			a, _ := json.Marshal(got[f])
			b, _ := json.Marshal(want[f])
			if string(a) != string(b) {
				t.Errorf("%s: %s is %s, want %s", path, f, a, b)
			}
		}
	}
}

// Refusals must have nats-server's status and words.
func TestRefusalsAreNATSServers(t *testing.T) {
	ours, theirs := startWatched(t, ""), startWatched(t, brokertest.NATSServer(t))
	for _, path := range []string{
		"/connz?subs=x", "/connz?auth=2", "/connz?sort=foo", "/connz?state=foo", "/connz?offset=a", "/connz?limit=1e3", "/connz?cid=-1", "/connz?sort=stop", "/connz?sort=reason&state=any", "/connz?limit=99999999999999999999",
		"/subsz?test=foo.*", "/subsz?test=a..b", "/subsz?subs=2", "/subsz?limit=x", "/accountz?acc=nobody", "/accstatz?unused=x", "/jsz?leader-only=1", "/jsz?limit=z", "/jsz?direct-consumers=z", "/routez?subs=maybe",
		"/gatewayz?accs=q", "/leafz?subs=detail", "/healthz?stream=x", "/healthz?consumer=x&details=1", "/healthz?account=a&consumer=x", "/healthz?details=q", "/healthz?js-meta-only=q", "/ipqueuesz", "/ipqueuesz?all=q", "/raftz", "/raftz?acc=x",
		"/connz/", "/nope", "/varz/x", "/connz?" + url.Values{"sort": {"<b>"}}.Encode(),
	} {
		code, _, body := ours.get(path)
		wantCode, _, want := theirs.get(path)
		if code != wantCode || string(body) != string(want) {
			t.Errorf("%s: %d %.200q, want %d %.200q", path, code, body, wantCode, want)
		}
	}
}

// What accounts share with each other must be shown as nats-server shows it.
func TestAccountSharingIsNATSServers(t *testing.T) {
	const accounts = `accounts {
  A { users [{user: a, password: a}]
      exports [{stream: "prices.>", accounts: [B]}, {service: pay, response_type: stream}, {service: "acc.*", account_token_position: 2},
               {service: "timed.*", latency: {sampling: 30, subject: lat}}, {service: asked, latency: {sampling: headers, subject: lat2}}]
      mappings { "old.*": "new.$1" } }
  B { users [{user: b, password: b}]
      imports [{stream: {account: A, subject: "prices.>"}, prefix: in}, {service: {account: A, subject: pay}, to: bill},
               {service: {account: A, subject: "timed.a"}}, {service: {account: A, subject: asked}}] }
}`
	ours, theirs := startWith(t, "", accounts), startWith(t, brokertest.NATSServer(t), accounts)
	part := func(w *watched, account, name string) string {
		detail := w.object("/accountz?acc=" + account)["account_detail"].(map[string]any)
		if list, ok := detail[name].([]any); ok { // in no order
			var texts []string
			for _, e := range list {
				text, _ := json.Marshal(e)
				texts = append(texts, string(text))
			}
			slices.Sort(texts)
			return strings.Join(texts, "\n")
		}
		text, _ := json.Marshal(detail[name])
		return string(text)
	}
	for _, account := range []string{"A", "B", "$SYS"} {
		for _, name := range []string{"exports", "imports", "mappings", "name_tag", "is_system", "expired", "complete"} {
			got, want := part(ours, account, name), part(theirs, account, name)
			if got == "null" {
				got = ""
			}
			if want == "null" {
				want = ""
			}
			if got != want {
				t.Errorf("%s of %s:\n%s\nwant\n%s", name, account, got, want)
			}
		}
	}
	if got, want := ours.object("/varz")["auth_required"], theirs.object("/varz")["auth_required"]; got != want {
		t.Errorf("auth_required is %v, want %v", got, want)
	}
}
