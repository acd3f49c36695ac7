package daemon_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// shownBy is the serial number of the certificate that a broker shows by TLS.
func shownBy(t *testing.T, s *brokertest.Server) string {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	c := tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// renamed puts a file into the place of another one.
func renamed(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// Of a certificate that is renewed before its key, or behind it, nothing is seen until both are there, whether a reload
// is asked for or the files are watched.
func TestHalfRenewedPairIsWaitedFor(t *testing.T) {
	for _, asked := range []bool{false, true} {
		for _, keyFirst := range []bool{false, true} {
			t.Run(fmt.Sprintf("asked %t, key first %t", asked, keyFirst), func(t *testing.T) {
				pair, next := certtest.SelfSigned(t, "old"), certtest.SelfSigned(t, "new")
				s, head, socket := watched(t)
				conf := head + fmt.Sprintf("config_watch: %t\nauthorization { user: a, password: b }\ntls { cert_file: %q, key_file: %q, handshake_first: true, timeout: 20 }\n",
					!asked, pair.CertFile, pair.KeyFile)
				s.SetConfig(conf)
				if code, out := verb(t, socket, "reload"); code != 0 {
					t.Fatalf("reload exits %d: %s", code, out)
				}
				from := s.LogLen()
				files := [][2]string{{next.CertFile, pair.CertFile}, {next.KeyFile, pair.KeyFile}}
				if keyFirst {
					files[0], files[1] = files[1], files[0]
				}
				renamed(t, files[0][0], files[0][1])
				answer := make(chan string, 1)
				if asked {
					go func() { // ends with the reload
						code, out := verb(t, socket, "reload")
						answer <- fmt.Sprintf("exit %d: %s", code, out)
					}()
				}
				s.WaitLogFrom("do not belong together", from)
				if name := shownBy(t, s); name != "old" {
					t.Errorf("with half a pair %q is shown", name)
				}
				renamed(t, files[1][0], files[1][1])
				s.WaitLogFrom("Reloaded server configuration", from)
				if name := shownBy(t, s); name != "new" {
					t.Errorf("with both halves %q is shown", name)
				}
				if asked {
					if out := <-answer; !strings.HasPrefix(out, "exit 0") {
						t.Error(out)
					}
				}
				if said := s.Logs()[from:]; strings.Contains(said, "Failed to reload") || strings.Count(said, "do not belong together") != 1 {
					t.Errorf("it says: %s", said)
				}
			})
		}
	}
}

// What is no pair for other reasons is refused at once.
func TestBrokenPairIsRefusedAtOnce(t *testing.T) {
	pair, other := certtest.SelfSigned(t, "old"), certtest.SelfSigned(t, "other")
	s, socket := controlled(t, secureConfig(pair, pair, ""))
	conf := rewriting(t, s, socket)
	t.Cleanup(func() { verb(t, socket, "stop") })
	refused := func() {
		t.Helper()
		from := s.LogLen()
		if code, out := verb(t, socket, "reload"); code != 1 || strings.Contains(s.Logs()[from:], "waiting up to") {
			t.Errorf("reload exits %d: %s\n%s", code, out, s.Logs()[from:])
		}
	}
	conf.set(fmt.Sprintf("tls { cert_file: %q, key_file: %q }\n", other.CertFile, pair.KeyFile)) // names another file
	refused()
	conf.set(secureConfig(pair, pair, ""))
	if err := os.WriteFile(pair.CertFile, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused()
}

// A start between the two waits as well.
func TestStartWithHalfRenewedPair(t *testing.T) {
	pair, next := certtest.SelfSigned(t, "old"), certtest.SelfSigned(t, "new")
	renamed(t, next.CertFile, pair.CertFile)
	go func() { // ends with the rename
		time.Sleep(500 * time.Millisecond) // the broker has looked at the files meanwhile, most likely
		_ = os.Rename(next.KeyFile, pair.KeyFile)
	}()
	s, socket := controlled(t, fmt.Sprintf("tls { cert_file: %q, key_file: %q, handshake_first: true, timeout: 20 }\n", pair.CertFile, pair.KeyFile))
	t.Cleanup(func() { verb(t, socket, "stop") })
	if name := shownBy(t, s); name != "new" {
		t.Errorf("%q is shown", name)
	}
}
