package jetstream

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// foreign has a stream M with an origin that a client plays: it answers requests for a consumer with what answer returns for the
// subject to deliver to.
func (n *node) foreign(answer func(deliver string) string) {
	request := func(m *nats.Msg) (deliver string) {
		_, rest, _ := strings.Cut(string(m.Data), `"deliver_subject":"`)
		deliver, _, _ = strings.Cut(rest, `"`)
		return deliver
	}
	ok(n.nc.Subscribe("far.CONSUMER.CREATE.>", func(m *nats.Msg) { _ = m.Respond([]byte(answer(request(m)))) }))
	ok(0, n.nc.Flush())
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "M", Mirror: &jetstream.StreamSource{Name: "S", External: &jetstream.ExternalStream{APIPrefix: "far"}}}))
}

// What an origin answers goes into subjects and sequences: nothing of it is taken that could not be one.
func TestOriginsAnswerNonsense(t *testing.T) {
	for _, answer := range []string{
		`{"name":"c\r\nMSG x 1 0\r\n\r\n","config":{"deliver_subject":"%s"}}`, `{"name":"a b","config":{"deliver_subject":"%s"}}`, `{"name":">","config":{"deliver_subject":"%s"}}`,
		`{"name":"c","config":{"deliver_subject":"%s"},"delivered":{"stream_seq":18446744073709551615}}`, `{"name":"c","config":{"deliver_subject":"%s"},"delivered":{"stream_seq":1000000000000000001}}`,
	} {
		n := newNodeIn(t, t.TempDir())
		n.foreign(func(deliver string) string { return fmt.Sprintf(answer, deliver) })
		n.await("it is told", func() bool {
			i := ok(ok(n.js.Stream(n.ctx, "M")).Info(n.ctx))
			if i.State.LastSeq != 0 {
				t.Fatalf("%s: the mirror is at %d", answer, i.State.LastSeq)
			}
			return i.Mirror.Error != nil && i.Mirror.Error.Description == "invalid consumer create response"
		})
		n.stop()
	}
}

// Only what comes where it was asked for, with sequences that there are, is taken.
func TestOriginsDeliverNonsense(t *testing.T) {
	n := newNodeIn(t, t.TempDir())
	where := make(chan string, 10)
	n.foreign(func(deliver string) string {
		where <- deliver
		return `{"name":"c","config":{"deliver_subject":"s.>"}}`
	})
	deliver := <-where
	n.await("it is heard", func() bool { return ok(ok(n.js.Stream(n.ctx, "M")).Info(n.ctx)).Mirror.Active >= 0 })
	asked := ok(n.nc.SubscribeSync("$JS.FC.>"))
	ok(0, n.nc.Flush())
	send := func(to, reply, header, body string) { // as another server does: a client may not
		n.server.lookup("$G").broker.Publish(to, reply, []byte(header), []byte(body))
	}
	send("s.1", "$JS.ACK.S.c.1.1.1.1.0", "", "mine")
	send(deliver, "$JS.ACK.S.c.1.9223372036854775807.1.1.0", "", "far away")
	for _, to := range []string{"$JS.FC.a b", "$JS.FC.>", "$JS.FC.S.c.x"} {
		send(deliver, "", "NATS/1.0 100 Idle Heartbeat\r\nNats-Consumer-Stalled: "+to+"\r\n\r\n", "")
	}
	send(deliver, "$JS.ACK.S.c.1.3.1.1.0", "", "right")
	n.await("the message is there", func() bool { return n.messages("M") > 0 })
	if all := n.holds("M"); !strings.Contains(all, "1 messages, 3 to 3\n") || !strings.Contains(all, `"right"`) {
		t.Error(all)
	}
	if m := ok(asked.NextMsg(patience)); m.Subject != "$JS.FC.S.c.x" {
		t.Errorf("an answer goes to %s", m.Subject)
	}
}
