package broker

import (
	"crypto/tls"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Whose session cannot move is told to go, and closed; who is not encrypted stays, at the
// same broker.
func TestHandoverOfEncrypted(t *testing.T) {
	a, addr, ca := secured(t, transport.TLSOptions{AllowPlain: true}, ProxyOptions{})
	told, closed := make(chan struct{}), make(chan struct{})
	old := nats.Secure(&tls.Config{MaxVersion: tls.VersionTLS12})
	encrypted, err := nats.Connect("nats://"+addr, old, nats.RootCAs(ca), nats.NoReconnect(),
		nats.LameDuckModeHandler(func(*nats.Conn) { close(told) }), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if err != nil {
		t.Fatal(err)
	}
	defer encrypted.Close()
	p := connect(t, addr)
	p.send("SUB foo 1\r\n")
	p.sync()
	if n := a.Secured(); n != 1 {
		t.Errorf("%d connections are encrypted", n)
	}
	if n := a.SendAway(time.Millisecond); n != 1 {
		t.Errorf("%d were sent away", n)
	}
	for what, happened := range map[string]chan struct{}{"told to go": told, "closed": closed} {
		select {
		case <-happened:
		case <-time.After(longest):
			t.Fatalf("it was not %s", what)
		}
	}
	late, err := nats.Connect("nats://"+addr, old, nats.RootCAs(ca), nats.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	b := successor(t, Options{NoShortFirstPing: true})
	if r := passOver(t, a, b); r.Moved != 1 || len(r.Lost) != 0 {
		t.Errorf("%+v", r)
	}
	waitFor(t, "the late one to be closed", late.IsClosed)
	if _, err := b.Global().SubscribeInternal("x", "", func(*Message) {}); err != nil {
		t.Fatal(err)
	}
	b.Global().Publish("foo", "", nil, []byte("hi"))
	p.expect("MSG foo 1 2", "hi")
}

// A request to another account's service is answered after the process that it went
// through is gone; so is one that only its receiver may answer.
func TestHandoverOfOpenRequests(t *testing.T) {
	accounts := []AccountOptions{
		{Name: "service", Exports: []ServiceExport{{Subject: "ask"}}},
		{Name: "asker", Services: []ServiceImport{{Account: "service", Subject: "ask"}}},
	}
	a, addr := shared(t, accounts...)
	as := func(user string) *peer {
		p := dial(t, addr)
		p.send(`CONNECT {"verbose":false,"user":"%s"}`+"\r\n", user)
		p.sync()
		return p
	}
	server, asker := as("service"), as("asker")
	server.send("SUB ask 1\r\n")
	server.sync()
	asker.send("SUB back 1\r\nPUB ask back 1\r\n?\r\n")
	asker.sync()
	var reply string
	if line := server.line(); len(line) > len("MSG ask 1 ") {
		reply = line[len("MSG ask 1 ") : len(line)-len(" 1")]
	}
	server.expect("?")
	b := successor(t, Options{NoShortFirstPing: true, Authenticator: byUser{}, Port: a.Options().Port})
	share(t, b, accounts...)
	if r := passOver(t, a, b); r.Moved != 2 {
		t.Fatalf("%+v", r)
	}
	server.send("PUB %s 1\r\n!\r\n", reply)
	server.sync()
	asker.expect("MSG back 1 1", "!")
	asker.send("PUB ask back 2\r\n??\r\n") // and new ones work
	asker.sync()
	if line := server.line(); line == "" {
		t.Error("no request")
	}
	server.expect("??")
}

// The requests of another process are answered by the names it gave them, whatever those
// look like, wait for their threshold, and are passed on once more.
func TestAdoptedRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, table := tableOf(t)
		b := a.broker.AddAccount("B")
		alike := string(replyName(nil, &replyClass{}, 0, 0))
		m := &movedAccount{prefix: "_R_.before.", replies: []movedReply{
			{"00abcdefghij", "B", "in.1", "ask"}, {alike, "B", "in.2", "ask"}, {"00late", "B", "in.3", "ask"},
			{"00x", "nobody", "in.4", "ask"}, {"", "B", "in.5", "ask"}, {"00late", "B", "in.6", "ask"},
		}}
		table.adopt(a, m)
		table.adoptReplies(a, m.replies)
		own, _ := table.add(nil, &request{b, []byte("in.0"), anyExport, table.class(time.Minute), nil, 0})
		if !strings.HasPrefix(string(own), m.prefix) || !table.isOpen(string(own)) {
			t.Errorf("%q is not under the prefix of before, or not open", own)
		}
		var back wayBack
		for _, r := range m.replies[:2] {
			for i := range 2 {
				if got := table.take([]byte(m.prefix+r.id), false, &back); got != (i == 0) {
					t.Errorf("%q: answer %d passes: %v", r.id, i, got)
				} else if got && (back.to != b || string(back.subject) != r.subject) {
					t.Errorf("%q: goes to %s", r.id, back.subject)
				}
			}
		}
		var again movedAccount
		table.describe(&again)
		if len(again.replies) != 2 || again.prefix != m.prefix { // that of our own and one adopted
			t.Errorf("%+v", again)
		}
		if !table.isOpen("_R_.before.00late") {
			t.Error("one that was adopted is not open")
		}
		time.Sleep(defaultThreshold*5/4 + time.Second)
		if n, chunks := table.openCount(); n+chunks > 0 {
			t.Errorf("%d requests in %d chunks are left", n, chunks)
		}
	})
}
