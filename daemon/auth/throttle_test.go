package auth

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// TestFailuresAreDelayed: the delay begins after the burst, grows to its bound, is for that address alone, does not
// touch those with the right password, and is forgiven.
func TestFailuresAreDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, Options{User: "me", Password: "pw"})
		try := func(ip, password string) time.Duration {
			start := time.Now()
			_, err := a.Authenticate(t.Context(), &Request{User: "me", Password: password, Remote: tcp(ip)})
			if (err == nil) != (password == "pw") {
				t.Fatalf("%s with %s: %v", ip, password, err)
			}
			return time.Since(start)
		}
		for i := range throttleBurst {
			if d := try("10.0.0.1", "x"); d != 0 {
				t.Errorf("failure %d is delayed by %v", i+1, d)
			}
		}
		last := time.Duration(0)
		for range 40 {
			d := try("10.0.0.1", "x")
			if d < last || d > throttleMax {
				t.Errorf("delay %v after %v", d, last)
			}
			last = d
		}
		if last != throttleMax {
			t.Errorf("the delay ends at %v", last)
		}
		if d := try("10.0.0.1", "pw"); d != 0 {
			t.Errorf("the right password waits %v", d)
		}
		if d := try("10.0.0.2", "x"); d != 0 {
			t.Errorf("another address waits %v", d)
		}
		time.Sleep(2 * throttleBurst * throttleForgive) // of the bubble, whose clock waits for nobody
		if d := try("10.0.0.1", "x"); d != 0 {
			t.Errorf("not forgiven: %v", d)
		}
	})
}

// TestDelayEndsWithContext: who waits for an answer may go before it comes.
func TestDelayEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, Options{User: "me", Password: "pw"})
		for range 100 {
			a.throttle.failed(addressOf(tcp("10.0.0.1")), time.Now())
		}
		ctx, cancel := context.WithTimeout(t.Context(), throttleMax/10)
		defer cancel()
		start := time.Now()
		_, err := a.Authenticate(ctx, &Request{User: "me", Password: "x", Remote: tcp("10.0.0.1")})
		if d := time.Since(start); err == nil || d != throttleMax/10 {
			t.Errorf("answered %v after %v", err, d)
		}
	})
}

func TestThrottleAddresses(t *testing.T) {
	for _, c := range []struct {
		addr net.Addr
		want string
	}{
		{tcp("10.1.2.3"), "10.1.2.3/32"},
		{tcp("::ffff:10.1.2.3"), "10.1.2.3/32"},
		{tcp("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64"},
		{&net.UnixAddr{Name: "@", Net: "unix"}, "invalid Prefix"},
		{nil, "invalid Prefix"},
	} {
		if got := addressOf(c.addr).String(); got != c.want {
			t.Errorf("%v counts as %s, want %s", c.addr, got, c.want)
		}
	}
}

// TestThrottleMemoryIsBounded floods with addresses, forgiven and not.
func TestThrottleMemoryIsBounded(t *testing.T) {
	var th throttle
	now := time.Now()
	for i := range 3 * throttleAddresses {
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		th.failed(netip.PrefixFrom(ip, 32), now)
	}
	if len(th.table) > throttleAddresses {
		t.Errorf("%d addresses", len(th.table))
	}

	// Those that are forgiven go first.
	th = throttle{}
	for i := range throttleAddresses - 1 {
		th.failed(netip.MustParsePrefix(fmt.Sprintf("2001:db8:0:%x::/64", i)), now)
	}
	attacker := netip.MustParsePrefix("192.0.2.1/32")
	later := now.Add(time.Hour)
	th.failed(attacker, later)
	th.failed(netip.MustParsePrefix("192.0.2.2/32"), later)
	if th.table[attacker] == nil || len(th.table) != 2 {
		t.Errorf("%d addresses remembered, the attacker: %v", len(th.table), th.table[attacker] != nil)
	}
}
