package transport

import (
	"errors"
	"strings"
	"testing"
)

const v2 = proxyV2Prefix

var proxyHeaders = []struct {
	name, in    string
	source      string // "" none
	destination string
	size        int // 0 with no error: more bytes are needed
	err         error
}{
	{"v1 tcp4", "PROXY TCP4 192.0.2.1 192.0.2.2 1000 4222\r\nCONNECT", "192.0.2.1:1000", "192.0.2.2:4222", 42, nil},
	{"v1 tcp6", "PROXY TCP6 2001:db8::1 2001:db8::2 1000 4222\r\n", "[2001:db8::1]:1000", "[2001:db8::2]:4222", 46, nil},
	{"v1 mapped", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n", "192.0.2.1:1", "192.0.2.2:2", 50, nil},
	{"v1 unknown", "PROXY UNKNOWN ffff::1 x\r\nPING\r\n", "", "", 25, nil},
	{"v1 part", "PROXY TCP4 192.0.2.1 192.0.2.2 1000 42", "", "", 0, nil},
	{"v1 prefix part", "PRO", "", "", 0, nil},
	{"nothing", "", "", "", 0, nil},
	{"v1 too long", "PROXY " + strings.Repeat("x", 101) + "\r\n", "", "", 0, ErrProxyInvalid},
	{"v1 few fields", "PROXY TCP4 192.0.2.1\r\n", "", "", 0, ErrProxyInvalid},
	{"v1 bad address", "PROXY TCP4 localhost 192.0.2.2 1 2\r\n", "", "", 0, ErrProxyInvalid},
	{"v1 zone", "PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n", "", "", 0, ErrProxyInvalid},
	{"v1 wrong family", "PROXY TCP4 2001:db8::1 192.0.2.2 1 2\r\n", "", "", 0, ErrProxyInvalid},
	{"v1 protocol", "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", "", "", 0, ErrProxyInvalid},
	{"v1 port", "PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", "", "", 0, ErrProxyInvalid},
	{"a client", "CONNECT {}\r\n", "", "", 0, ErrProxyUnrecognized},
	{"v2 tcp4", v2 + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x03\xe8\x10\x7e" + "PING", "192.0.2.1:1000", "192.0.2.2:4222", 28, nil},
	{"v2 tcp4 with tlv", v2 + "\x21\x11\x00\x0f\xc0\x00\x02\x01\xc0\x00\x02\x02\x03\xe8\x10\x7e\x04\x00\x00", "192.0.2.1:1000", "192.0.2.2:4222", 31, nil},
	{"v2 tcp6", v2 + "\x21\x21\x00\x24" + strings.Repeat("\x20\x01", 8) + strings.Repeat("\x20\x02", 8) + "\x00\x01\x00\x02",
		"[2001:2001:2001:2001:2001:2001:2001:2001]:1", "[2002:2002:2002:2002:2002:2002:2002:2002]:2", 52, nil},
	{"v2 local", v2 + "\x20\x00\x00\x00", "", "", 16, nil},
	{"v2 unspec", v2 + "\x21\x01\x00\x02ab", "", "", 18, nil},
	{"v2 part", v2 + "\x21\x11\x00\x0c\xc0\x00", "", "", 0, nil},
	{"v2 prefix part", v2[:9], "", "", 0, nil},
	{"v2 version", v2 + "\x11\x11\x00\x0c", "", "", 0, ErrProxyInvalid},
	{"v2 command", v2 + "\x22\x11\x00\x0c", "", "", 0, ErrProxyInvalid},
	{"v2 udp", v2 + "\x21\x12\x00\x0c", "", "", 0, ErrProxyUnsupported},
	{"v2 unix", v2 + "\x21\x31\x00\xd8", "", "", 0, ErrProxyUnsupported},
	{"v2 short", v2 + "\x21\x11\x00\x0b", "", "", 0, ErrProxyInvalid},
}

func TestParseProxyHeader(t *testing.T) {
	for _, c := range proxyHeaders {
		h, n, err := ParseProxyHeader([]byte(c.in))
		if !errors.Is(err, c.err) || n != c.size {
			t.Errorf("%s: size %d, error %v; want %d, %v", c.name, n, err, c.size, c.err)
			continue
		}
		source, destination := "", ""
		if h.Source.IsValid() {
			source, destination = h.Source.String(), h.Destination.String()
		}
		if source != c.source || destination != c.destination {
			t.Errorf("%s: %q to %q, want %q to %q", c.name, source, destination, c.source, c.destination)
		}
	}
}

// A verdict on a header does not depend on what comes behind it, and never
// changes once it is given.
func FuzzParseProxyHeader(f *testing.F) {
	for _, c := range proxyHeaders {
		f.Add([]byte(c.in))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ParseProxyHeader(b)
		if n > len(b) || err != nil && n != 0 {
			t.Fatalf("size %d of %d bytes, error %v", n, len(b), err)
		}
		for i := range len(b) {
			if i < n || err != nil {
				if _, m, _ := ParseProxyHeader(b[:i]); m != 0 && err == nil && m != n {
					t.Fatalf("%d bytes give a header of %d, %d bytes one of %d", i, m, len(b), n)
				}
				continue
			}
			if n > 0 {
				if g, m, e := ParseProxyHeader(b[:i]); m != n || g != h || e != nil {
					t.Fatalf("with %d bytes behind it the header reads otherwise", i-n)
				}
			}
		}
	})
}
