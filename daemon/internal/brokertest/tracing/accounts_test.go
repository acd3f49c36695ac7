package tracing_test

import (
	"fmt"
	"strings"
	"testing"
)

// shared is accounts that share, with TRACE where reports are allowed to tell of what happens on the other side or not.
const shared = `accounts {
	A { users: [{user: a, password: p}]
		exports: [{stream: "s.>"}, {service: "svc.>", TRACE}]
		mappings: {"svc.mapped": "svc.two", "svc.split": [{destination: "svc.three", weight: 100}]} }
	B { users: [{user: b, password: p}]
		imports: [{stream: {account: A, subject: "s.>"}, to: "from.>", TRACE}, {service: {account: A, subject: "svc.>"}, to: "ask.>"}]
		exports: [{service: "ask.>", TRACE}] }
	C { users: [{user: c, password: p}]
		imports: [{stream: {account: A, subject: "s.>"}, prefix: in, TRACE}, {service: {account: B, subject: "ask.chain"}, to: chain}] }
}
`

func sharedConfig(allow bool) string {
	return strings.ReplaceAll(shared, "TRACE", fmt.Sprintf("allow_trace: %v", allow))
}

func streams(w *world) {
	w.listen("0 a reports")
	w.sub("0 a a", "s.1", "")
	w.sub("0 b b", "from.*", "")
	w.sub("0 c c", "in.s.1", "")
	w.sub("0 b mute", "from.>", "")
	for _, f := range [][]string{{dest}, {dest, only}} {
		w.ask("0 a p", "s.1", 1, f...)
	}
}

func streamGroups(w *world) {
	w.listen("0 a reports")
	w.sub("0 b b", "from.1", "q")
	w.sub("0 b b", "from.2", "r")
	for _, f := range [][]string{{dest}, {dest, only}} {
		w.ask("0 a p", "s.1", 1, f...)
		w.ask("0 a p", "s.2", 1, f...)
	}
}

func services(w *world) {
	w.listen("0 b reports")
	w.sub("0 a a", "svc.*", "")
	w.sub("0 b b", "_INBOX.x", "")
	for _, f := range [][]string{{dest}, {dest, only}} {
		for _, s := range []string{"ask.one", "ask.mapped", "ask.split", "ask.nobody.here"} {
			w.ask("0 b p", s, 1, f...)
			w.publish("0 b p", s, "_INBOX.x", "y", f...)
			w.collect(s+" with a reply subject "+strings.Join(f, ", "), 1)
		}
	}
}

func chain(w *world) {
	w.listen("0 c reports")
	w.sub("0 a a", "svc.chain", "q")
	for _, f := range [][]string{{dest}, {dest, only}} {
		w.ask("0 c p", "chain", 1, f...)
		w.publish("0 c p", "chain", "_INBOX.x", "y", f...)
		w.collect("with a reply subject "+strings.Join(f, ", "), 1)
	}
}

// answers traces what answers a request.
func answers(w *world) {
	w.listen("0 a reports")
	s := w.sub("0 a a", "svc.one", "")
	w.sub("0 b b", "_INBOX.x", "")
	for _, f := range [][]string{{dest}, {dest, only}} {
		w.publish("0 b p", "ask.one", "_INBOX.x", "y")
		m, err := s.NextMsg(patience)
		if err != nil {
			w.t.Fatal(err)
		}
		w.publish("0 a a", m.Reply, "", "z", f...)
		w.collect("an answer "+strings.Join(f, ", "), 1)
	}
}

func TestAccounts(t *testing.T) {
	var rows []row
	for _, allow := range []bool{true, false} {
		for _, r := range []row{{"streams", "", streams}, {"stream groups", "", streamGroups}, {"services", "", services}, {"chain", "", chain}, {"answers", "", answers}} {
			rows = append(rows, row{fmt.Sprintf("%s, allowed %v", r.name, allow), sharedConfig(allow), r.ask})
		}
	}
	run(t, rows)
}
