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
	stop := a.WatchNamed("a.b", "", func(is bool) { told = append(told, is) })
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

// Members of a queue group count where that is asked for, and nowhere else.
func TestWatchNamedGroup(t *testing.T) {
	b, _ := start(t, Options{})
	a := b.Global()
	var told, plain []bool
	defer a.WatchNamed("a.b", "g", func(is bool) { told = append(told, is) })()
	defer a.WatchNamed("a.b", "", func(is bool) { plain = append(plain, is) })()
	subscribe := func(pattern, queue string) func() {
		s, err := a.SubscribeInternal(pattern, queue, func(*Message) {})
		if err != nil {
			t.Fatal(err)
		}
		return s.Unsubscribe
	}
	for _, other := range [][2]string{{"a.*", "g"}, {"a.b", "h"}} {
		defer subscribe(other[0], other[1])()
	}
	one := subscribe("a.b", "")
	member := subscribe("a.b", "g")
	one()
	member()
	if got := fmt.Sprint(told, plain); got != "[false true false] [false true false]" {
		t.Error(got)
	}
}
