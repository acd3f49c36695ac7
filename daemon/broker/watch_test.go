package broker

import (
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// Who looks on sees what goes through an account, by whatever way, and changes nothing about it.
func TestLookOn(t *testing.T) {
	b, addr := shared(t,
		AccountOptions{Name: "A", Services: []ServiceImport{{Account: "B", Subject: "svc", Local: "ask"}}},
		AccountOptions{Name: "B", Exports: []ServiceExport{{Subject: "svc"}}},
	)
	var mu sync.Mutex
	seen := map[string]int{}
	look := func(account, pattern string) *InternalSubscription {
		i, err := b.Account(account).LookOn(pattern, func(m *Message) {
			mu.Lock()
			defer mu.Unlock()
			seen[m.Account.Name()+" "+string(m.Subject[:min(len(m.Subject), 6)])+" "+string(m.Payload)]++
		})
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	of := func(what string) int {
		mu.Lock()
		defer mu.Unlock()
		return seen[what]
	}
	all, far := look("A", ">"), look("B", "svc")
	if b.Account("A").Interested("a.b") {
		t.Error("who looks on counts as interest")
	}
	a, s := connectAs(t, addr, "A"), connectAs(t, addr, "B")
	if _, err := s.Subscribe("svc", func(m *nats.Msg) { m.Respond([]byte("answer")) }); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	if _, err := a.Request("nobody", []byte("x"), time.Minute); err != nats.ErrNoResponders {
		t.Errorf("a request that nobody answers gets %v", err)
	}
	if m, err := a.Request("ask", []byte("q"), time.Minute); err != nil || string(m.Data) != "answer" {
		t.Errorf("%v, %v", m, err)
	}
	for range 100 { // in one batch: runs of the same line too
		a.Publish("same", []byte("x"))
	}
	b.Account("A").PublishOut("own", "", nil, []byte("x"))
	flush(t, a)
	for what, n := range map[string]int{"A nobody x": 1, "A ask q": 1, "A _INBOX answer": 1, "B svc q": 1, "A same x": 100, "A own x": 1} {
		if got := of(what); got != n {
			t.Errorf("seen %q %d times, want %d: %v", what, got, n, seen)
		}
	}
	all.Unsubscribe()
	far.Unsubscribe()
	a.Publish("same", []byte("x"))
	flush(t, a)
	if of("A same x") != 100 {
		t.Error("seen although nobody looks on")
	}
}
