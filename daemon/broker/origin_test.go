package broker

import "testing"

// The table of who may receive what, spelt out a second time.
func TestWhoMayReceive(t *testing.T) {
	kinds := []struct {
		name string
		kind uint8
	}{{"client", kindClient}, {"part", kindPart}, {"service", kindService}, {"deaf", kindDeaf}, {"import", kindImport},
		{"replies", kindReplies}, {"shadow", kindShadow}, {"route", kindRoute}}
	for _, c := range []struct {
		from Origin
		in   entry
		want string // the kinds that receive
	}{
		{FromClient, published, "client part service import replies shadow route "},
		{Own, published, "client part service import replies shadow route "},
		{OwnOutward, published, "client import replies shadow route "},
		{FromRoute, published, "client part service deaf replies shadow "},
		{FromStream, published, "client part service import replies shadow route "},
	} {
		a, _ := tableOf(t)
		s := newSender(a, c.from, "", 1)
		h := s.hop
		if c.in != published {
			h = s.into(a, c.in)
		}
		got := ""
		for _, k := range kinds {
			if h.may.has(k.kind) {
				got += k.name + " "
			}
		}
		if got != c.want {
			t.Errorf("origin %d, entry %d: %q, want %q", c.from, c.in, got, c.want)
		}
	}
}
