package broker

import "testing"

// The table of who may receive what, spelt out a second time.
func TestWhoMayReceive(t *testing.T) {
	kinds := []struct {
		name string
		kind uint8
	}{{"client", kindClient}, {"part", kindPart}, {"service", kindService}, {"deaf", kindDeaf}, {"import", kindImport}, {"wide", kindWide},
		{"replies", kindReplies}, {"shadow", kindShadow}, {"route", kindRoute}, {"leaf", kindLeaf}, {"hub", kindHub}, {"watch", kindWatch}}
	const all = "client part service import wide replies shadow route leaf hub watch "
	for _, c := range []struct {
		from Origin
		in   Entry
		here bool   // it came into the account on this server
		want string // the kinds that receive
	}{
		{FromClient, Published, false, all},
		{FromClient, AsMessage, true, all},
		{FromClient, AsRequest, true, "client part service import wide replies route leaf hub watch "},
		{FromClient, AsAnswer, true, "client part service import replies route leaf hub watch "},
		{FromStream, Published, false, all},
		{FromStream, AsRequest, true, "client part service import wide replies route leaf hub watch "},
		{Own, Published, false, all},
		{Own, AsRequest, true, "client part service import wide replies route leaf hub watch "},
		{Own, AsAnswer, true, "client part service import replies route leaf hub watch "},
		{OwnOutward, Published, false, "client import wide replies shadow route leaf hub watch "},
		{OwnOutward, AsMessage, true, "client import wide replies shadow route leaf hub watch "},
		{OwnOutward, AsRequest, true, "client import wide replies route leaf hub watch "},
		{OwnOutward, AsAnswer, true, "client import replies route leaf hub watch "},
		{FromRoute, Published, false, "client part service deaf replies shadow leaf watch "},
		{FromRoute, AsMessage, false, "client part service deaf replies shadow leaf watch "},
		{FromRoute, AsRequest, false, "client part service deaf replies leaf watch "},
		{FromRoute, AsAnswer, false, "client part service replies leaf watch "},
		{FromRoute, AsAnswer, true, "client part service import replies route leaf hub watch "},
		{FromRoute, AsRequest, true, "client part service import wide replies route leaf hub watch "},
		{FromLeaf, Published, false, all},
		{FromLeaf, AsRequest, false, "client part service import wide replies route leaf hub watch "},
		{FromLeaf, AsAnswer, false, "client part service import replies route leaf hub watch "},
		{FromLeaf, AsRequest, true, "client part service import wide replies route leaf hub watch "},
		{FromHub, Published, false, "client part service import wide replies shadow leaf hub watch "},
		{FromHub, AsMessage, false, "client part service import wide replies shadow leaf hub watch "},
		{FromHub, AsRequest, false, "client part service import wide replies leaf hub watch "},
		{FromHub, AsAnswer, false, "client part service import replies leaf hub watch "},
		{FromHub, AsAnswer, true, "client part service import replies route leaf hub watch "},
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
