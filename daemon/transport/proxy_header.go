package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// The PROXY protocol, versions 1 and 2 (haproxy, doc/proxy-protocol.txt): what a
// load balancer says of the client before the client's own bytes.

// The errors of a PROXY header.
var (
	ErrProxyInvalid      = errors.New("invalid PROXY protocol header")
	ErrProxyUnsupported  = errors.New("unsupported PROXY protocol feature")
	ErrProxyUnrecognized = errors.New("unrecognized PROXY protocol format")
)

// ProxyTimeout is how long a balancer may take to send its header
// (nats-server 2.15.3).
const ProxyTimeout = 5 * time.Second

const (
	proxyV1Prefix  = "PROXY "
	proxyV1Longest = 107 // with CRLF
	proxyV2Prefix  = "\r\n\r\n\x00\r\nQUIT\n"
	proxyV2Fixed   = 16 // prefix, version and command, family, length
)

// ProxyHeader is what a header said. Source is invalid (its zero value) where the
// balancer speaks for itself: LOCAL, UNKNOWN and UNSPEC.
type ProxyHeader struct {
	Source      netip.AddrPort
	Destination netip.AddrPort
}

// ParseProxyHeader reads the header at the start of b and gives its length. A
// length of 0 without an error asks for more bytes. b is not kept.
func ParseProxyHeader(b []byte) (ProxyHeader, int, error) {
	switch {
	case bytes.HasPrefix(b, []byte(proxyV1Prefix)):
		return parseProxyV1(b)
	case bytes.HasPrefix(b, []byte(proxyV2Prefix)):
		return parseProxyV2(b)
	case strings.HasPrefix(proxyV1Prefix, string(b)), len(b) < len(proxyV2Prefix) && strings.HasPrefix(proxyV2Prefix, string(b)):
		return ProxyHeader{}, 0, nil
	}
	return ProxyHeader{}, 0, ErrProxyUnrecognized
}

func parseProxyV1(b []byte) (ProxyHeader, int, error) {
	none := ProxyHeader{}
	end := bytes.Index(b[:min(len(b), proxyV1Longest)], []byte("\r\n"))
	if end < 0 {
		if len(b) >= proxyV1Longest {
			return none, 0, fmt.Errorf("%w: v1 line too long", ErrProxyInvalid)
		}
		return none, 0, nil
	}
	size := end + 2
	fields := strings.Fields(string(b[len(proxyV1Prefix):end]))
	if len(fields) > 0 && fields[0] == "UNKNOWN" {
		return none, size, nil
	}
	if len(fields) != 5 {
		return none, 0, fmt.Errorf("%w: invalid v1 format", ErrProxyInvalid)
	}
	source, err := proxyV1Address(fields[0], fields[1], fields[3])
	if err != nil {
		return none, 0, err
	}
	destination, err := proxyV1Address(fields[0], fields[2], fields[4])
	if err != nil {
		return none, 0, err
	}
	return ProxyHeader{Source: source, Destination: destination}, size, nil
}

// proxyV1Address reads one address of a line of the given family. An IPv4
// address in IPv6 form is an IPv6 one, as it is written.
func proxyV1Address(family, host, port string) (netip.AddrPort, error) {
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("%w: invalid address", ErrProxyInvalid)
	}
	switch {
	case family == "TCP4" && addr.Is6():
		return netip.AddrPort{}, fmt.Errorf("%w: TCP4 with IPv6 address", ErrProxyInvalid)
	case family == "TCP6" && addr.Is4():
		return netip.AddrPort{}, fmt.Errorf("%w: TCP6 with IPv4 address", ErrProxyInvalid)
	case family != "TCP4" && family != "TCP6":
		return netip.AddrPort{}, fmt.Errorf("%w: invalid protocol %s", ErrProxyInvalid, family)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%w: invalid port", ErrProxyInvalid)
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), nil
}

func parseProxyV2(b []byte) (ProxyHeader, int, error) {
	none := ProxyHeader{}
	if len(b) < proxyV2Fixed {
		return none, 0, nil
	}
	version, command := b[12]>>4, b[12]&0xf
	family, protocol := b[13]>>4, b[13]&0xf
	if version != 2 {
		return none, 0, fmt.Errorf("%w: invalid version 0x%02x", ErrProxyInvalid, b[12]&0xf0)
	}
	if command > 1 {
		return none, 0, fmt.Errorf("%w: unknown command 0x%02x", ErrProxyInvalid, command)
	}
	if command == 1 && protocol != 1 {
		return none, 0, fmt.Errorf("%w: only STREAM protocol supported", ErrProxyUnsupported)
	}
	width := 0 // bytes of one address
	if command == 1 {
		switch family {
		case 0:
		case 1:
			width = 4
		case 2:
			width = 16
		default:
			return none, 0, fmt.Errorf("%w: unsupported address family 0x%02x", ErrProxyUnsupported, b[13]&0xf0)
		}
	}
	length := int(binary.BigEndian.Uint16(b[14:]))
	if length < 2*width+4 && width > 0 {
		return none, 0, fmt.Errorf("%w: address data too short: %d bytes", ErrProxyInvalid, length)
	}
	if len(b) < proxyV2Fixed+length {
		return none, 0, nil
	}
	if width == 0 {
		return none, proxyV2Fixed + length, nil
	}
	data := b[proxyV2Fixed:]
	source, _ := netip.AddrFromSlice(data[:width])
	destination, _ := netip.AddrFromSlice(data[width : 2*width])
	ports := data[2*width:]
	return ProxyHeader{
		Source:      netip.AddrPortFrom(source.Unmap(), binary.BigEndian.Uint16(ports)),
		Destination: netip.AddrPortFrom(destination.Unmap(), binary.BigEndian.Uint16(ports[2:])),
	}, proxyV2Fixed + length, nil
}
