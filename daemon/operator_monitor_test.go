package daemon_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// observed is a server in operator mode whose monitoring is looked at.
type observed struct {
	t    *testing.T
	s    *brokertest.Server
	http int
}

func observe(t *testing.T, binary, config string) *observed {
	t.Helper()
	o := &observed{t: t, http: brokertest.FreePort(t)}
	o.s = brokertest.Start(t, brokertest.Options{Binary: binary, Config: fmt.Sprintf("http: \"127.0.0.1:%d\"\nserver_name: seen\n%s", o.http, config)})
	return o
}

// page returns what an endpoint says, as it is and decoded.
func (o *observed) page(path string) (string, map[string]any) {
	o.t.Helper()
	q, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", o.http, path), nil)
	if err != nil {
		o.t.Fatal(err)
	}
	q.Close = true
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		o.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		o.t.Fatalf("%s: %v: %s", path, err, text)
	}
	return string(text), m
}

// plain writes a JSON value down so that two can be compared: lists in order of their texts, every JWT as what it
// says, and neither times nor counts of internal subscriptions, which are the server's own.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if k != "update_time" && k != "now" && k != "server_id" && k != "sublist_stats" && k != "subscriptions" {
				out[k] = plain(e)
			}
		}
		return out
	case []any:
		var texts []string
		for _, e := range v {
			text, _ := json.Marshal(plain(e))
			texts = append(texts, string(text))
		}
		slices.Sort(texts)
		return texts
	case string:
		if strings.HasPrefix(v, "eyJ") && strings.Count(v, ".") == 2 {
			var said any
			body, _ := base64.RawURLEncoding.DecodeString(strings.Split(v, ".")[1])
			if err := json.Unmarshal(body, &said); err != nil {
				return err.Error()
			}
			return plain(said)
		}
	}
	return v
}

// monitored is a realm with a bit of everything that monitoring shows.
func monitored(t *testing.T) (r *realm, x, y *realmAccount, token string) {
	r = newRealm(t, func(c *jwt.OperatorClaims) { c.OperatorServiceURLs.Add("nats://127.0.0.1:4222") })
	_, gone := newKey(t, nkeys.CreateUser)
	x = r.account("X", func(c *jwt.AccountClaims) {
		c.Tags.Add("gold", "harbour")
		c.Description = "offers"
		c.Exports = jwt.Exports{
			{Name: "all", Subject: "pub.>", Type: jwt.Stream},
			{Subject: "priv.>", Type: jwt.Stream, TokenReq: true},
			{Subject: "svc.*", Type: jwt.Service, Latency: &jwt.ServiceLatency{Sampling: 20, Results: "lat"}},
			{Subject: "asked", Type: jwt.Service, Latency: &jwt.ServiceLatency{Sampling: jwt.Headers, Results: "lat.asked"}},
			{Subject: "many", Type: jwt.Service, ResponseType: jwt.ResponseTypeStream, TokenReq: true},
		}
		c.Mappings = jwt.Mapping{"old.*": {{Subject: "new.$1", Weight: 100}}}
		c.Revoke(gone)
	})
	_, former := newKey(t, nkeys.CreateAccount)
	x.claims.Exports[1].Revoke(former)
	x.sign()
	y = r.account("Y", nil)
	token = activation(t, x.key, x, y, "priv.>", jwt.Stream, nil)
	y.claims.Imports.Add(
		&jwt.Import{Name: "news", Account: x.id, Subject: "pub.>", LocalSubject: "in.>", Type: jwt.Stream},
		&jwt.Import{Account: x.id, Subject: "priv.>", Type: jwt.Stream, Token: token},
		&jwt.Import{Account: x.id, Subject: "svc.pay", LocalSubject: "bill", Type: jwt.Service, Share: true},
		&jwt.Import{Account: x.id, Subject: "many", Type: jwt.Service}, // not granted
	)
	y.sign()
	return r, x, y, token
}

// TestOperatorMonitoring: what /varz, /accountz, /accstatz and /subsz say in operator mode is what nats-server says,
// but for the signatures of JWTs, which are not shown.
func TestOperatorMonitoring(t *testing.T) {
	r, x, y, token := monitored(t)
	other := r.account("OTHER", nil)
	config := fmt.Sprintf("%s\nresolver_pinned_accounts: [%s, %s]\n", r.memory(), x.id, y.id)
	ours, theirs := observe(t, "", config), observe(t, brokertest.NATSServer(t), config)
	for _, o := range []*observed{ours, theirs} {
		for _, a := range []*realmAccount{x, y} {
			login(t, o.s, a.user("u", nil), nil).Sync()
		}
		c := login(t, o.s, x.user("u", nil), nil)
		c.Send("SUB seen 7\r\n")
		c.Sync()
		login(t, o.s, other.user("u", nil), nil).Sync() // is not pinned
	}
	for _, path := range []string{"/accountz", "/accountz?acc=" + x.id, "/accountz?acc=" + y.id, "/accountz?acc=" + r.sys.id} {
		text, got := ours.page(path)
		_, want := theirs.page(path)
		differ(t, path, plain(got), plain(want))
		for _, a := range r.all {
			if shows(text, a.jwt) {
				t.Errorf("%s shows the signature of an account", path)
			}
		}
		if shows(text, token) {
			t.Errorf("%s shows the signature of an activation", path)
		}
	}
	text, got := ours.page("/varz")
	_, want := theirs.page("/varz")
	for _, field := range []string{"trusted_operators_jwt", "trusted_operators_claim", "system_account", "pinned_account_fails", "auth_required", "connections"} {
		if want[field] == nil {
			t.Errorf("nats-server has no %s", field)
		}
		differ(t, "/varz: "+field, plain(got[field]), plain(want[field]))
	}
	if shows(text, r.jwt) {
		t.Error("/varz shows the signature of the operator")
	}
	a, b := map[string]string{}, map[string]string{}
	shape("", got, a)
	shape("", want, b)
	maps.DeleteFunc(a, func(k, _ string) bool { return strings.HasPrefix(k, ".nats_broker") }) // our own
	differ(t, "/varz: fields", a, b)
	for _, path := range []string{"/accstatz?unused=1", "/subsz?subs=1&test=seen"} {
		_, got := ours.page(path)
		_, want := theirs.page(path)
		differ(t, path, names(got), names(want))
	}
}

// names picks what says which account something is of.
func names(v map[string]any) (list []string) {
	for _, rows := range []string{"account_statz", "subscriptions_list"} {
		found, _ := v[rows].([]any)
		for _, row := range found {
			m := row.(map[string]any)
			list = append(list, fmt.Sprint(m["acc"], m["name"], m["account"], m["account_tag"]))
		}
	}
	slices.Sort(list)
	return list
}

// shows reports whether a text holds a JWT's signature.
func shows(text, token string) bool {
	return strings.Contains(text, token[strings.LastIndexByte(token, '.')+1:])
}

// differ complains about parts that are not the same.
func differ(t *testing.T, where string, got, want any) {
	t.Helper()
	a, okA := got.(map[string]any)
	b, okB := want.(map[string]any)
	if okA && okB {
		keys := maps.Clone(a)
		maps.Copy(keys, b)
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			differ(t, where+" "+k, a[k], b[k])
		}
		return
	}
	x, _ := json.MarshalIndent(got, "", " ")
	y, _ := json.MarshalIndent(want, "", " ")
	if string(x) != string(y) {
		t.Errorf("%s:\n%s\nwant\n%s", where, x, y)
	}
}
