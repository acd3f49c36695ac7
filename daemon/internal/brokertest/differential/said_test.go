package differential

import (
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

// TestSaidOfStrangers: what both brokers write into their logs about a peer that is not let in, for people and programs that
// look for those lines, and what the peer is told. One script goes to the ports of clients, routes and leaf nodes.
func TestSaidOfStrangers(t *testing.T) {
	ca := certtest.New(t, t.TempDir(), "ca")
	cert := ca.Issue("server", x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	secure := func(more string) string {
		return fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, timeout: 20, %s }", cert.CertFile, cert.KeyFile, ca.CertFile, more)
	}
	const login = "authorization { user: u, password: p, timeout: 20 }"
	const violation = "-ERR 'Authorization Violation'\r\n"
	const wrong = "CONNECT {\"user\":\"u\",\"pass\":\"x\",\"name\":\"N\",\"cluster\":\"C\"}\r\n"
	const ofClient = "CONNECT {\"verbose\":false,\"lang\":\"go\",\"version\":\"1\"}\r\n"
	const noTLS = "handshake error: tls: first record does not look like a TLS handshake"

	for _, c := range []struct {
		name, port, config, says string
		told                     string // behind INFO
		lines                    []string
	}{
		{"client, a wrong password", "client", login, wrong, violation, []string{
			`[ERR] authentication error - User "u"`, "[DBG] Client connection closed: Authentication Failure"}},
		{"client, nobody", "client", login, "CONNECT {}\r\n", violation, []string{"[ERR] authentication error"}},
		{"client, no CONNECT", "client", login, "PING\r\n", violation, []string{"[ERR] authentication error"}},
		{"client, no TLS", "client", secure(""), "PING\r\n", "", []string{"[DBG] Starting TLS client connection handshake",
			"[DBG] TLS " + noTLS, "[DBG] Client connection closed: TLS Handshake Failure"}},
		{"client, goes before TLS", "client", secure(""), "", "", []string{"[ERR] TLS handshake error: EOF"}},

		{"route, a wrong password", "cluster", login, wrong, violation, []string{"[INF] Route connection created",
			`[ERR] authentication error - User "u"`, "[INF] Router connection closed: Authentication Failure"}},
		{"route, nobody", "cluster", login, "CONNECT {\"cluster\":\"C\"}\r\n", violation, []string{"[ERR] authentication error"}},
		{"route, PING", "cluster", "", "PING\r\n", violation, []string{"[ERR] authentication error", "[INF] Router connection closed: Authentication Failure"}},
		{"route, HTTP", "cluster", "", "GET / HTTP/1.1\r\n\r\n", violation, []string{"[ERR] authentication error"}},
		{"route, interest", "cluster", "", "RS+ $G a\r\n", violation, []string{"[ERR] authentication error"}},
		{"route, INFO", "cluster", "", "INFO {\"server_id\":\"N\",\"cluster\":\"C\"}\r\n", violation, []string{"[ERR] authentication error"}},
		{"route, a client", "cluster", "", ofClient, "-ERR 'attempted to connect to route port'\r\n", []string{
			"[ERR] attempted to connect to route port", "[INF] Router connection closed: Incorrect Port"}},
		{"route, a client that is not let in", "cluster", login, ofClient, violation, []string{"[ERR] authentication error"}},
		{"route, another cluster", "cluster", "", "CONNECT {\"cluster\":\"D\"}\r\n", "-ERR 'Rejecting connection, cluster name \"D\" does not match \"C\"'\r\n",
			[]string{`[ERR] Rejecting connection, cluster name "D" does not match "C"`, "[INF] Router connection closed: Cluster Name Conflict"}},
		{"route, no TLS", "cluster", secure(""), wrong, "", []string{"[DBG] Starting TLS route server handshake",
			"[ERR] TLS route " + noTLS, "[INF] Router connection closed: TLS Handshake Failure"}},
		{"route, goes before TLS", "cluster", secure(""), "", "", []string{"[ERR] TLS route handshake error: EOF"}},

		{"leaf node, a wrong password", "leafnodes", login, wrong, violation, []string{
			`[ERR] authentication error - User "u"`, "[INF] Leafnode connection closed: Authentication Failure"}},
		{"leaf node, PING", "leafnodes", "", "PING\r\n", violation, []string{"[ERR] authentication error",
			"[INF] Leafnode connection closed: Authentication Failure"}},
		{"leaf node, HTTP", "leafnodes", "", "GET / HTTP/1.1\r\n\r\n", violation, []string{"[ERR] authentication error"}},
		{"leaf node, interest", "leafnodes", login, "LS+ a\r\n", violation, []string{"[ERR] authentication error"}},
		{"leaf node, no TLS", "leafnodes", secure(""), wrong, "", []string{"[DBG] Starting TLS leafnode server handshake",
			"[DBG] TLS leafnode " + noTLS, "[INF] Leafnode connection closed: TLS Handshake Failure"}},
		{"leaf node, goes before TLS", "leafnodes", secure(""), "", "", []string{"[ERR] TLS leafnode handshake error: EOF"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, binary := range []string{brokertest.NATSServer(t), brokertest.Ours(t)} {
				port := brokertest.FreePort(t)
				config := c.config
				switch c.port {
				case "cluster":
					config = fmt.Sprintf("cluster { name: C, listen: \"127.0.0.1:%d\", %s }\n", port, c.config)
				case "leafnodes":
					config = fmt.Sprintf("leafnodes { listen: \"127.0.0.1:%d\", %s }\n", port, c.config)
				}
				s := brokertest.Start(t, brokertest.Options{Binary: binary, Config: config, Args: []string{"-D"}})
				switch c.port { // nats-server says that it is ready before it listens for other servers
				case "client":
					port = s.Port()
				case "cluster":
					s.WaitLog("Listening for route connections on ")
				case "leafnodes":
					s.WaitLog("Listening for leafnode connections on ")
				}
				from := s.LogLen()
				label, told := says(t, port, c.says, strings.Contains(c.config, "tls {") && c.port == "cluster")
				if told != c.told {
					t.Errorf("%s tells %q, want %q", binary, told, c.told)
				}
				for _, line := range c.lines {
					level, text, _ := strings.Cut(line, " ")
					s.WaitLogFrom(" - "+text+"\n", from)
					if log := s.Logs()[from:]; !hasLine(log, level+" "+label+" - ", " - "+text) {
						t.Errorf("%s has no line %q about %s in\n%s", binary, line, label, log)
					}
				}
			}
		})
	}
}

// hasLine reports whether a line of a log holds begin and ends with end.
func hasLine(log, begin, end string) bool {
	for line := range strings.Lines(log) {
		if strings.Contains(line, begin) && strings.HasSuffix(line, end+"\n") {
			return true
		}
	}
	return false
}

// says sends text to a port, and returns how lines of the log begin with the connection and what is answered behind INFO.
// Silent ports say nothing before TLS.
func says(t *testing.T, port int, text string, silent bool) (label, told string) {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(brokertest.Patience))
	if !silent {
		for b := make([]byte, 1); b[0] != '\n'; {
			if _, err := io.ReadFull(conn, b); err != nil {
				t.Fatal(err)
			}
		}
	}
	if text == "" {
		return conn.LocalAddr().String(), ""
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Errorf("the connection stays, after %q", answer)
	}
	return conn.LocalAddr().String(), string(answer)
}

// TestSaidByTheRefused: the server that dialled says why it is not let in, too, and where it was.
func TestSaidByTheRefused(t *testing.T) {
	for _, accepts := range []string{brokertest.NATSServer(t), brokertest.Ours(t)} {
		port := brokertest.FreePort(t)
		brokertest.Start(t, brokertest.Options{Binary: accepts, Config: fmt.Sprintf("cluster { name: C, listen: \"127.0.0.1:%d\" }\n", port)})
		s := brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf(
			"cluster { name: D, listen: \"127.0.0.1:-1\", routes: [ \"nats-route://127.0.0.1:%d\" ] }\n", port)})
		s.WaitLog(`Rejecting connection, cluster name "C" does not match "D"`)
		s.WaitLog(fmt.Sprintf("Router connection closed: Cluster Name Conflict - Host: 127.0.0.1:%d\n", port))
	}
}
