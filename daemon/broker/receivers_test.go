package broker

import (
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
)

// Who is told to receive a message is who receives it, by whatever way.
func TestReceivers(t *testing.T) {
	b, addr := shared(t,
		AccountOptions{Name: "A", Mappings: []Mapping{
			{Source: "old.*", Destinations: []MappingDestination{{Subject: "new.$1", Weight: 100}}},
			{Source: "split", Destinations: []MappingDestination{{Subject: "s1", Weight: 30}, {Subject: "s2", Weight: 70}}},
		}, Services: []ServiceImport{{Account: "B", Subject: "svc.x", Local: "ask"}}},
		AccountOptions{Name: "B", Exports: []ServiceExport{{Subject: "svc.x"}}},
		AccountOptions{Name: "C", Streams: []StreamImport{{Account: "A", Subject: "orders.>", Local: "from.a.orders.>"}}},
	)
	a, in, c := connectAs(t, addr, "A"), connectAs(t, addr, "B"), connectAs(t, addr, "C")
	subscribe := func(nc *nats.Conn, subject, queue string) *nats.Subscription {
		s, err := nc.QueueSubscribeSync(subject, queue)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	everywhere := []*nats.Subscription{
		subscribe(a, "orders.new", ""), subscribe(a, "orders.*", ""), subscribe(a, "orders.*", ""), subscribe(c, "from.a.orders.>", ""), subscribe(c, "orders.new", ""),
		subscribe(a, "new.*", ""), subscribe(in, "svc.x", ""),
	}
	subscribe(a, "orders.q", "g")
	subscribe(a, "orders.*.*", "g")
	subscribe(c, "from.a.orders.q", "g")
	subscribe(a, "s1", "")
	subscribe(a, "s2", "")
	if _, err := b.Account("A").SubscribeInternal("orders.new", "", func(*Message) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Account("A").Capture("orders.new", newTape()); err != nil {
		t.Fatal(err)
	}
	flush(t, a, in, c)
	for _, tt := range []struct {
		subject string
		request bool
		want    []string
		clients int // that really get it
	}{
		{"orders.new", false, []string{
			"client A orders.new by orders.new of 0 []", "client A orders.new by orders.* of 0 []", "client A orders.new by orders.* of 0 []",
			`client C from.a.orders.new by from.a.orders.> of 0 [stream import "from.a.orders.>" of account C from A]`,
			"server A orders.new by orders.new of 0 []", "sink A orders.new by  of 0 []",
		}, 4},
		{"old.x", false, []string{`client A new.x by new.* of 0 [mapping of "old.x" to "new.x"]`}, 1},
		{"split", false, []string{`client A s1 by s1 of 0 [mapping of "split" to "s1", 30%]`, `client A s2 by s2 of 0 [mapping of "split" to "s2", 70%]`}, 0},
		{"ask", false, []string{`client B svc.x by svc.x of 0 [service import "ask" of account A from B]`}, 1},
		{"ask", true, []string{`client B svc.x by svc.x of 0 [service import "ask" of account A from B]`}, 1},
		{"orders.q", false, []string{
			"client A orders.q by orders.* of 0 []", "client A orders.q by orders.* of 0 []", "client A orders.q by orders.q of 2 []",
			`client C from.a.orders.q by from.a.orders.> of 0 [stream import "from.a.orders.>" of account C from A]`,
			`client C from.a.orders.q by from.a.orders.q of 2 [stream import "from.a.orders.>" of account C from A]`,
		}, 3},
		{"nobody", false, nil, 0},
	} {
		var got []string
		b.Account("A").Receivers(tt.subject, tt.request, func(r *Receiver) {
			got = append(got, fmt.Sprintf("%s %s %s by %s of %d %v", r.Kind, r.Account, r.Subject, r.Pattern, r.Share, r.Via))
		})
		slices.Sort(got)
		slices.Sort(tt.want)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n%q\nwant\n%q", tt.subject, got, tt.want)
		}
		m := nats.NewMsg(tt.subject)
		if tt.request {
			m.Reply = "answer"
		}
		if err := a.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
		flush(t, a, in, c)
		n := 0
		for _, s := range everywhere {
			for have, _, _ := s.Pending(); have > 0; have-- {
				if _, err := s.NextMsg(0); err == nil {
					n++
				}
			}
		}
		if n != tt.clients {
			t.Errorf("%s reaches %d clients, want %d", tt.subject, n, tt.clients)
		}
	}
}
