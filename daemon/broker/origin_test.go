package broker

import "testing"

// The table of who may receive what, spelt out a second time.
func TestWhoMayReceive(t *testing.T) {
	kinds := []struct {
		name string
		kind uint8
	}{{"client", kindClient}, {"part", kindPart}, {"service", kindService}, {"deaf", kindDeaf}, {"import", kindImport}, {"wide", kindWide},
		{"replies", kindReplies}, {"shadow", kindShadow}, {"route", kindRoute}}
	const all = "client part service import wide replies shadow route "
	for _, c := range []struct {
		from Origin
		in   Entry
		here bool   // it came into the account on this server
		want string // the kinds that receive
	}{
		{FromClient, Published, false, all},
		{FromClient, AsMessage, true, all},
		{FromClient, AsRequest, true, "client part service import wide replies route "},
		{FromClient, AsAnswer, true, "client part service import replies route "},
		{FromStream, Published, false, all},
		{FromStream, AsRequest, true, "client part service import wide replies route "},
		{Own, Published, false, all},
		{Own, AsRequest, true, "client part service import wide replies route "},
		{Own, AsAnswer, true, "client part service import replies route "},
		{OwnOutward, Published, false, "client import wide replies shadow route "},
		{OwnOutward, AsMessage, true, "client import wide replies shadow route "},
		{OwnOutward, AsRequest, true, "client import wide replies route "},
		{OwnOutward, AsAnswer, true, "client import replies route "},
		{FromRoute, Published, false, "client part service deaf replies shadow "},
		{FromRoute, AsMessage, false, "client part service deaf replies shadow "},
		{FromRoute, AsRequest, false, "client part service deaf replies "},
		{FromRoute, AsAnswer, false, "client part service replies "},
		{FromRoute, AsAnswer, true, "client part service import replies route "},
		{FromRoute, AsRequest, true, "client part service import wide replies route "},
	} {
		a, _ := tableOf(t)
		s := newSender(a, c.from, "", 1)
		may := receives[c.from][c.in]
		if c.here {
			may = s.into(a, c.in).may
		}
		got := ""
		for _, k := range kinds {
			if may.has(k.kind) {
				got += k.name + " "
			}
		}
		if got != c.want {
			t.Errorf("origin %d, entry %d: %q, want %q", c.from, c.in, got, c.want)
		}
	}
	if may := receives[FromClient][Published].about("_R_.x"); may.has(kindShadow) || may.has(kindImport) || may.has(kindWide) || !may.has(kindReplies) {
		t.Errorf("an answer is published for %b", may)
	}
}
