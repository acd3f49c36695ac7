package cluster

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestLongOpenings: what a stranger says to a route port that asks for credentials closes the connection where
// nats-server's does, however long it is.
func TestLongOpenings(t *testing.T) {
	long := strings.Repeat("x", 60<<10)
	for name, opening := range map[string]string{
		"garbage":        long,
		"a long PING":    "PING " + long,
		"PING":           "PING\r\n",
		"PONG":           "PONG\r\n",
		"+OK":            "+OK\r\n",
		"-ERR":           "-ERR '" + long,
		"INFO":           "INFO {\"x\":\"" + long,
		"RS+":            "RS+ " + long,
		"longer CONNECT": "CONNECT {\"x\":\"" + long + long,
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []*node{
				ours(t, "a", func(o *Options) { o.User, o.Password = "u", "p" }), theirs(t, "a", "authorization { user: u, password: p, timeout: 30 }"),
			} {
				c, err := net.Dial("tcp", strings.TrimPrefix(n.route, "nats://"))
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.WriteString(c, opening)
				_ = c.SetReadDeadline(time.Now().Add(time.Minute))
				b, err := io.ReadAll(c)
				if ne, ok := err.(net.Error); ok && ne.Timeout() {
					t.Errorf("%s keeps the connection, after %q", n.route, b)
				}
				_, rest, _ := strings.Cut(string(b), "\r\n")
				if rest != "" && !strings.HasPrefix(rest, "-ERR 'Authorization Violation'") && !strings.HasPrefix(rest, "-ERR 'maximum control line") {
					t.Errorf("%s says %q", n.route, rest)
				}
				c.Close()
			}
		})
	}
}
