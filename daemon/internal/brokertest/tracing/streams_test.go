package tracing_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// make makes a stream.
func (w *world) make(client string, c *nats.StreamConfig) nats.JetStreamContext {
	w.t.Helper()
	js, err := w.client(client).JetStream(nats.MaxWait(patience))
	if err != nil {
		w.t.Fatal(err)
	}
	if c.Storage = nats.MemoryStorage; strings.HasPrefix(c.Name, "F") {
		c.Storage = nats.FileStorage
	}
	if _, err := js.AddStream(c); err != nil {
		w.t.Fatal(err)
	}
	return js
}

// stored notes what is in a stream.
func (w *world) stored(js nats.JetStreamContext, stream string) {
	w.t.Helper()
	i, err := js.StreamInfo(stream)
	if err != nil {
		w.t.Fatal(err)
	}
	w.said = append(w.said, fmt.Sprintf("%s: %d messages, last %d", stream, i.State.Msgs, i.State.LastSeq))
	for seq := i.State.FirstSeq; seq > 0 && seq <= i.State.LastSeq; seq++ {
		if m, err := js.GetMsg(stream, seq); err == nil {
			w.said = append(w.said, "  "+message(&nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}))
		}
	}
}

const streamed = "jetstream { store_dir: STORE, max_mem: 64MB, max_file: 64MB }\n"

func TestStreams(t *testing.T) {
	rows := []row{
		{"stored", streamed, func(w *world) {
			js := w.make("0 - js", &nats.StreamConfig{Name: "F", Subjects: []string{"f.>"}})
			w.sub("0 - a", "f.1", "")
			w.sub("0 - a", "inbox", "")
			for _, f := range [][]string{{dest}, {dest, only}} {
				w.ask("0 - p", "f.1", 1, f...)
				inbox := ""
				if f[len(f)-1] == dest { // a nats-server answers dry runs, if it would refuse
					inbox = "inbox"
				}
				w.publish("0 - p", "f.2", inbox, "x", append(f, "Nats-Msg-Id: 1")...)
				if inbox != "" {
					w.reply(inbox)
				}
				w.collect("with an id", 1)
				w.publish("0 - p", "f.2", "", "x", append(f, "Nats-Msg-Id: 1")...)
				w.collect("with the id again", 1)
			}
			w.stored(js, "F")
		}},
		{"refused", streamed, func(w *world) {
			js := w.make("0 - js", &nats.StreamConfig{Name: "M", Subjects: []string{"m.>"}, MaxMsgSize: 500})
			w.ask("0 - p", "m.1", 1, dest)
			for _, f := range [][]string{{dest}, {dest, only}} {
				for _, h := range []string{"Nats-Expected-Stream: X", "Nats-Expected-Last-Sequence: 7", "Nats-Expected-Last-Subject-Sequence: 9",
					"Nats-Expected-Last-Msg-Id: z", "Nats-Rollup: all", "X-Long: " + strings.Repeat("x", 600), "Nats-Incr: 1", "Nats-Schedule: @at 2030-01-01T00:00:00Z",
					"Nats-Expected-Last-Subject-Sequence-Subject: m.1", "Nats-TTL: 1h"} {
					w.ask("0 - p", "m.1", 1, append(f, h)...)
				}
			}
			w.stored(js, "M")
		}},
		{"no interest, another subject", streamed, func(w *world) {
			js := w.make("0 - js", &nats.StreamConfig{Name: "I", Subjects: []string{"i.>"}, Retention: nats.InterestPolicy,
				SubjectTransform: &nats.SubjectTransformConfig{Source: "i.>", Destination: "o.>"}})
			w.ask("0 - p", "i.1", 1, dest)
			w.ask("0 - p", "i.1", 1, dest, only)
			w.stored(js, "I")
		}},
		{"of another account", streamed + strings.Replace(sharedConfig(true), "exports: [{stream", "jetstream: enabled, exports: [{stream", 1), func(w *world) {
			w.listen("0 b reports")
			js := w.make("0 a js", &nats.StreamConfig{Name: "S", Subjects: []string{"svc.>"}})
			w.ask("0 b p", "ask.1", 1, dest)
			w.ask("0 b p", "ask.1", 1, dest, only)
			w.stored(js, "S")
		}},
		{"batches", streamed, batchesRefused},
		{"requests", streamed, func(w *world) {
			w.make("0 - js", &nats.StreamConfig{Name: "M", Subjects: []string{"m.>"}})
			for _, f := range [][]string{{dest, only}, {dest}} {
				w.ask("0 - p", "$JS.API.STREAM.PURGE.M", 1, f...)
			}
		}},
	}
	run(t, rows)
}

// TestWhatIsReadIsNotTraced holds that messages of a stream are not traced again when they are delivered.
func TestWhatIsReadIsNotTraced(t *testing.T) {
	run(t, []row{{"delivered", streamed, func(w *world) {
		js := w.make("0 - js", &nats.StreamConfig{Name: "M", Subjects: []string{"m.>"}, AllowDirect: true})
		w.ask("0 - p", "m.1", 1, dest)
		s, err := js.SubscribeSync("m.>", nats.DeliverAll())
		if err != nil {
			w.t.Fatal(err)
		}
		m, err := s.NextMsg(patience)
		if err != nil {
			w.t.Fatal(err)
		}
		m.Reply = ""
		w.said = append(w.said, message(m))
		w.collect("nothing more", 0)
	}}})
}

// batchesRefused has messages of atomic and of fast batches refused, for all kinds of reasons, and one of each stored.
func batchesRefused(w *world) {
	const batches = `"storage":"memory","allow_atomic":true,"allow_batched":true,`
	for name, config := range map[string]string{
		"P": `"storage":"memory","subjects":["p.>"]`,
		"S": batches + `"subjects":["s.>"],"max_msg_size":500,"max_msgs":4,"discard":"new"`,
		"C": batches + `"subjects":["c.>"],"allow_msg_counter":true`,
		"T": batches + `"subjects":["t.>","u.>"],"allow_rollup_hdrs":true,"allow_msg_ttl":true,"subject_transform":{"src":"t.>","dest":"u.>"}`,
		"I": batches + `"subjects":["i.>"],"retention":"interest"`,
	} {
		m, err := w.client("0 - js").Request("$JS.API.STREAM.CREATE."+name, []byte(`{"name":"`+name+`",`+config+`}`), patience)
		if err != nil || strings.Contains(string(m.Data), "error") {
			w.t.Fatal(err, string(m.Data))
		}
	}
	js, err := w.client("0 - js").JetStream(nats.MaxWait(patience))
	if err != nil {
		w.t.Fatal(err)
	}
	id, seq, commit := "Nats-Batch-Id: ", "Nats-Batch-Sequence: ", "Nats-Batch-Commit: "
	ask := func(what, subject, reply string, fields ...string) {
		w.publish("0 - p", subject, reply, "", append(fields, dest)...)
		w.collect(subject+" "+what, 1)
	}
	for _, f := range [][]string{{id + "a"}, {id + "a", seq + "2"}, {id + strings.Repeat("a", 65), seq + "1"}, {id + "a", seq + "1", commit + "x"},
		{id + "a", seq + "1", "Nats-Required-Api-Level: 99"}, {id + "a", seq + "1", commit + "eob"}, {id + "a", seq + "1001"},
		{id + "a", seq + "1", "X: " + strings.Repeat("x", 600)}} {
		ask("refused at once", "s.1", "", f...)
	}
	ask("no batches here", "p.1", "", id+"a", seq+"1")
	ask("no batches here", "p.1", "R.a.10.fail.1.0.$FI")
	ask("not to be understood", "s.1", "R.a.10.none.1.0.$FI")
	ask("too long", "s.1", "R."+strings.Repeat("a", 65)+".10.ok.1.0.$FI")
	ask("not begun", "s.1", "R.a.10.ok.2.1.$FI")
	ask("level", "s.1", "R.a.10.ok.1.0.$FI", "Nats-Required-Api-Level: 99")
	ask("too large", "s.1", "R.a.10.ok.1.0.$FI", "X: "+strings.Repeat("x", 600))
	for i, f := range []string{"Nats-Msg-Id: 1", "Nats-Msg-Id: 1", "Nats-Expected-Stream: X", "Nats-Expected-Last-Sequence: 7", "Nats-Expected-Last-Subject-Sequence: 9",
		"Nats-Rollup: all", "Nats-Rollup: x", "Nats-Incr: 1", "Nats-Incr: x", "Nats-TTL: 1h", "Nats-TTL: x", "Nats-Stream-Source: x",
		"Nats-Schedule: @at 2030-01-01T00:00:00Z", "Nats-Expected-Last-Subject-Sequence-Subject: s.1", "X-Long: " + strings.Repeat("x", 66_000)} {
		for _, subject := range []string{"s.1", "t.1", "c.1", "i.1"} {
			w.publish("0 - p", subject, "", "", dest, id+"a", seq+"1", commit+"1", f)
			w.collect(fmt.Sprintf("%s: atomic, %.50s", subject, f), 1)
			w.publish("0 - p", subject, fmt.Sprintf("R.a%d.10.fail.1.2.$FI", i), "", dest, f)
			w.collect(fmt.Sprintf("%s: fast, %.50s", subject, f), 1)
		}
	}
	for _, f := range [][2]string{{"Nats-Expected-Last-Sequence: 77", "X: y"}, {"X: y", "Nats-Expected-Last-Subject-Sequence: 0"}, {"X: y", "Nats-Rollup: sub"},
		{"X: y", "Nats-Rollup: all"}, {"Nats-Msg-Id: m", "Nats-Msg-Id: m"}, {"Nats-Expected-Last-Msg-Id: z", "X: y"}, {"X: y", "X: y"}} {
		for _, subject := range []string{"s.2", "t.2"} {
			w.publish("0 - p", subject, "", "", id+"b", seq+"1", f[0])
			ask(fmt.Sprintf("the end of a batch, %q", f), subject, "", id+"b", seq+"2", commit+"1", f[1])
		}
	}
	for range 4 {
		w.publish("0 - p", "s.3", "", "")
	}
	ask("full", "s.3", "", id+"c", seq+"1", commit+"1")
	ask("full", "s.3", "R.c.10.fail.1.2.$FI")
	for _, name := range []string{"P", "S", "C", "T", "I"} {
		w.stored(js, name)
	}
}
