package daemon

import (
	"net"
	"slices"
	"testing"
)

// Clients are told a name where one is configured, as nats-server tells it, and never that a server listens everywhere.
func TestToldAddress(t *testing.T) {
	at := func(ip string) *net.TCPAddr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 4222} }
	for _, c := range []struct{ host, listens, want string }{
		{"localhost", "127.0.0.1", "localhost:4222"},
		{"nats.example.org", "192.0.2.1", "nats.example.org:4222"},
		{"127.0.0.1", "127.0.0.1", "127.0.0.1:4222"},
		{"::1", "::1", "[::1]:4222"},
		{"", "192.0.2.1", "192.0.2.1:4222"}, // by socket activation
	} {
		if got := told(c.host, at(c.listens)); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%q at %s: %q, want %s", c.host, c.listens, got, c.want)
		}
	}
	for _, host := range []string{"0.0.0.0", "::", "everywhere.example.org"} {
		if got := told(host, at("0.0.0.0")); slices.Contains(got, "0.0.0.0:4222") || slices.Contains(got, host+":4222") {
			t.Errorf("%s: %q", host, got)
		}
	}
}
