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
