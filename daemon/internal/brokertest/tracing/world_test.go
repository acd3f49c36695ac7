// Package tracing_test asks which way messages go, of ours and of nats-server, and compares what is reported field by field.
package tracing_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// world is servers that belong together, each with its clients by name.
type world struct {
	t       testing.TB
	servers []*brokertest.Server
	conns   map[string]*nats.Conn
	reports *nats.Subscription
	subs    []*subscription
	said    []string
}

type subscription struct {
	*nats.Subscription
	client, label string
}

// binary is the server to start; empty is ours.
func binary(t testing.TB, theirs bool) string {
	if theirs {
		return brokertest.NATSServer(t)
	}
	return ""
}

// add starts one more server.
func (w *world) add(theirs bool, config string) *brokertest.Server {
	w.t.Helper()
	config = strings.ReplaceAll(config, "STORE", fmt.Sprintf("%q", w.t.TempDir()))
	s := brokertest.Start(w.t, brokertest.Options{Binary: binary(w.t, theirs), Config: config})
	w.servers = append(w.servers, s)
	return s
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, conns: map[string]*nats.Conn{}}
	t.Cleanup(func() {
		for _, nc := range w.conns {
			nc.Close()
		}
	})
	return w
}

// client is a connection by its name, "SERVER USER CONNECTION": the number of the server, the user, whose password is p, and
// whatever tells apart; a connection whose name ends with "mute" gets nothing of its own.
func (w *world) client(name string) *nats.Conn {
	w.t.Helper()
	if nc := w.conns[name]; nc != nil {
		return nc
	}
	var at int
	var user, which string
	if _, err := fmt.Sscan(name, &at, &user, &which); err != nil {
		w.t.Fatalf("%q: %v", name, err)
	}
	o := []nats.Option{nats.Name(which), nats.Timeout(patience), nats.MaxReconnects(-1), nats.ReconnectWait(20 * time.Millisecond), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})}
	if user != "-" {
		o = append(o, nats.UserInfo(user, "p"))
	}
	if strings.HasSuffix(which, "mute") {
		o = append(o, nats.NoEcho())
	}
	nc, err := nats.Connect(w.servers[at].URL(), o...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.conns[name] = nc
	return nc
}

// sub subscribes a client.
func (w *world) sub(client, subject, queue string) *nats.Subscription {
	w.t.Helper()
	nc := w.client(client)
	s, err := nc.QueueSubscribeSync(subject, queue)
	if err != nil {
		w.t.Fatal(err)
	}
	w.subs = append(w.subs, &subscription{s, client, strings.TrimSpace(client + ": " + subject + " " + queue)})
	w.flush()
	return s
}

func (w *world) flush() {
	for _, name := range slices.Sorted(maps.Keys(w.conns)) {
		if err := w.conns[name].FlushTimeout(brokertest.Patience); err != nil {
			w.t.Fatalf("%s: %v", name, err)
		}
	}
}

var lastProbe atomic.Int64

// meet waits until what has been subscribed to by one client is known where the other publishes.
func (w *world) meet(from, to string) {
	w.t.Helper()
	subject := fmt.Sprintf("probe.%d", lastProbe.Add(1))
	s, err := w.client(to).SubscribeSync(subject)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = s.Unsubscribe() }()
	w.flush()
	for end := time.Now().Add(brokertest.Patience); ; {
		if err := w.client(from).Publish(subject, nil); err != nil {
			w.t.Fatal(err)
		}
		if _, err := s.NextMsg(50 * time.Millisecond); err == nil { // until the interest is known there
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("%s does not reach %s", from, to)
		}
	}
}

// ask publishes a message that asks for reports to "trace", waits for so many of them, and notes them and who got the message.
// fields are "NAME: VALUE".
func (w *world) ask(client, subject string, reports int, fields ...string) {
	w.t.Helper()
	w.publish(client, subject, "", "payload", fields...)
	w.collect(client+" "+subject+" "+strings.Join(fields, ", "), reports)
}

func (w *world) publish(client, subject, reply, payload string, fields ...string) {
	w.t.Helper()
	m := nats.NewMsg(subject)
	m.Reply, m.Data = reply, []byte(payload)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		m.Header[name] = append(m.Header[name], value)
	}
	nc := w.client(client)
	if err := nc.PublishMsg(m); err != nil {
		w.t.Fatal(err)
	}
	w.flush()
}

// listen has reports come to a client.
func (w *world) listen(client string) {
	w.t.Helper()
	var err error
	if w.reports, err = w.client(client).SubscribeSync("trace"); err != nil {
		w.t.Fatal(err)
	}
	w.flush()
}

// collect notes what has come.
func (w *world) collect(what string, reports int) {
	w.t.Helper()
	w.said = append(w.said, "", what)
	var list []string
	for range reports {
		m, err := w.reports.NextMsg(brokertest.Patience)
		if err != nil {
			w.t.Fatalf("%s: %d of %d reports: %v\n%s", what, len(list), reports, err, strings.Join(list, "\n"))
		}
		list = append(list, readable(w.t, m.Data))
	}
	w.arrived()
	w.flush()
	for n, _, _ := w.reports.Pending(); n > 0; n-- {
		m, err := w.reports.NextMsg(brokertest.Patience)
		if err != nil {
			w.t.Fatal(err)
		}
		list = append(list, "one more: "+readable(w.t, m.Data))
	}
	slices.Sort(list)
	w.said = append(w.said, list...)
	for _, s := range w.subs {
		for {
			if n, _, err := s.Pending(); err != nil || n == 0 {
				break
			}
			m, err := s.NextMsg(brokertest.Patience)
			if err != nil {
				break
			}
			w.said = append(w.said, "  "+s.label+" got "+message(m))
		}
	}
}

// arrived waits until what was sent to clients of other servers before has come there: a report may be quicker, which the server
// makes that sends it. Each account has a connection of its own, or one of several.
func (w *world) arrived() {
	w.t.Helper()
	done := map[string]bool{}
	for _, s := range w.subs {
		at, user, _ := strings.Cut(s.client, " ")
		user, _, _ = strings.Cut(user, " ")
		for _, name := range slices.Sorted(maps.Keys(w.conns)) {
			from, rest, _ := strings.Cut(name, " ")
			if way := from + at + user; from != at && strings.HasPrefix(rest, user+" ") && !done[way] {
				done[way] = true
				w.meet(name, s.client)
			}
		}
	}
}

// message is what a client got.
func message(m *nats.Msg) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", m.Subject, masked(m.Reply))
	for _, k := range slices.Sorted(maps.Keys(m.Header)) {
		if k == requestInfo {
			m.Header[k] = []string{"(who)"}
		}
		fmt.Fprintf(&b, " %s=%s", k, masked(strings.Join(m.Header[k], ",")))
	}
	if m.Subject == "trace" {
		m.Data = nil
	}
	return fmt.Sprintf("%s %q", b.String(), m.Data)
}

const patience = brokertest.Patience

const requestInfo = "Nats-Request-Info"

var masks = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`_R_\.[A-Za-z0-9.]+`), "(reply)"},
	{regexp.MustCompile(`_INBOX\.[A-Za-z0-9.]+`), "(inbox)"},
}

func masked(s string) string {
	for _, m := range masks {
		s = m.pattern.ReplaceAllString(s, m.by)
	}
	return s
}

// readable is a report, a line for each event, with what differs from run to run masked.
func readable(t testing.TB, data []byte) string {
	t.Helper()
	var r struct {
		Server  map[string]any
		Request map[string]any
		Hops    int
		Events  []map[string]any
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	var top map[string]json.RawMessage
	_ = json.Unmarshal(data, &top)
	if h, ok := r.Request["header"].(map[string]any); ok && h[requestInfo] != nil {
		h[requestInfo], r.Request["msgsize"] = "(who)", "(number)"
	}
	lines := []string{fmt.Sprintf("%v: %s hops %d %v", r.Server["name"], masked(text(r.Request)), r.Hops, slices.Sorted(maps.Keys(top)))}
	for _, k := range []string{"id", "host", "ver", "seq", "time"} {
		if r.Server[k] == nil || r.Server[k] == "" {
			t.Errorf("a report does not say of its server: %s", k)
		}
	}
	for _, e := range r.Events {
		if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(e["ts"])); err != nil || time.Since(at).Abs() > time.Hour {
			t.Errorf("time of an event: %v", e["ts"])
		}
		delete(e, "ts")
		if id, ok := e["cid"].(float64); ok && id > 0 {
			e["cid"] = "(number)"
		}
		lines = append(lines, "  "+masked(text(e)))
	}
	slices.Sort(lines[2:]) // who gets it first is left to chance
	return strings.Join(lines, "\n")
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// compare fails if two worlds have said different things.
func compare(t testing.TB, theirs, ours *world) {
	t.Helper()
	a, b := strings.Join(theirs.said, "\n"), strings.Join(ours.said, "\n")
	if a == b {
		return
	}
	at := 0
	for at < len(theirs.said) && at < len(ours.said) && theirs.said[at] == ours.said[at] {
		at++
	}
	t.Errorf("the reports differ from line %d on.\nnats-server:\n%s\n\nnats-broker:\n%s", at, around(theirs.said, at), around(ours.said, at))
}

// around is what was said about a line.
func around(said []string, at int) string {
	return strings.Join(said[min(max(at-4, 0), len(said)):min(at+12, len(said))], "\n")
}

// reply notes the answer that a client waits for.
func (w *world) reply(subject string) {
	w.t.Helper()
	for _, s := range w.subs {
		if s.Subject == subject {
			m, err := s.NextMsg(patience)
			if err != nil {
				w.t.Fatalf("%s: %v", subject, err)
			}
			w.said = append(w.said, "  the answer is "+message(m))
		}
	}
}
