package auth

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

func TestPublishRules(t *testing.T) {
	for _, c := range []struct {
		rules Rules
		yes   string
		no    string
	}{
		{Rules{}, "a a.b _INBOX.x", ""},
		{Rules{PublishAllow: []string{}}, "", "a a.b"},
		{Rules{PublishAllow: []string{"a", "b.*", "c.>"}}, "a b.x c.x c.x.y", "a.b b b.x.y c d"},
		{Rules{PublishAllow: []string{">"}, PublishDeny: []string{"x.>", "y"}}, "a x y.z", "x.a x.a.b y"},
		{Rules{PublishDeny: []string{"x.*"}}, "x x.a.b", "x.a"},
		{Rules{Responses: &Responses{}}, "", "a _INBOX.x"},
		{Rules{PublishAllow: []string{"a"}, Responses: &Responses{}}, "a", "b"},
	} {
		p := permissions(t, c.rules)
		for s := range strings.FieldsSeq(c.yes) {
			if !p.CanPublish(s) {
				t.Errorf("%+v refuses %s", c.rules, s)
			}
		}
		for s := range strings.FieldsSeq(c.no) {
			if p.CanPublish(s) {
				t.Errorf("%+v allows %s", c.rules, s)
			}
		}
	}
}

func permissions(t testing.TB, r Rules) *Permissions {
	t.Helper()
	p, err := NewPermissions(&r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestNoWildcardWidensARight is the point in which the rules are stricter than nats-server's: "foo.>" may be subscribed
// to with "foo.*" allowed, but it brings nothing that is not allowed.
func TestNoWildcardWidensARight(t *testing.T) {
	p := permissions(t, Rules{SubscribeAllow: []string{"foo.*", "q.* g"}})
	for _, c := range []struct {
		pattern, queue string
		ok, filter     bool
	}{
		{"foo.*", "", true, false}, {"foo.a", "", true, false}, {"foo.>", "", true, true}, {">", "", false, false},
		{"*.a", "", false, false}, {"q.a", "", false, false}, {"q.a", "g", true, false}, {"q.>", "g", true, true},
		{"q.a", "h", false, false}, {"foo.a", "any", true, false},
	} {
		ok, filter := p.CanSubscribe(c.pattern, c.queue)
		if ok != c.ok || filter != c.filter {
			t.Errorf("%s %s: %v %v, want %v %v", c.pattern, c.queue, ok, filter, c.ok, c.filter)
		}
	}
	for _, c := range []struct {
		subject, queue string
		want           bool
	}{{"foo.a", "", true}, {"foo.a.b", "", false}, {"q.a", "g", true}, {"q.a.b", "g", false}, {"q.a", "", false}} {
		if got := p.CanReceive(c.subject, c.queue); got != c.want {
			t.Errorf("%s in group %q is delivered: %v", c.subject, c.queue, got)
		}
	}
}

func TestResponses(t *testing.T) {
	if r := permissions(t, Rules{}).Responses(); r != nil {
		t.Errorf("no rule for responses gives %+v", r)
	}
	if r := permissions(t, Rules{Responses: &Responses{}}).Responses(); r.Max != defaultResponses || r.Expires != defaultResponseTime {
		t.Errorf("defaults %+v", r)
	}
	if r := permissions(t, Rules{Responses: &Responses{Max: -1, Expires: -1}}).Responses(); r.Max != -1 || r.Expires != -1 {
		t.Errorf("unlimited %+v", r)
	}
}

func TestInvalidRules(t *testing.T) {
	for _, r := range []Rules{
		{PublishAllow: []string{"a..b"}}, {PublishDeny: []string{"a b"}}, {SubscribeAllow: []string{""}},
		{SubscribeDeny: []string{"a b c"}}, {SubscribeAllow: []string{"a ..x"}}, {SubscribeDeny: []string{".a q"}},
	} {
		if _, err := NewPermissions(&r); err == nil {
			t.Errorf("%+v was accepted", r)
		}
	}
}

// TestVerdictsAreNatsServers gives the same random rules to nats-server and to us, and asks both about every pattern
// over a small alphabet: publishing, subscribing with and without a queue group, and what is delivered.
func TestVerdictsAreNatsServers(t *testing.T) {
	bin := brokertest.NATSServer(t)
	random := rand.New(rand.NewPCG(1, 2026))
	const users = 60
	rules := make([]Rules, users)
	var conf strings.Builder
	conf.WriteString("authorization { users: [\n {user: all, password: x}\n")
	for i := range rules {
		rules[i] = randomRules(random)
		fmt.Fprintf(&conf, " {user: u%d, password: x, permissions: %s}\n", i, configOf(&rules[i]))
	}
	conf.WriteString("] }\n")
	s := brokertest.Start(t, brokertest.Options{Binary: bin, Config: conf.String()})
	from := s.Open(t, `{"verbose":false,"user":"all","pass":"x"}`)
	for i := range rules {
		askUser(t, s, from, fmt.Sprintf("u%d", i), &rules[i])
	}
}

var (
	literals = []string{"a", "b", "a.a", "a.b", "b.a", "b.b", "a.a.a", "a.a.b", "a.b.a", "b.a.b"}
	wilds    = []string{"*", ">", "a.*", "*.a", "*.*", "a.>", "*.>", "b.>", "a.*.*", "*.a.*", "a.*.>", "a.a.>", "a.a.*"}
	queues   = []string{"", "q", "r", "q.x"}
)

func randomRules(r *rand.Rand) Rules {
	pick := func(queued bool) (list []string) {
		for range r.IntN(4) {
			all := append(slices.Clone(literals), wilds...)
			s := all[r.IntN(len(all))]
			if queued && r.IntN(3) == 0 {
				s += " " + []string{"q", "r", "*", "q.>", "q.*"}[r.IntN(5)]
			}
			list = append(list, s)
		}
		return list
	}
	return Rules{PublishAllow: pick(false), PublishDeny: pick(false), SubscribeAllow: pick(true), SubscribeDeny: pick(true)}
}

func configOf(r *Rules) string {
	list := func(name string, l []string) string {
		if len(l) == 0 {
			return ""
		}
		return fmt.Sprintf("%s: [%s], ", name, strings.Join(quoted(l), ", "))
	}
	return fmt.Sprintf("{publish: {%s%s}, subscribe: {%s%s}}", list("allow", r.PublishAllow), list("deny", r.PublishDeny),
		list("allow", r.SubscribeAllow), list("deny", r.SubscribeDeny))
}

func quoted(l []string) (q []string) {
	for _, s := range l {
		q = append(q, fmt.Sprintf("%q", s))
	}
	return q
}

// askUser compares all verdicts about one user.
func askUser(t *testing.T, s *brokertest.Server, from *brokertest.Conn, user string, r *Rules) {
	t.Helper()
	p := permissions(t, *r)
	c := s.Open(t, fmt.Sprintf(`{"verbose":false,"user":%q,"pass":"x"}`, user))
	violations := func() map[string]bool {
		seen := map[string]bool{}
		for _, f := range c.Sync() {
			if text, ok := strings.CutPrefix(f, "-ERR 'Permissions Violation for "); ok {
				seen[strings.TrimRight(text, "'\r\n")] = true
			}
		}
		return seen
	}
	for _, subj := range literals {
		c.Send("PUB " + subj + " 0\r\n\r\n")
	}
	refused := violations()
	for _, subj := range literals {
		if got := p.CanPublish(subj); got == refused[fmt.Sprintf("Publish to %q", subj)] {
			t.Errorf("%s %+v: publish %s: %v, nats-server says otherwise", user, *r, subj, got)
		}
	}

	type asked struct{ pattern, queue string }
	var granted []asked
	for _, pattern := range append(slices.Clone(literals), wilds...) {
		for _, q := range queues {
			c.Send(fmt.Sprintf("SUB %s %s %d\r\n", pattern, q, len(granted)+1))
			seen := violations()
			text := fmt.Sprintf("Subscription to %q", pattern)
			if q != "" {
				text += fmt.Sprintf(" using queue %q", q)
			}
			ok, _ := p.CanSubscribe(pattern, q)
			if ok == seen[text] {
				t.Errorf("%s %+v: subscribe %s %s: %v, nats-server says otherwise", user, *r, pattern, q, ok)
			}
			if !seen[text] {
				granted = append(granted, asked{pattern, q})
			}
		}
	}
	// One subscription at a time, so that a queue group has no second member to choose.
	for i := range granted {
		c.Send(fmt.Sprintf("UNSUB %d\r\n", i+1))
	}
	c.Sync()
	for _, g := range granted {
		c.Send(fmt.Sprintf("SUB %s %s 1\r\n", g.pattern, g.queue))
		c.Sync()
		for _, subj := range literals {
			from.Send("PUB " + subj + " 0\r\n\r\n")
		}
		from.Sync()
		arrived := map[string]bool{}
		for _, f := range c.Sync() {
			if msg, ok := strings.CutPrefix(f, "MSG "); ok {
				arrived[msg[:strings.IndexByte(msg, ' ')]] = true
			}
		}
		c.Send("UNSUB 1\r\n")
		_, filter := p.CanSubscribe(g.pattern, g.queue)
		for _, subj := range literals {
			ours := subject.Matches(g.pattern, subj) && (!filter || p.CanReceive(subj, g.queue))
			if ours == arrived[subj] {
				continue
			}
			if arrived[subj] && !covered(r, subj, g.queue) {
				continue // the hole that is closed here: see TestNoWildcardWidensARight
			}
			t.Errorf("%s %+v: %s for subscription %s %q: delivered %v, nats-server %v", user, *r, subj, g.pattern, g.queue,
				ours, arrived[subj])
		}
	}
}

// covered reports whether an allow entry, of whatever queue group, speaks of the subject.
func covered(r *Rules, subj, queue string) bool {
	for _, s := range r.SubscribeAllow {
		e, _ := newEntries([]string{s})
		if e[0].admits(queue) && subject.Matches(e[0].subject, subj) {
			return true
		}
	}
	return len(r.SubscribeAllow) == 0
}

// TestManyEntriesAreCheap: a thousand literal subjects are a table and not a list to walk through.
func BenchmarkCanPublish(b *testing.B) {
	var r Rules
	for i := range 1000 {
		r.PublishAllow = append(r.PublishAllow, fmt.Sprintf("orders.%d", i))
	}
	p := permissions(b, r)
	b.ReportAllocs()
	for b.Loop() {
		p.CanPublish("orders.999")
	}
}
