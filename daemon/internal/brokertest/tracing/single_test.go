package tracing_test

import (
	"strings"
	"testing"
)

// A row is what is asked of a world. It is asked of one of each kind, and the answers are compared.
type row struct {
	name   string
	config string
	ask    func(w *world)
}

const dest, only = "Nats-Trace-Dest: trace", "Nats-Trace-Only: true"

var single = []row{
	{"who gets it", "", func(w *world) {
		w.sub("0 - a", "foo", "")
		w.sub("0 - a", "*", "")
		w.sub("0 - b", ">", "q")
		w.ask("0 - p", "foo", 1, dest)
		w.ask("0 - p", "foo", 1, dest, only, "X-A: b", "X-A: c")
		w.ask("0 - p", "foo", 1, dest, "Nats-Trace-Only: 1")
		w.ask("0 - p", "foo", 1, dest, "Nats-Trace-Only: ON")
		w.ask("0 - p", "foo", 1, dest, "Nats-Trace-Only: no", "Nats-Trace-Hop: 7")
		w.ask("0 - p", "foo", 0, "Nats-Trace-Dest: trace disabled")
		w.ask("0 - p", "foo", 0, "Nats-Trace-Only: true")
		w.ask("0 - p", "foo", 0, "Nats-Trace-Dest: a.*")
		w.ask("0 - p", "foo", 0, "Nats-Trace-Dest: a.*", only)
		w.ask("0 - p", "foo", 0, dest, "Nats-Trace-Origin-Account: A")
		w.ask("0 - p", "foo", 0, dest, only, "Nats-Trace-Origin-Account: A")
		w.ask("0 - p", "foo", 0, "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	}},
	{"nobody gets it", "", func(w *world) {
		w.ask("0 - p", "nobody", 1, dest)
		w.ask("0 - p", "nobody", 1, dest, only)
		w.sub("0 - p", "inbox", "")
		w.publish("0 - p", "nobody", "inbox", "x", dest)
		w.collect("a request", 1)
		w.publish("0 - p", "nobody", "inbox", "x", dest, only)
		w.collect("a request, only", 1)
	}},
	{"no echo", "", func(w *world) {
		w.sub("0 - mute", "foo", "")
		w.sub("0 - other", "foo", "")
		w.sub("0 - mute", "bar", "q")
		w.sub("0 - mute", "baz", "q")
		w.sub("0 - other", "bar", "r")
		w.ask("0 - mute", "foo", 1, dest)
		w.ask("0 - mute", "foo", 1, dest, only)
		w.ask("0 - mute", "bar", 1, dest)
		w.ask("0 - mute", "baz", 1, dest)
		w.ask("0 - mute", "baz", 1, dest, only)
	}},
	{"queue groups", "", func(w *world) {
		w.sub("0 - a", "foo", "q")
		w.sub("0 - a", "foo", "r")
		w.sub("0 - a", "*", "r")
		w.ask("0 - p", "bar", 1, dest)
		w.sub("0 - a", "foo", "")
		w.ask("0 - a", "bar", 1, dest, only)
	}},
	{"auto-unsubscribe", "", func(w *world) {
		s := w.sub("0 - a", "foo", "")
		if err := s.AutoUnsubscribe(2); err != nil {
			w.t.Fatal(err)
		}
		w.ask("0 - p", "foo", 1, dest, only)
		w.ask("0 - p", "foo", 1, dest, only)
		w.ask("0 - p", "foo", 1, dest)
		w.ask("0 - p", "foo", 1, dest)
		w.ask("0 - p", "foo", 1, dest)
	}},
	{"mappings", `mappings { a: b, "c.*": "d.$1", "w.*": [{destination: "x.$1", weight: 100}], lost: [{destination: lost, weight: 0}] }`, func(w *world) {
		w.sub("0 - a", ">", "all")
		for _, s := range []string{"a", "c.1", "w.1", "other"} {
			w.ask("0 - p", s, 1, dest)
			w.ask("0 - p", s, 1, dest, only)
		}
		w.ask("0 - p", "lost", 1, dest)
	}},
	{"permissions", `authorization { users: [
		{user: u, password: p, permissions: {publish: {allow: [foo, trace, "no.>"], deny: "no.>"}}},
		{user: v, password: p, permissions: {subscribe: {allow: ">", deny: "*.secret"}}}, {user: w, password: p} ] }`, func(w *world) {
		w.listen("0 w reports")
		w.sub("0 v v", "*.*", "")
		w.sub("0 v v", "*.*", "q")
		w.sub("0 w w", ">", "r")
		w.ask("0 u u", "foo", 1, dest)
		w.ask("0 u u", "no.1", 1, dest)
		w.ask("0 u u", "no.1", 1, dest, only)
		w.ask("0 u u", "foo", 0, "Nats-Trace-Dest: elsewhere")
		w.ask("0 u u", "foo", 0, "Nats-Trace-Dest: elsewhere", only)
		w.ask("0 w w", "a.secret", 1, dest)
		w.ask("0 w w", "a.secret", 1, dest, only)
		w.ask("0 w w", "a.other", 1, dest)
		w.publish("0 w w", "foo", "$JS.API.INFO", "x", dest)
		w.collect("a reserved reply", 1)
	}},
	{"requests to the server", "", func(w *world) {
		w.sub("0 - a", "inbox", "")
		w.ask("0 - p", "$SYS.REQ.USER.INFO", 1, dest, only)
		w.ask("0 - p", "$SYS.REQ.SERVER.PING.CONNZ", 1, dest)
	}},
	{"the system account", "accounts { $SYS { users: [{user: s, password: p}] } }", func(w *world) {
		w.listen("0 s reports")
		w.ask("0 s p", "$NRG.X", 1, dest, only)
		w.ask("0 s p", "nobody", 1, dest)
	}},
	{"traceparent", "accounts { A { users: [{user: u, password: p}], msg_trace: trace } }", func(w *world) {
		w.listen("0 u reports")
		w.sub("0 u a", "foo", "")
		const id = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-"
		w.ask("0 u p", "foo", 1, "traceparent: "+id+"01")
		w.ask("0 u p", "foo", 1, "TraceParent: "+id+"03", only)
		w.ask("0 u p", "foo", 0, "traceparent: "+id+"00")
		w.ask("0 u p", "foo", 0, "traceparent: 01")
		w.ask("0 u p", "foo", 0, "traceparent: "+id+"01", "Nats-Trace-Dest: trace disabled")
		w.ask("0 u p", "foo", 0, "traceparent: "+id+"01", "Nats-Trace-Dest: elsewhere")
	}},
}

func TestSingle(t *testing.T) { run(t, single) }

// run asks one server of each kind.
func run(t *testing.T, rows []row) {
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			var worlds [2]*world
			for i := range worlds {
				w := newWorld(t)
				w.add(i == 0, "server_name: one\n"+r.config)
				if !strings.Contains(r.config, "users:") {
					w.listen("0 - reports")
				}
				r.ask(w)
				worlds[i] = w
			}
			compare(t, worlds[0], worlds[1])
		})
	}
}
