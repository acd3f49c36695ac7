package daemon

import (
	"crypto/tls"
	"fmt"

	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// tlsOptions translates a tls block.
func tlsOptions(t *config.TLS) transport.TLSOptions {
	o := transport.TLSOptions{
		CAFile: t.CAFile, Verify: t.Verify, VerifyOptional: t.VerifyOptional, Insecure: t.Insecure,
		CipherSuites: t.CipherSuites, Curves: t.Curves, MinVersion: t.MinVersion, Pinned: t.Pinned,
		First: t.HandshakeFirst.Enabled, FirstFallback: t.HandshakeFirst.FallbackDelay,
		Timeout: t.Timeout, RateLimit: int(t.RateLimit),
	}
	for _, c := range t.Certificates {
		o.Certificates = append(o.Certificates, transport.KeyPair{CertFile: c.CertFile, KeyFile: c.KeyFile})
	}
	return o
}

// clientTLS loads the certificates for client connections, whose session tickets the keys seal; nil without a tls
// block.
func clientTLS(o *config.Options, tickets *transport.TicketKeys) (*transport.TLS, error) {
	if !o.TLS.Defined {
		return nil, nil
	}
	opts := tlsOptions(&o.TLS)
	opts.AllowPlain, opts.Carry, opts.Tickets = o.AllowNonTLS, o.Process.TLSHandover, tickets
	t, err := transport.LoadTLS(opts)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return t, nil
}

// monitorTLS makes the settings of https monitoring: the certificate of the
// tls block. Clients are asked for one only when the monitor block says so.
func monitorTLS(o *config.Options) (*tls.Config, *transport.TLS, error) {
	t, err := transport.LoadTLS(tlsOptions(&o.TLS))
	if err != nil {
		return nil, nil, fmt.Errorf("tls: %w", err)
	}
	c := t.Server()
	c.ClientAuth = tls.NoClientCert
	if o.Monitor.Verify {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, t, nil
}
