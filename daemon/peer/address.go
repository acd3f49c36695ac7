package peer

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"time"
)

// ResolveTimeout bounds the search for the addresses of a server.
const ResolveTimeout = 5 * time.Second

// Resolver finds the addresses of a host; nil is the system's.
type Resolver func(ctx context.Context, host string) ([]string, error)

// Addresses finds the addresses of a server, each with its port. It is asked anew for each attempt to connect.
func Addresses(ctx context.Context, resolve Resolver, u *url.URL) ([]string, error) {
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err == nil {
		return []string{u.Host}, nil
	}
	if resolve == nil {
		resolve = net.DefaultResolver.LookupHost
	}
	ctx, cancel := context.WithTimeout(ctx, ResolveTimeout)
	defer cancel()
	list, err := resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no address for %q", host)
	}
	addrs := make([]string, len(list))
	for i, ip := range list {
		addrs[i] = net.JoinHostPort(ip, u.Port())
	}
	return addrs, nil
}
