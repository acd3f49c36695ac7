package auth

import (
	"strings"
	"testing"
)

// The reason is that of the verdict.
func TestWhy(t *testing.T) {
	p, err := NewPermissions(&Rules{
		PublishAllow: []string{"orders.>", "a"}, PublishDeny: []string{"orders.secret.*"}, Responses: &Responses{Max: 2},
		SubscribeAllow: []string{"in.>", "q work"}, SubscribeDeny: []string{"in.secret"},
	})
	if err != nil {
		t.Fatal(err)
	}
	open, err := NewPermissions(&Rules{PublishDeny: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	answers, err := NewPermissions(&Rules{Responses: &Responses{}})
	if err != nil {
		t.Fatal(err)
	}
	groups, err := NewPermissions(&Rules{SubscribeDeny: []string{"a q", "b", "c r"}})
	if err != nil {
		t.Fatal(err)
	}
	wild, err := NewPermissions(&Rules{SubscribeAllow: []string{"*.*", "a.x q", "c"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		p    *Permissions
		subj string
		ok   bool
		why  string
	}{
		{nil, "x", true, "no permissions"},
		{p, "orders.new", true, `allow has "orders.>"`},
		{p, "orders.secret.x", false, `deny has "orders.secret.*"; the user may answer there if a message that it received asks for it (at most 2 times`},
		{p, "b", false, "nothing in publish allow matches"},
		{open, "b", true, "not restricted"},
		{open, "x", false, `deny has "x"`},
		{answers, "x", false, "answers only"},
	} {
		if ok, why := tt.p.WhyPublish(tt.subj); ok != tt.ok || !strings.Contains(why, tt.why) {
			t.Errorf("publish %s: %v, %s", tt.subj, ok, why)
		}
	}
	for _, tt := range []struct {
		p               *Permissions
		subj, queue     string
		ok              bool
		why, held, only string
	}{
		{nil, "x", "", true, "no permissions", "", ""},
		{p, "in.a", "", true, `allow has "in.>"`, "", ""},
		{p, "in.>", "", true, `allow has "in.>"`, "in.secret", ""},
		{p, "in.secret", "", false, `deny has "in.secret"`, "", ""},
		{p, "q", "", false, "nothing in subscribe allow covers it", "", ""},
		{p, "q", "work", true, `allow has "q work"`, "", ""},
		{p, "out", "", false, "nothing in subscribe allow covers it", "", ""},
		{open, "x", "", true, "not restricted", "", ""},
		{groups, ">", "", true, "not restricted", "b", ""},
		{groups, ">", "q", true, "not restricted", "a q,b", ""},
		{wild, "a.>", "", true, `allow has "*.*"`, "", "*.*"},
		{wild, "a.>", "q", true, `allow has "*.*"`, "", "*.*,a.x q"},
	} {
		if ok, why, held, only := tt.p.WhySubscribe(tt.subj, tt.queue); ok != tt.ok || !strings.Contains(why, tt.why) || strings.Join(held, ",") != tt.held || strings.Join(only, ",") != tt.only {
			t.Errorf("subscribe %s %s: %v, %s, %v, %v", tt.subj, tt.queue, ok, why, held, only)
		}
	}
}
