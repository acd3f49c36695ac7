package broker

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/transport"
)

// Who is encrypted is told to go, and closed; who is not stays, at the same broker.
func TestHandoverOfEncrypted(t *testing.T) {
	a, addr, ca := secured(t, transport.TLSOptions{AllowPlain: true}, ProxyOptions{})
	told, closed := make(chan struct{}), make(chan struct{})
	encrypted, err := nats.Connect("nats://"+addr, nats.Secure(), nats.RootCAs(ca), nats.NoReconnect(),
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
	<-told
	<-closed
	late, err := nats.Connect("nats://"+addr, nats.Secure(), nats.RootCAs(ca), nats.NoReconnect())
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
