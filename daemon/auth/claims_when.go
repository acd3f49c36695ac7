package auth

import (
	"net"
	"net/netip"
	"time"

	"github.com/nats-io/jwt/v2"
)

// fromAllowed reports whether a user may come from an address: one of its networks must hold it, if it names any.
func fromAllowed(src jwt.CIDRList, remote net.Addr) bool {
	if len(src) == 0 {
		return true
	}
	if remote == nil {
		return false
	}
	ap, err := netip.ParseAddrPort(remote.String())
	if err != nil {
		return false
	}
	ip := net.IP(ap.Addr().Unmap().WithZone("").AsSlice())
	for _, text := range src {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			return false
		}
		if network.Contains(ip) {
			return true
		}
	}
	return false
}

const clockLayout = "15:04:05"

// allowedUntil reports whether a user may be there at this moment, and until when; the zero time is for good. Of several
// ranges of the day that hold the moment, the one that ends last counts. A range that ends before it begins goes over
// midnight.
func allowedUntil(l *jwt.UserLimits, now time.Time) (until time.Time, ok bool) {
	if len(l.Times) == 0 {
		return time.Time{}, true
	}
	where := time.Local
	if l.Locale != "" {
		var err error
		if where, err = time.LoadLocation(l.Locale); err != nil {
			return time.Time{}, false
		}
	}
	now = now.In(where)
	for _, r := range l.Times {
		begin, err := time.ParseInLocation(clockLayout, r.Start, where)
		if err != nil {
			return time.Time{}, false
		}
		end, err := time.ParseInLocation(clockLayout, r.End, where)
		if err != nil {
			return time.Time{}, false
		}
		if e, in := rangeEnd(now, begin, end); in && e.After(until) {
			until, ok = e, true
		}
	}
	return until, ok
}

// rangeEnd returns the end of a daily range that now is in. begin and end are times of some day.
func rangeEnd(now, begin, end time.Time) (time.Time, bool) {
	y, m, d := now.Date()
	at := func(t time.Time, days int) time.Time {
		return time.Date(y, m, d+days, t.Hour(), t.Minute(), t.Second(), 0, now.Location())
	}
	b, e := at(begin, 0), at(end, 0)
	switch {
	case b.Before(now) && e.After(now):
		return e, true
	case b.After(e) && e.After(now):
		return e, true // began yesterday
	case b.After(e) && b.Before(now):
		return at(end, 1), true
	}
	return time.Time{}, false
}
