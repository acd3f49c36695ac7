package broker

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// doorbook lets everyone in and notes what it was asked.
type doorbook struct {
	mu  sync.Mutex
	all []string
}

func (d *doorbook) Requires() AuthRequirements { return AuthRequirements{Auth: true, Told: true} }

func (d *doorbook) Authenticate(_ context.Context, r *AuthRequest) (*Identity, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, fmt.Sprintf("%s %s %v encrypted %v", r.Connection, r.Type, r.Note, r.TLS != nil))
	return &anybody, nil
}

func (d *doorbook) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.all
	d.all = nil
	return all
}

// knocking is a step as an upgrade is one: the peer sends a line and is answered, before
// anything else is said.
func knocking(o *Opening) error {
	for !bytes.Contains(o.First, []byte("\n")) {
		if err := o.Read(longest); err != nil {
			return err
		}
	}
	line, rest, _ := bytes.Cut(o.First, []byte("\n"))
	o.First = rest
	name, ok := strings.CutPrefix(string(line), "KNOCK ")
	switch {
	case !ok:
		o.Conn().Out.Send([]byte("GO AWAY\n"))
		return Refuse(ProtocolViolation, errors.New("no knock"))
	case name == "panic":
		panic("oops")
	}
	o.Note(name)
	o.SetRemote(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 7})
	o.Conn().Out.Send([]byte("COME IN\n"))
	return nil
}

// A listener has its own encryption, steps and name, beside the one that the options
// describe.
func TestDoorOfItsOwn(t *testing.T) {
	book := &doorbook{}
	b, err := New(Options{Authenticator: book, Host: "example.org"}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	plain, err := b.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	made := certtest.SelfSigned(t, "broker")
	m, err := transport.LoadTLS(transport.TLSOptions{Certificates: []transport.KeyPair{{CertFile: made.CertFile, KeyFile: made.KeyFile}}})
	if err != nil {
		t.Fatal(err)
	}
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	toy := func(host string) *Door {
		return &Door{Connection: "TOY", Type: "toy", TLS: m, Steps: []Step{knocking}, Info: func(i *Info) { i.Host = host }}
	}
	l, err := b.ServeBy(nl, toy("toys.example.org"))
	if err != nil {
		t.Fatal(err)
	}
	enter := func(knock string) *peer {
		t.Helper()
		nc, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS13})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		p := newPeer(t, nc)
		p.send("%s", knock)
		return p
	}
	greeting := func(p *peer, host string) {
		t.Helper()
		if line := p.line(); !strings.HasPrefix(line, "INFO {") || !strings.Contains(line, `"host":"`+host+`"`) ||
			!strings.Contains(line, `"tls_required":true`) {
			t.Errorf("greeted with %q", line)
		}
	}
	const connect = `CONNECT {"verbose":false,"protocol":1}` + "\r\n"
	// All at once, what comes behind the step is a frame.
	p := enter("KNOCK alice\n" + connect + "PING\r\n")
	p.expect("COME IN")
	greeting(p, "toys.example.org")
	p.expect("PONG")
	greeting(p, "toys.example.org") // the second INFO, with the account
	if got := book.take(); len(got) != 1 || got[0] != "TOY toy alice encrypted true" {
		t.Errorf("the authenticator was asked %q", got)
	}
	ci := b.Clients()[0].Info(false)
	if ci.Type != "toy" || ci.IP != "192.0.2.7" || ci.TLS == nil || b.Clients()[0].About().ClientType != "toy" {
		t.Errorf("shown as %+v", ci)
	}
	if b.Clients()[0].movable() {
		t.Error("the connection would be handed to a process that does not know its door")
	}
	enter("KICK\n").expect("GO AWAY")
	enter("KNOCK panic\n").closed()
	// News are true for each.
	q := dial(t, plain.Addr().String())
	q.send(connect + "PING\r\n")
	q.expect("PONG")
	if line := q.line(); !strings.Contains(line, `"host":"example.org"`) || strings.Contains(line, "tls_required") {
		t.Errorf("the other door tells %q", line)
	}
	if got := book.take(); len(got) != 1 || got[0] != "STANDARD nats <nil> encrypted false" {
		t.Errorf("the authenticator was asked %q", got)
	}
	o := b.Options()
	o.MaxPayload = 1000
	commit, err := b.Prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	commit()
	greeting(p, "toys.example.org")
	if line := q.line(); !strings.Contains(line, `"host":"example.org"`) || !strings.Contains(line, `"max_payload":1000`) {
		t.Errorf("the other door tells %q", line)
	}
	// Another door for those who come later.
	l.SetDoor(toy("new.example.org"))
	r := enter("KNOCK bob\n")
	r.expect("COME IN")
	greeting(r, "new.example.org")
	p.sync()
}
