package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

func newBroker(t *testing.T, accounts ...string) *broker.Broker {
	t.Helper()
	b, err := broker.New(broker.Options{}, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	for _, name := range accounts {
		b.AddAccount(name)
	}
	return b
}

func newService(t *testing.T, o Options) *Service {
	t.Helper()
	s := New(o, logging.Discard())
	t.Cleanup(s.Stop)
	return s
}

// listen returns what arrives on a pattern of an account.
func listen(t *testing.T, a *broker.Account, pattern string) <-chan string {
	t.Helper()
	c := make(chan string, 10000) // who sends must never wait for a test that has ended
	sub, err := a.SubscribeInternal(pattern, "", func(m *broker.Message) {
		c <- fmt.Sprintf("%s|%s|%s", m.Subject, m.Header, m.Payload)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Unsubscribe)
	return c
}

func text(s string) Maker { return func() ([]byte, []byte, error) { return nil, []byte(s), nil } }

// One service answers in any account, each in its own, and moves.
func TestHandlersInAccounts(t *testing.T) {
	b := newBroker(t, "A", "B", "C")
	s := newService(t, Options{Lanes: []Lane{{Name: "request"}}})
	answer := func(r *Request) {
		r.Answer(func() ([]byte, []byte, error) {
			return r.Header, []byte(r.Account.Name() + " " + r.Token(1) + " " + string(r.Body)), nil
		})
	}
	h := s.In(b.Account("A"))
	later := s.In(nil)
	for _, one := range []*Handlers{h, later} {
		if err := one.Add(Handler{Pattern: "ask.*", Do: answer}); err != nil {
			t.Fatal(err)
		}
	}
	s.Start()
	ask := func(account, want string) {
		t.Helper()
		a := b.Account(account)
		answers := listen(t, a, "in."+want)
		delivered := a.Publish("ask.it", "in."+want, []byte("NATS/1.0\r\nA: b\r\n\r\n"), []byte("what"))
		if want == "nobody" {
			if delivered {
				t.Errorf("%s: somebody listens", account)
			}
			return
		}
		if got := <-answers; got != "in."+want+"|NATS/1.0\r\nA: b\r\n\r\n|"+account+" it what" {
			t.Errorf("%s: %q", account, got)
		}
	}
	ask("A", "1")
	ask("B", "nobody")
	if err := later.Move(b.Account("B")); err != nil {
		t.Fatal(err)
	}
	ask("B", "2")
	ask("A", "3")
	if err := later.Move(b.Account("C")); err != nil {
		t.Fatal(err)
	}
	ask("B", "nobody")
	ask("C", "4")
	h.Remove("ask.*")
	ask("A", "nobody")
	if err := h.Add(Handler{Pattern: "..", Do: answer}); err == nil {
		t.Error("a pattern that is none is taken")
	}
	if later.Account() != b.Account("C") {
		t.Error("the handlers are somewhere else")
	}
}

// Other servers are told of what is for them, and of nothing else.
func TestScopes(t *testing.T) {
	b := newBroker(t, "A")
	a := b.Account("A")
	var told []string
	a.Watch(func(c broker.Change) { told = append(told, c.Subject) })
	s := newService(t, Options{Lanes: []Lane{{}}})
	s.Start()
	got := make(chan string, 10)
	h := s.In(a)
	for pattern, scope := range map[string]Scope{"all": Everybody, "here": Here, "far": Elsewhere} {
		if err := h.Add(Handler{Pattern: pattern, Scope: scope, Do: func(r *Request) { got <- r.Subject }}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(told)
	if want := []string{"all", "far"}; !slices.Equal(told, want) {
		t.Errorf("told of %q, want %q", told, want)
	}
	for _, subject := range []string{"far", "here", "all"} {
		a.Publish(subject, "", nil, nil)
	}
	if one, two := <-got, <-got; one != "here" || two != "all" {
		t.Errorf("got %q and %q", one, two)
	}
}

// A lane that is full drops what comes, and another works on; a handler that panics costs
// its answer; requests of one worker are handled in order.
func TestLanes(t *testing.T) {
	b := newBroker(t, "A")
	a := b.Account("A")
	s := newService(t, Options{
		Lanes:  []Lane{{Name: "slow", Length: 10}, {Name: "quick"}, {Name: "large", Bytes: 100}},
		Failed: func(r *Request) { r.Answer(text("failed")) },
	})
	stuck, free := make(chan bool), make(chan bool)
	var order []string
	done := make(chan bool)
	h := s.In(a)
	for _, one := range []Handler{
		{Pattern: "slow", Lane: 0, Do: func(r *Request) {
			if string(r.Body) == "first" {
				stuck <- true
				<-free
			}
			order = append(order, string(r.Body))
			if string(r.Body) == "9" {
				close(done)
			}
		}},
		{Pattern: "quick", Lane: 1, Do: func(r *Request) {
			if len(r.Body) > 0 {
				panic("oops")
			}
			r.Answer(text("here"))
		}},
		{Pattern: "large", Lane: 2, Do: func(*Request) { t.Error("too large a request is handled") }},
	} {
		if err := h.Add(one); err != nil {
			t.Fatal(err)
		}
	}
	s.Start()
	answers := listen(t, a, "answers")
	a.Publish("slow", "", nil, []byte("first"))
	<-stuck
	for i := range 15 {
		a.Publish("slow", "", nil, fmt.Append(nil, i))
	}
	a.Publish("large", "", nil, bytes.Repeat([]byte("x"), 101))
	if s.Dropped(0) != 5 || s.Depth(0) != 10 || s.Dropped(2) != 1 {
		t.Errorf("%d dropped, %d wait; %d too large", s.Dropped(0), s.Depth(0), s.Dropped(2))
	}
	a.Publish("quick", "answers", nil, nil)
	a.Publish("quick", "answers", nil, []byte("panic"))
	if one, two := <-answers, <-answers; one != "answers||here" || two != "answers||failed" {
		t.Errorf("answers are %q and %q", one, two)
	}
	close(free)
	<-done
	if want := []string{"first", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}; !slices.Equal(order, want) {
		t.Errorf("handled %q", order)
	}
}

// Events never wait; what nobody listens to is not made; what is queued at the end is sent.
func TestOutbox(t *testing.T) {
	b := newBroker(t, "A", "B")
	a := b.Account("A")
	s := newService(t, Options{Events: 5, Home: func() *broker.Account { return a }})
	events, other := listen(t, a, "event"), listen(t, b.Account("B"), "event")
	for i := range 7 {
		if sent := s.Offer(Message{Subject: "event", Make: text(fmt.Sprint(i))}); sent != (i < 5) {
			t.Errorf("event %d is taken: %v", i, sent)
		}
	}
	if s.Unsent() != 5 || s.DroppedEvents() != 2 {
		t.Errorf("%d wait, %d dropped", s.Unsent(), s.DroppedEvents())
	}
	s.Start()
	for i := range 5 {
		if got := <-events; got != fmt.Sprintf("event||%d", i) {
			t.Errorf("event %d is %q", i, got)
		}
	}
	s.Put(Message{Subject: "nobody", Make: func() ([]byte, []byte, error) { t.Error("made for nobody"); return nil, nil, nil }})
	s.Put(Message{Subject: "event", Make: func() ([]byte, []byte, error) { panic("oops") }})
	s.Put(Message{Subject: "event", Make: func() ([]byte, []byte, error) { return nil, nil, errors.New("no") }})
	s.Put(Message{Account: b.Account("B"), Subject: "event", Make: text("elsewhere")})
	if got := <-other; got != "event||elsewhere" {
		t.Errorf("got %q", got)
	}
	s.Quiesce()
	s.Offer(Message{Subject: "event", Make: text("farewell")})
	s.Stop()
	if got := <-events; got != "event||farewell" {
		t.Errorf("got %q", got)
	}
}

// Who asks gets the answers to its own question, in whatever account.
func TestAskAndWait(t *testing.T) {
	b := newBroker(t, "A", "B")
	i := NewInboxes(b, "_INBOX.test.", 2)
	t.Cleanup(i.Close)
	s := newService(t, Options{Lanes: []Lane{{Workers: 3}}})
	s.Start()
	for _, name := range []string{"A", "B"} {
		if err := s.In(b.Account(name)).Add(Handler{Pattern: "ask", Do: func(r *Request) {
			for n := range 3 {
				r.Answer(text(fmt.Sprint(r.Account.Name(), string(r.Body), n)))
			}
		}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"A", "B", "A"} {
		got, err := i.Ask(t.Context(), b.Account(name), "ask", nil, []byte("x"))
		if err != nil || string(got.Body) != name+"x0" {
			t.Errorf("%s: %q, %v", name, got.Body, err)
		}
	}
	in, err := i.TryOpen(b.Account("A"), 10)
	if err != nil {
		t.Fatal(err)
	}
	b.Account("A").Publish("ask", in.Subject, nil, []byte("y"))
	for n := range 3 {
		if got, err := in.Next(t.Context()); err != nil || string(got.Body) != fmt.Sprint("Ay", n) {
			t.Errorf("answer %d: %q, %v", n, got.Body, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := in.Next(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody answers any more: %v", err)
	}
	two, err := i.Open(t.Context(), b.Account("B"), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.TryOpen(b.Account("A"), 1); !errors.Is(err, ErrBusy) {
		t.Errorf("more are open than may be: %v", err)
	}
	if _, err := i.Open(ended, b.Account("A"), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("waited for nobody: %v", err)
	}
	turn := time.AfterFunc(0, two.Close)
	defer turn.Stop()
	three, err := i.Open(t.Context(), b.Account("A"), 1) // when that has been closed
	if err != nil {
		t.Fatal(err)
	}
	two.Close() // once more, for nothing
	three.Close()
	b.Account("A").Publish(three.Subject, "", nil, []byte("late"))
	in.Close()
}

// Inboxes end with their account, when they leave it, and at the end.
func TestInboxesEnd(t *testing.T) {
	b := newBroker(t, "A", "B")
	a := b.Account("A")
	i := NewInboxes(b, "_INBOX.test.", 10)
	one, err := i.TryOpen(a, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !a.Interested("_INBOX.test.x") {
		t.Error("nobody listens for answers")
	}
	i.Leave(a)
	if a.Interested("_INBOX.test.x") {
		t.Error("somebody still listens for answers")
	}
	b.RemoveAccount("A")
	again := b.AddAccount("A")
	two, err := i.TryOpen(again, 1)
	if err != nil {
		t.Fatal(err)
	}
	again.Publish(two.Subject, "", nil, []byte("here"))
	if got, err := two.Next(t.Context()); err != nil || string(got.Body) != "here" {
		t.Errorf("%q, %v", got.Body, err)
	}
	i.Close()
	if _, err := one.Next(t.Context()); !errors.Is(err, ErrEnded) || !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	if _, err := i.TryOpen(b.Account("B"), 1); !errors.Is(err, ErrEnded) {
		t.Errorf("opened after the end: %v", err)
	}
	if again.Interested("_INBOX.test.x") {
		t.Error("somebody listens after the end")
	}
}
