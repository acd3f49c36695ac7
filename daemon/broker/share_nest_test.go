package broker

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/sublist"
)

// senderOf makes a sender of a part of the broker.
func senderOf(a *Account) *sender {
	s := newSender(a, Own, "", 1)
	return &s
}

// nobody is a subscription that only the index looks at.
func nobody(pattern string) *Subscription {
	s := newSubscription(nil, []byte(pattern), []byte("1"), nil)
	s.kind = kindPart
	s.more.Store(&subExtra{callback: func(*Message) {}})
	return s
}

// patternsOf are the patterns that a plan was made from.
func patternsOf(p *plan) []string {
	var all []string
	for _, n := range p.nodes {
		all = append(all, n.Pattern)
	}
	slices.Sort(all)
	return all
}

// Plans that serve for many subjects reach whom a plan of each would reach, whoever comes
// and goes meanwhile.
func TestPlansForMany(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := New(Options{}, logging.Discard())
		if err != nil {
			t.Fatal(err)
		}
		defer b.Stop()
		accounts := []*Account{b.AddAccount("A"), b.AddAccount("B")}
		for _, a := range accounts {
			a.shares.replies.open(a)
		}
		prefix := *accounts[0].shares.replies.prefix.Load()
		s := senderOf(accounts[0])
		n := s.nest()
		here := map[*Subscription]*Account{}
		one := replyName([]byte(prefix), &replyClass{}, 0, 7)
		patterns := []string{">", "*.>", "in.>", "in.x.*", "in.x.1", "in.*.1", "in.x.1.>", "in.x", "in.*", "*.x.2", "_R_.>", "_R_.*.*",
			prefix + "*", string(one), "*.*." + string(one[len(prefix):]), prefix[:len(prefix)-1], "$JS.ACK.s.c.>",
			"$JS.ACK.s.c.*.*.*.*.*", "$JS.ACK.s.*.1.>", "$JS.ACK.s.c.1.2.3.4.5", "*.*.*.*.*.2.>", "$JS.ACK.d.a.s.c.>", "$JS.ACK.d.*.*.*.*.1.>"}
		subjects := []string{"$JS.ACK.s.c.1.2.3.4.5", "$JS.ACK.s.c.2.2.3.4.5", "$JS.ACK.s.c.1.1.3.4.5", "$JS.ACK.s.c", "$JS.ACK.s.c.1",
			"$JS.ACK.d.a.s.c.1.2.3.4.5", "$JS.ACK.d.a.s.c.1.1.3.4.5", "$JS.ACK.d.a.s.c.2.1.3.4.5.x", "in.x.1", "in.x.2", "in.x.3", "in.y.1", "in.x.", "in..1", "in.x.1.1", "in", "in.x"}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			a := accounts[rapid.IntRange(0, 1).Draw(t, "account")]
			switch rapid.IntRange(0, 6).Draw(t, "what") {
			case 0:
				sub := nobody(rapid.SampledFrom(patterns).Draw(t, "pattern"))
				if _, err := a.index.Insert(sub); err != nil {
					t.Fatal(err)
				}
				here[sub] = a
			case 1:
				for sub, of := range here { // any
					of.index.Remove(sub)
					delete(here, sub)
					break
				}
			case 2:
				id := replyName([]byte(prefix), &replyClass{}, 0, rapid.IntRange(0, 9).Draw(t, "place"))
				if rapid.Bool().Draw(t, "the same") {
					id = one
				}
				if p := s.answers(id, sublist.Hash(id)); p != nil {
					same(t, s, string(id), p)
				}
			case 3, 4:
				subject := rapid.SampledFrom(subjects).Draw(t, "subject")
				s.settle()
				if p := s.planForAlike([]byte(subject), sublist.Hash([]byte(subject))); p != nil {
					same(t, s, subject, p)
				}
			default:
				n.back.to, n.back.subject = a, append(n.back.subject[:0], rapid.SampledFrom(subjects).Draw(t, "subject")...)
				subject := string(n.back.subject)
				p := s.nestedPlan(s.back(a), n)
				if p.subject != subject {
					t.Fatalf("the plan is for %q, not %q", p.subject, subject)
				}
				same(t, senderOf(a), subject, p)
			}
		}
	})
}

func same(t *rapid.T, s *sender, subject string, p *plan) {
	t.Helper()
	q := senderOf(s.acc).planOf(subject)
	if got, want := patternsOf(p), patternsOf(q); !slices.Equal(got, want) || len(p.steps) != len(q.steps) {
		t.Fatalf("%q reaches %q by %d steps, want %q by %d", subject, got, len(p.steps), want, len(q.steps))
	}
}

// A plan for a subject that somebody subscribes to literally is for that one only.
func TestPlanForOne(t *testing.T) {
	a, _ := tableOf(t)
	if _, err := a.index.Insert(nobody("in.x.1")); err != nil {
		t.Fatal(err)
	}
	s := senderOf(a)
	n := s.nest()
	for i, c := range []struct {
		subject string
		steps   int
	}{{"in.x.1", 1}, {"in.x.2", 0}, {"in.x.3", 0}, {"in.x.4", 0}, {"in.x.1", 1}, {"in.x.5", 0}} {
		n.back.to, n.back.subject = a, append(n.back.subject[:0], c.subject...)
		if p := s.nestedPlan(s.back(a), n); len(p.steps) != c.steps {
			t.Errorf("%d: %d steps for %s", i, len(p.steps), c.subject)
		}
	}
}
