package daemon

import (
	"fmt"
	"net/netip"
	"runtime"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/config"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// brokerOptions translates the configuration for the messaging core. Zero is
// "the default" there, and "none" in some places here.
func brokerOptions(o *config.Options) broker.Options {
	return broker.Options{
		ServerName:      o.ServerName,
		Host:            o.Host,
		Port:            max(o.Port, 0),
		ClientAdvertise: o.ClientAdvertise,

		MaxControlLine:   int(o.Limits.MaxControlLine),
		MaxPayload:       int(o.Limits.MaxPayload),
		MaxPending:       o.Limits.MaxPending,
		MaxConnections:   o.Limits.MaxConnections,
		MaxSubscriptions: max(o.Limits.MaxSubscriptions, 0),
		MaxSubTokens:     o.Limits.MaxSubTokens,
		MaxClosedClients: o.Limits.MaxClosedClients,
		WriteDeadline:    o.WriteDeadline,
		KeepLate:         o.WriteTimeout == "retry",
		PingInterval:     o.PingInterval,
		PingMax:          o.PingMax,
		AuthTimeout:      o.Authorization.Timeout,
		NoHeaders:        o.NoHeaderSupport,

		LameDuckDuration: o.LameDuck.Duration,
		LameDuckGrace:    o.LameDuck.GracePeriod,

		TraceVerbose: o.Log.TraceVerbose,
		TraceHeaders: o.Log.TraceHeaders,
		MaxTracedLen: o.Log.MaxTracedLen,

		SystemAccount: o.SystemAccount,
		Cluster:       o.Cluster.Name,
		JetStream:     o.JetStream.Enabled,
		Domain:        jetStreamDomain(o),
		Version:       CompatVersion,
		GoVersion:     runtime.Version(),
	}
}

// coreOptions are the core's options with what must be loaded for them.
func coreOptions(o *config.Options, tickets *transport.TicketKeys) (broker.Options, error) {
	opts := brokerOptions(o)
	var err error
	if opts.TLS, err = clientTLS(o, tickets); err != nil {
		return opts, err
	}
	opts.Proxy, err = proxyOptions(o, o.ProxyProtocol)
	return opts, err
}

// proxyOptions say whether a listener expects PROXY headers, and from whom.
func proxyOptions(o *config.Options, enabled bool) (broker.ProxyOptions, error) {
	p := broker.ProxyOptions{Enabled: enabled}
	for _, text := range o.ProxyTrusted {
		network, err := trustedNetwork(text)
		if err != nil {
			return p, err
		}
		p.Trusted = append(p.Trusted, network)
	}
	return p, nil
}

// trustedNetwork reads an address or a network.
func trustedNetwork(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("proxy_protocol: %q is neither an address nor a network", text)
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}
