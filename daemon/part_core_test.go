package daemon

import (
	"slices"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

func TestDoorLines(t *testing.T) {
	pair := certtest.New(t, t.TempDir(), "door")
	const required, available = "TLS required for client connections", "TLS available for client connections"
	if lines, warnings := doorLines(broker.Options{}); lines != nil || warnings != nil {
		t.Errorf("without TLS: %q, %q", lines, warnings)
	}
	for _, c := range []struct {
		o    transport.TLSOptions
		want string
		warn int
	}{
		{transport.TLSOptions{}, required, 0},
		{transport.TLSOptions{AllowPlain: true}, available, 0},
		{transport.TLSOptions{First: true}, required, 1},
		{transport.TLSOptions{First: true, AllowPlain: true}, required, 1},
		{transport.TLSOptions{First: true, AllowPlain: true, FirstFallback: time.Second}, available, 0},
	} {
		c.o.Certificates = []transport.KeyPair{{CertFile: pair.CertFile, KeyFile: pair.KeyFile}}
		loaded, err := transport.LoadTLS(c.o)
		if err != nil {
			t.Fatal(err)
		}
		lines, warnings := doorLines(broker.Options{TLS: loaded, Proxy: broker.ProxyOptions{Enabled: true}})
		if !slices.Equal(lines, []string{"PROXY protocol enabled for client connections", c.want}) || len(warnings) != c.warn {
			t.Errorf("%+v: %q, %q", c.o, lines, warnings)
		}
	}
}
