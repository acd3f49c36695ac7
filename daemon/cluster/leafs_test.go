package cluster

import (
	"slices"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// leafThere is a leaf node connection.
type leafThere struct {
	broker.Link
	n int
}

// TestLeafInterestIsTold: what leaf nodes want is told by their cluster; a peer that knows no clusters of leaf nodes is told of them
// and of clients together. Each line says what it is about, so that peers end up with what there is.
func TestLeafInterestIsTold(t *testing.T) {
	b, err := broker.New(broker.Options{}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop()
	h, err := New(b, Options{Name: "C", LeafNodes: true}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	defer h.Stop()
	h.Sync()
	knows, old := &Route{hub: h, info: &info{LNOC: true, LNOCU: true}}, &Route{hub: h, info: &info{}}
	i := h.interests[broker.GlobalAccount]
	i.attach(knows)
	i.attach(old)
	told := func(what string, r *Route, want ...string) {
		t.Helper()
		got := strings.Split(strings.TrimSuffix(string(r.pending), "\r\n"), "\r\n")
		if len(r.pending) == 0 {
			got = nil
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: told %q, want %q", what, got, want)
		}
		r.pending = nil
	}
	acc := b.Global()
	x1, x2, none := &leafThere{n: 1}, &leafThere{n: 2}, &leafThere{n: 3}
	add := func(l *leafThere, origin, subject, queue string, weight int) broker.RemoteInterest {
		t.Helper()
		in, err := acc.AddLeaf(l, origin, []byte(subject), queue, weight)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	first := add(x1, "X", "a", "", 1)
	told("the first", knows, "LS+ X $G a")
	told("the first", old, "RS+ $G a")
	second := add(x2, "X", "a", "", 1)
	third := add(none, "", "a", "", 1)
	told("another of the cluster, and one of none", knows, "LS+ _ $G a")
	told("another of the cluster, and one of none", old)
	first.Remove()
	third.Remove()
	told("two are gone", knows, "LS- _ $G a")
	told("two are gone", old)
	second.Remove()
	told("all are gone", knows, "LS- X $G a")
	told("all are gone", old, "RS- $G a")

	q := add(x1, "X", "b", "q", 2)
	add(x2, "Y", "b", "q", 3)
	sub, err := acc.SubscribeService("b", "q", func(*broker.Message) {})
	if err != nil {
		t.Fatal(err)
	}
	told("a group", knows, "LS+ X $G b q 2", "LS+ Y $G b q 3", "RS+ $G b q 1")
	told("a group", old, "RS+ $G b q 2", "RS+ $G b q 5", "RS+ $G b q 6")
	q.SetMembers(broker.Members{All: 7, Own: 7})
	told("more of it", knows, "LS+ X $G b q 7")
	told("more of it", old, "RS+ $G b q 11")
	sub.Unsubscribe()
	told("without the own", knows, "RS- $G b q")
	told("without the own", old, "RS+ $G b q 10")

	// Rules and connections that come later.
	i.permit(rules("", "b"))
	told("denied", knows, "LS- X $G b q", "LS- Y $G b q")
	told("denied", old, "RS- $G b q")
	i.permit(nil)
	told("allowed", knows, "LS+ X $G b q 7", "LS+ Y $G b q 3")
	told("allowed", old, "RS+ $G b q 10")
	late := &Route{hub: h, info: &info{LN: true}}
	i.attach(late)
	told("a connection made later", late, "LS+ X $G b q 7", "LS+ Y $G b q 3")
	i.withdraw()
	told("the account is gone", late, "LS- X $G b q", "LS- Y $G b q")
	if len(i.leafs) != 0 {
		t.Errorf("left: %v", i.leafs)
	}
}
