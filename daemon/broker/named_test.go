package broker

import (
	"fmt"
	"testing"
)

// Those who name a subject are told apart from those who get it by a wildcard.
func TestWatchNamed(t *testing.T) {
	b, _ := start(t, Options{})
	a := b.Global()
	var told []bool
	stop := a.WatchNamed("a.b", func(is bool) { told = append(told, is) })
	subscribe := func(pattern string) func() {
		s, err := a.SubscribeInternal(pattern, "", func(*Message) {})
		if err != nil {
			t.Fatal(err)
		}
		return s.Unsubscribe
	}
	wild := subscribe("a.*")
	one := subscribe("a.b")
	two := subscribe("a.b")
	one()
	wild()
	two()
	stop()
	subscribe("a.b")()
	if got := fmt.Sprint(told); got != "[false true false]" {
		t.Error(got)
	}
}
