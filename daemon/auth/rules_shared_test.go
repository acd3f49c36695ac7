package auth

import (
	"reflect"
	"testing"
	"time"
)

// Users share what was made of the same rules, and of no others.
func TestRulesAreShared(t *testing.T) {
	list := []*Rules{
		{}, {PublishAllow: []string{}}, {PublishAllow: []string{"a"}}, {PublishDeny: []string{"a"}}, {SubscribeAllow: []string{"a"}}, {SubscribeDeny: []string{"a"}},
		{PublishAllow: []string{"a", "b"}}, {PublishAllow: []string{"a.b"}}, {PublishAllow: []string{"a"}, PublishDeny: []string{"b"}},
		{PublishAllow: []string{"a"}, Responses: &Responses{}}, {PublishAllow: []string{"a"}, Responses: &Responses{Max: 1}},
		{PublishAllow: []string{"a"}, Responses: &Responses{Expires: time.Second}},
	}
	var s sharedRules
	seen := map[*Permissions]int{}
	for i, r := range list {
		p, err := s.permissions(r)
		if err != nil {
			t.Fatal(err)
		}
		if other, shared := seen[p]; shared {
			t.Errorf("%+v and %+v are taken for the same", *r, *list[other])
		}
		seen[p] = i
		again := *r
		if q, _ := s.permissions(&again); q != p || !reflect.DeepEqual(q.Rules(), r) {
			t.Errorf("%+v are made twice, or others", *r)
		}
	}
	for range 2 {
		if _, err := s.permissions(&Rules{PublishAllow: []string{"a..b"}}); err == nil {
			t.Error("a subject that is none is accepted")
		}
	}
}
