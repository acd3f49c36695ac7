// Package verbs runs the verbs of the built binary against a built broker, where
// that takes more than a script of commands.
package verbs

import (
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// verb runs the binary and returns its exit status and all it wrote.
func verb(t *testing.T, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command(brokertest.Ours(t), args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// The health check finds its way in whatever clients have to show.
func TestHealthThroughTLS(t *testing.T) {
	dir := t.TempDir()
	ca := certtest.New(t, dir, "ca")
	server := ca.Issue("server", x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	client := ca.Issue("client", x509.Certificate{})
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("p\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pair := fmt.Sprintf("cert_file: %q, key_file: %q, ca_file: %q", server.CertFile, server.KeyFile, ca.CertFile)
	show := []string{"--tlscert", client.CertFile, "--tlskey", client.KeyFile}
	for _, c := range []struct {
		name, config string
		args         []string
		code         int
		says         string
	}{
		{"plain", "", nil, 0, "healthy"},
		{"user", "authorization { user: u, password: p }", nil, 0, "healthy"},
		{"server's certificate", "tls { " + pair + " }", nil, 0, "healthy"},
		{"handshake first", "tls { " + pair + ", handshake_first: true }", nil, 0, "healthy"},
		{"first or after a while", "tls { " + pair + ", handshake_first: 100ms }", nil, 0, "healthy"},
		{"first, or soon not", "tls { " + pair + ", handshake_first: 1us }", nil, 0, "healthy"}, // sooner than anybody begins
		{"certificate wanted", "tls { " + pair + ", verify: true }", nil, 1, "give one with --tlscert and --tlskey"},
		{"certificate shown", "tls { " + pair + ", verify: true }", show, 0, "healthy"},
		{"certificate and user", "tls { " + pair + ", verify: true }\nauthorization { user: u, password: p }", show, 0, "healthy"},
		{"certificate is the user", "tls { " + pair + ", verify_and_map: true }\nauthorization { users [ { user: \"CN=client\" } ] }", show, 0, "healthy"},
		{"certificate without key", "", show[:2], 2, "belong together"},
		{"by address", "tls { " + pair + ", verify: true }\nauthorization { user: u, password: p }",
			append([]string{"--server", "tls://%ADDR%", "--tlsca", ca.CertFile, "--user", "u", "--password-file", password}, show...), 0, "healthy"},
		{"by address, authority unknown", "tls { " + pair + " }", []string{"--server", "tls://%ADDR%"}, 1, "unknown authority"},
	} {
		t.Run(c.name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "control.sock")
			s := brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf("control_socket: %q\n%s\n", socket, c.config)})
			args := []string{"health", "--timeout", "1m", "--socket", socket}
			for _, a := range c.args {
				args = append(args, strings.ReplaceAll(a, "%ADDR%", s.Addr()))
			}
			if code, out := verb(t, args...); code != c.code || !strings.Contains(out, c.says) {
				t.Errorf("%q: exit %d, want %d and %q\n%s", args, code, c.code, c.says, out)
			}
		})
	}
}

// The days that a certificate has left are a check.
func TestHealthOfCertificates(t *testing.T) {
	dir := t.TempDir()
	server := certtest.New(t, dir, "ca").Issue("server", x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	socket := filepath.Join(t.TempDir(), "control.sock")
	brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf("control_socket: %q\ntls { cert_file: %q, key_file: %q }\n", socket, server.CertFile, server.KeyFile)})
	for _, c := range []struct {
		warn, critical string
		code           int
		says           string
	}{
		{"0", "0", 0, "OK"}, {"100000", "0", 1, "WARNING"}, {"100000", "100000", 2, "CRITICAL"},
	} {
		code, out := verb(t, "health", "--timeout", "1m", "--socket", socket, "--check", "certificates", "--cert-warn", c.warn, "--cert-critical", c.critical)
		if code != c.code || !strings.Contains(out, "certificates  "+c.says) || !strings.Contains(out, "(client) ends on ") {
			t.Errorf("%+v: exit %d\n%s", c, code, out)
		}
	}
}
