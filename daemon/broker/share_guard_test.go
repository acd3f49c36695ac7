package broker

import (
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/proto"
)

// answersOnly lets a client subscribe and answer.
type answersOnly struct{}

func (answersOnly) CanPublish(string) bool                   { return false }
func (answersOnly) CanSubscribe(string, string) (bool, bool) { return true, false }
func (answersOnly) CanReceive(string, string) bool           { return true }
func (answersOnly) Responses() *ResponsePermission           { return &ResponsePermission{} }

// A message of the server's own asks a client that may only answer for an answer: a request to JetStream is none, an
// acknowledgement is.
func TestAnAnswerIsNoRequestToJetStream(t *testing.T) {
	b, addr := start(t, Options{})
	c := connect(t, addr)
	c.send("SUB in 1\r\n")
	c.sync()
	clients := b.Clients()
	clients[0].SetPermissions(answersOnly{})
	for _, x := range []struct {
		reply string
		ok    bool
	}{
		{"$JS.ACK.S.C.1.1.1.1.0", true},
		{"$JS.FC.S.C", true},
		{"there", true},
		{"$JS.API.STREAM.DELETE.T", false},
		{"$JS.hub.API.STREAM.DELETE.T", false},
	} {
		b.Global().Publish("in", x.reply, nil, []byte("x"))
		c.expect("MSG in 1 "+x.reply+" 1", "x")
		c.send("PUB %s 1\r\ny\r\n", x.reply)
		if !x.ok {
			c.expect(`-ERR 'Permissions Violation for Publish to "` + x.reply + `"'`)
		}
		c.sync()
	}
}

// What the server publishes does not become a request to JetStream in another account by an import, unless the server
// asks for an answer itself.
func TestGuardOfImportsOfJetStream(t *testing.T) {
	for _, x := range []struct {
		name, subject, reply string
		chain                bool
		want                 int
	}{
		{name: "an answer", subject: "api.STREAM.DELETE.T"},
		{name: "an answer that asks JetStream", subject: "api.STREAM.DELETE.T", reply: "$JS.ACK.x"},
		{name: "a request", subject: "api.CONSUMER.CREATE.T", reply: "_INBOX.x", want: 1},
		{name: "its own name", subject: "$JS.API.STREAM.DELETE.T", want: 1},
		{name: "a chain", subject: "far.STREAM.DELETE.T", reply: "$JS.ACK.x", chain: true},
		{name: "a request by a chain", subject: "far.INFO", reply: "_INBOX.x", chain: true, want: 1},
		{name: "no JetStream", subject: "svc", want: 1},
	} {
		t.Run(x.name, func(t *testing.T) {
			b, err := New(Options{}, logging.Discard())
			if err != nil {
				t.Fatal(err)
			}
			exports := []ServiceExport{{Subject: ">"}}
			commit, err := b.PrepareAccounts([]AccountOptions{
				{Name: "TO", Exports: exports},
				{Name: "MID", Exports: exports, Services: []ServiceImport{{Account: "TO", Subject: "$JS.API.>", Local: "api.>"}}},
				{Name: "FROM", Services: []ServiceImport{
					{Account: "TO", Subject: "$JS.API.>", Local: "api.>"},
					{Account: "TO", Subject: "$JS.API.>"},
					{Account: "MID", Subject: "api.>", Local: "far.>"},
					{Account: "TO", Subject: "svc"},
				}},
			})
			if err != nil {
				t.Fatal(err)
			}
			commit()
			to, from := b.Account("TO"), b.Account("FROM")
			t.Cleanup(b.Stop)
			got := 0
			if _, err := to.SubscribeService(">", "", func(m *Message) {
				if !strings.HasPrefix(string(m.Subject), replyPrefix) {
					got++
				}
			}); err != nil {
				t.Fatal(err)
			}
			from.Publish(x.subject, x.reply, nil, []byte("x"))
			if got != x.want {
				t.Errorf("%d requests arrived, want %d", got, x.want)
			}
		})
	}
}

// What answers on another server comes by a route, which does not say who it was: it asks JetStream as little as an
// answer of this server does.
func TestGuardOfAnswersByARoute(t *testing.T) {
	b, addr := shared(t,
		AccountOptions{Name: "SVC", Exports: []ServiceExport{{Subject: "svc"}}},
		AccountOptions{Name: "TO", Exports: []ServiceExport{{Subject: ">"}}},
		AccountOptions{Name: "MID", Exports: []ServiceExport{{Subject: ">"}},
			Services: []ServiceImport{{Account: "TO", Subject: "$JS.API.>", Local: "api.>"}}},
		AccountOptions{Name: "FROM", Services: []ServiceImport{
			{Account: "SVC", Subject: "svc"},
			{Account: "TO", Subject: "$JS.API.>", Local: "js.>"},
			{Account: "MID", Subject: "api.>", Local: "far.>"},
			{Account: "TO", Subject: "plain.>"},
		}})
	svc, to := b.Account("SVC"), b.Account("TO")
	replies, asked := make(chan string, 1), make(chan string, 1)
	if _, err := svc.SubscribeService("svc", "", func(m *Message) { replies <- string(m.Reply) }); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"$JS.API.>", "plain.>"} {
		if _, err := to.SubscribeService(s, "", func(m *Message) { asked <- string(m.Subject) }); err != nil {
			t.Fatal(err)
		}
	}
	p := dial(t, addr)
	p.send(`CONNECT {"verbose":false,"headers":true,"user":"FROM"}` + "\r\n")
	for reply, want := range map[string]string{"js.STREAM.DELETE.T": "", "far.STREAM.DELETE.T": "", "plain.x": "plain.x"} {
		p.send("PUB svc %s 0\r\n\r\n", reply)
		p.sync()
		injectFrame(<-replies, "x", func(p *PeerPublisher, f *proto.Frame) {
			p.Deliver(svc, Published, f, false, nil)
		})
		got := ""
		select {
		case got = <-asked:
		default:
		}
		if got != want {
			t.Errorf("an answer to %s asks %q, want %q", reply, got, want)
		}
	}
}
