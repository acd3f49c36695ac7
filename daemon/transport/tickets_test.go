package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// visitor is a client that keeps its tickets.
type visitor struct {
	t      *testing.T
	config *tls.Config
}

func newVisitor(t *testing.T, certs ...tls.Certificate) *visitor {
	return &visitor{t, &tls.Config{InsecureSkipVerify: true, ServerName: "server", Certificates: certs, ClientSessionCache: tls.NewLRUClientSessionCache(1)}}
}

// visit connects to a server of a material, has a word echoed, and tells what the server says of the handshake.
func (v *visitor) visit(m *TLS) (*tls.ConnectionState, error) {
	v.t.Helper()
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		v.t.Fatal(err)
	}
	defer nl.Close()
	type end struct {
		state *tls.ConnectionState
		err   error
	}
	ended := make(chan end, 1)
	go func() { // ends with its one connection
		nc, err := nl.Accept()
		if err != nil {
			ended <- end{nil, err}
			return
		}
		c := &Conn{}
		if err := NewConn(c, nc); err != nil {
			ended <- end{nil, err}
			return
		}
		c.Out.Limits(1<<20, 10*time.Second)
		state, err := c.SecureServer(m, nil)
		if err == nil {
			if err = c.Serve(echoer{c}, nil); errors.Is(err, io.EOF) {
				err = nil
			}
		}
		c.Close(true)
		ended <- end{state, err}
	}()
	nc, err := tls.Dial("tcp", nl.Addr().String(), v.config)
	if err == nil {
		_ = nc.SetDeadline(time.Now().Add(time.Minute))
		if _, err = nc.Write([]byte("word")); err == nil {
			_, err = io.ReadFull(nc, make([]byte, 4)) // the ticket comes before it
		}
		_ = nc.Close()
	}
	e := <-ended
	if e.err == nil && err != nil {
		v.t.Fatalf("the client fails alone: %v", err)
	}
	return e.state, e.err
}

// comes visits and says whether the session was resumed.
func (v *visitor) comes(m *TLS, resumed bool) *tls.ConnectionState {
	v.t.Helper()
	state, err := v.visit(m)
	if err != nil {
		v.t.Fatal(err)
	}
	if state.DidResume != resumed {
		v.t.Errorf("resumed is %t", state.DidResume)
	}
	return state
}

// A client comes back by its ticket, with TLS 1.3 and 1.2, carried or not, also to the material of a reload.
func TestTicketsResume(t *testing.T) {
	pair := writePair(t, "server")
	for _, c := range []struct {
		name  string
		carry bool
		max   uint16
	}{{"1.3", false, 0}, {"1.3 carried", true, 0}, {"1.2", true, tls.VersionTLS12}} {
		t.Run(c.name, func(t *testing.T) {
			o := TLSOptions{Certificates: []KeyPair{pair}, Carry: c.carry, Tickets: NewTicketKeys(), Timeout: time.Minute}
			v := newVisitor(t)
			v.config.MaxVersion = c.max
			m := loadTLS(t, o)
			v.comes(m, false)
			v.comes(m, true)
			v.comes(loadTLS(t, o), true)
			o.Tickets = NewTicketKeys()
			v.comes(loadTLS(t, o), false)
			o.Tickets = nil
			v.comes(loadTLS(t, o), false)
		})
	}
}

// What a certificate was accepted for holds over tickets, and no further than the block that gave the ticket goes.
func TestTicketsAndCertificates(t *testing.T) {
	dir := t.TempDir()
	old, other := certtest.New(t, dir, "old"), certtest.New(t, dir, "other")
	both := other.Path("both.pem")
	for _, a := range []*certtest.Authority{old, other} {
		b, err := os.ReadFile(a.CertFile)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(both, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.Write(b)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	client := old.Issue("client", x509.Certificate{})
	pin := Fingerprint(client.Cert)
	asks := TLSOptions{Certificates: []KeyPair{writePair(t, "server")}, CAFile: both, Verify: true, Carry: true, Tickets: NewTicketKeys(), Timeout: time.Minute}
	with := func(f func(*TLSOptions)) *TLS {
		o := asks
		f(&o)
		return loadTLS(t, o)
	}
	same := func(*TLSOptions) {}

	t.Run("the certificate is known again", func(t *testing.T) {
		v := newVisitor(t, client.TLS)
		v.comes(with(same), false)
		state := v.comes(with(same), true)
		if len(state.PeerCertificates) == 0 || !state.PeerCertificates[0].Equal(client.Cert) || len(state.VerifiedChains) == 0 {
			t.Errorf("the server knows %d certificates, %d chains", len(state.PeerCertificates), len(state.VerifiedChains))
		}
	})
	for name, next := range map[string]func(*TLSOptions){
		"an authority is removed":       func(o *TLSOptions) { o.CAFile = other.CertFile },
		"another key is pinned":         func(o *TLSOptions) { o.Pinned = []string{Fingerprint(old.Cert)} },
		"only known hosts are accepted": func(o *TLSOptions) { o.KnownOnly, o.KnownHosts = true, []string{"elsewhere"} },
	} {
		t.Run(name, func(t *testing.T) {
			v := newVisitor(t, client.TLS)
			v.comes(with(same), false)
			if state, err := v.visit(with(next)); err == nil {
				t.Errorf("the client gets in, resumed is %t", state.DidResume)
			}
		})
	}
	for name, next := range map[string]func(*TLSOptions){
		"its key is pinned":     func(o *TLSOptions) { o.Pinned = []string{pin} },
		"one authority is left": func(o *TLSOptions) { o.CAFile = old.CertFile },
		"it may be left out":    func(o *TLSOptions) { o.Verify, o.VerifyOptional = false, true },
		"it is not asked for":   func(o *TLSOptions) { o.Verify = false },
	} {
		t.Run(name, func(t *testing.T) {
			v := newVisitor(t, client.TLS)
			v.comes(with(same), false)
			v.comes(with(next), false)
			v.comes(with(next), true)
		})
	}
	t.Run("a ticket of before it was asked for", func(t *testing.T) {
		v := newVisitor(t)
		v.comes(with(func(o *TLSOptions) { o.Verify = false }), false)
		if _, err := v.visit(with(same)); err == nil {
			t.Error("a client without a certificate gets in")
		}
	})
	t.Run("pinned", func(t *testing.T) {
		pinned := with(func(o *TLSOptions) { o.Pinned = []string{Fingerprint(old.Cert)} })
		v := newVisitor(t, client.TLS)
		for range 2 { // the ticket came before it was refused
			if _, err := v.visit(pinned); !errors.Is(err, ErrPin) {
				t.Errorf("ended with %v", err)
			}
		}
	})
	t.Run("the certificate has expired since", func(t *testing.T) {
		soon := old.Issue("soon", x509.Certificate{NotAfter: time.Now().Add(time.Hour)})
		v := newVisitor(t, soon.TLS)
		v.comes(with(same), false)
		v.comes(with(same), true)
		m := with(same)
		config := m.Server()
		config.Time = func() time.Time { return time.Now().Add(2 * time.Hour) }
		m.tickets(config)
		here, there := net.Pipe()
		go func() { // ends with the pipe
			_ = tls.Client(there, v.config).Handshake()
			_, _ = io.Copy(io.Discard, there)
		}()
		if err := tls.Server(here, config).Handshake(); err == nil {
			t.Error("the client gets in")
		}
		_ = here.Close()
	})
}

// Keys turn, and a session ends, however often it was resumed.
func TestTicketsTurn(t *testing.T) {
	now := time.Now()
	keys := NewTicketKeys()
	keys.now = func() time.Time { return now }
	policy := []byte("policy")
	ids := map[string]time.Time{}
	for range 100 {
		ticket, err := keys.seal([]byte("session"), policy)
		if err != nil {
			t.Fatal(err)
		}
		id := string(ticket[:ticketIDLen])
		if _, known := ids[id]; !known {
			ids[id] = now
		}
		if age := now.Sub(ids[id]); age >= ticketTurn {
			t.Fatalf("a key is used after %s", age)
		}
		if keys.open(ticket, policy) == nil || keys.open(ticket, []byte("another")) != nil || keys.open(ticket[:len(ticket)-1], policy) != nil {
			t.Fatal("a ticket is not what it is")
		}
		was := now
		now = now.Add(ticketLife)
		if keys.open(ticket, policy) != nil {
			t.Fatal("a ticket is good for ever")
		}
		now = was.Add(time.Hour)
	}
	if len(ids) < 10 {
		t.Errorf("%d keys", len(ids))
	}
	if n := len(keys.Keys()); n > int(ticketLife/ticketTurn)+1 {
		t.Errorf("%d keys are kept", n)
	}
	now = now.Add(-time.Hour * 1000) // a clock is set right
	keys.now = func() time.Time { return now }
	if list := keys.Keys(); len(list) > 0 {
		t.Errorf("keys of the future: %v", list)
	}

	v, m := newVisitor(t), loadTLS(t, TLSOptions{Certificates: []KeyPair{writePair(t, "server")}, Tickets: keys, Timeout: time.Minute})
	v.comes(m, false)
	for range ticketLife/time.Hour - 1 {
		now = now.Add(time.Hour)
		v.comes(m, true)
	}
	now = now.Add(time.Hour)
	v.comes(m, false)
	v.comes(m, true)
}

// The next process goes on with the keys; damaged ones are refused.
func TestTicketsContinue(t *testing.T) {
	pair := writePair(t, "server")
	first, next := NewTicketKeys(), NewTicketKeys()
	with := func(k *TicketKeys) *TLS {
		return loadTLS(t, TLSOptions{Certificates: []KeyPair{pair}, Carry: true, Tickets: k, Timeout: time.Minute})
	}
	v := newVisitor(t)
	v.comes(with(first), false)
	if err := next.Continue(first.Keys()); err != nil {
		t.Fatal(err)
	}
	v.comes(with(next), true)
	damaged := slices.Clone(first.Keys())
	damaged[0].Secret = damaged[0].Secret[1:]
	if err := next.Continue(damaged); !errors.Is(err, ErrTicketKeys) {
		t.Errorf("damaged keys: %v", err)
	}
	v.comes(with(next), true)
}
