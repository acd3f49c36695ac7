package daemon_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// returning is a client by hand that comes back with what it was given.
type returning struct {
	t      *testing.T
	addr   string
	config *tls.Config
}

// come logs in and gives the connection, and whether its session was resumed; why it was refused, in err.
func (r *returning) come() (nc *tls.Conn, resumed bool, err error) {
	r.t.Helper()
	raw, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = raw.Close() })
	_ = raw.SetDeadline(time.Now().Add(time.Minute))
	if _, err := bufio.NewReaderSize(raw, 16).ReadString('\n'); err != nil { // INFO
		r.t.Fatal(err)
	}
	nc = tls.Client(raw, r.config)
	if _, err := io.WriteString(nc, "CONNECT {\"verbose\":false}\r\nPING\r\n"); err != nil {
		return nil, false, err
	}
	line, err := bufio.NewReader(nc).ReadString('\n')
	if err == nil && line != "PONG\r\n" {
		err = fmt.Errorf("server says %q", line)
	}
	return nc, nc.ConnectionState().DidResume, err
}

// comes expects to be let in, by a session that was resumed or not.
func (r *returning) comes(resumed bool) *tls.Conn {
	r.t.Helper()
	nc, is, err := r.come()
	if err != nil {
		r.t.Fatal(err)
	}
	if is != resumed {
		r.t.Errorf("resumed is %t", is)
	}
	return nc
}

func returningTo(t *testing.T, s *brokertest.Server, certs ...tls.Certificate) *returning {
	return &returning{t, fmt.Sprintf("127.0.0.1:%d", s.Port()),
		&tls.Config{InsecureSkipVerify: true, ServerName: "server", Certificates: certs, ClientSessionCache: tls.NewLRUClientSessionCache(1)}}
}

// A session is resumed over reloads and upgrades, and a connection that was resumed moves as every other; with
// tls_handover off nothing that opens a ticket leaves the process.
func TestUpgradeKeepsTickets(t *testing.T) {
	server := certtest.SelfSigned(t, "server")
	s, socket := controlled(t, secureConfig(server, server, "timeout: 20"))
	conf := rewriting(t, s, socket)
	t.Cleanup(func() { verb(t, socket, "stop") })
	r := returningTo(t, s)
	r.comes(false)
	stays := r.comes(true)
	conf.set(secureConfig(server, server, "timeout: 30") + "max_payload: 1000\n")
	if code, out := verb(t, socket, "reload"); code != 0 {
		t.Fatalf("reload exits %d: %s", code, out)
	}
	r.comes(true)
	for range 2 {
		if code, out := verb(t, socket, "upgrade"); code != 0 {
			t.Fatalf("upgrade exits %d: %s", code, out)
		}
		if _, err := io.WriteString(stays, "PING\r\n"); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(stays)
		line, err := lines.ReadString('\n')
		for line == "PING\r\n" { // the broker asks as well, after two seconds
			line, err = lines.ReadString('\n')
		}
		if line != "PONG\r\n" {
			t.Fatalf("a resumed connection that moved: %q, %v", line, err)
		}
		r.comes(true)
	}
	conf.set(secureConfig(server, server, "timeout: 20") + "tls_handover: false\n")
	if code, out := verb(t, socket, "reload"); code != 0 {
		t.Fatalf("reload exits %d: %s", code, out)
	}
	r.comes(true)
	if code, out := verb(t, socket, "upgrade"); code != 0 {
		t.Fatalf("upgrade exits %d: %s", code, out)
	}
	r.comes(false)
}

// Who comes back by a ticket is the user that the certificate stands for now, and nobody if its authority is trusted no more.
func TestTicketsMapCertificates(t *testing.T) {
	dir := t.TempDir()
	ca, other := certtest.New(t, dir, "ca"), certtest.New(t, dir, "other")
	server := certtest.SelfSigned(t, "server")
	client := ca.Issue("client", x509.Certificate{DNSNames: []string{"client"}})
	s, socket := controlled(t, "")
	conf := rewriting(t, s, socket)
	t.Cleanup(func() { verb(t, socket, "stop") })
	users := func(authority certtest.Pair, names ...string) string {
		return secureConfig(server, authority, "verify_and_map: true, timeout: 20") + "authorization { users: [ {user: " + strings.Join(names, "}, {user: ") + "} ] }\n"
	}
	for _, c := range []struct {
		name string
		next string
	}{
		{"the user is gone", users(ca.Pair, "another")},
		{"the authority is gone", users(other.Pair, "client")},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := returningTo(t, s, client.TLS)
			conf.set(users(ca.Pair, "client", "another"))
			if code, out := verb(t, socket, "reload"); code != 0 {
				t.Fatalf("reload exits %d: %s", code, out)
			}
			r.comes(false)
			r.comes(true)
			conf.set(c.next)
			if code, out := verb(t, socket, "reload"); code != 0 {
				t.Fatalf("reload exits %d: %s", code, out)
			}
			if _, resumed, err := r.come(); err == nil {
				t.Errorf("the client is let in, resumed is %t", resumed)
			}
		})
	}
}
