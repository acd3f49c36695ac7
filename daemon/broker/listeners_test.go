package broker

import "testing"

// What is remembered of who listens is what the account says, through subscriptions that come and go, also of those that
// have no place any more and of another account.
func TestListenersAreRemembered(t *testing.T) {
	b, _ := shared(t, AccountOptions{Name: "A"}, AccountOptions{Name: "B"})
	a, other := b.Account("A"), b.Account("B")
	var l Listeners
	check := func(when string) {
		t.Helper()
		for range 2 { // found out, and remembered
			for _, acc := range []*Account{a, other} {
				for _, to := range []string{"in.a", "in.b", "in.c", "in.d", "in.e", "else.a", ""} {
					if got, want := l.Interested(acc, to), acc.Interested(to); got != want {
						t.Errorf("%s: Interested(%q) = %v, the account says %v", when, to, got, want)
					}
					for _, q := range []string{"", "q"} {
						if got, want := l.Named(acc, to, q), acc.Named(to, q); got != want {
							t.Errorf("%s: Named(%q, %q) = %v, the account says %v", when, to, q, got, want)
						}
					}
				}
			}
		}
		for range 2 {
			if got, want := l.Interested(a, "in.b"), a.Interested("in.b"); got != want {
				t.Errorf("%s: Interested(in.b) = %v, the account says %v", when, got, want)
			}
		}
	}
	check("at first")
	for _, s := range [][2]string{{"in.a", ""}, {"in.b", "q"}, {"in.*", ""}, {">", "q"}, {"in.e", ""}} {
		sub, err := a.SubscribeInternal(s[0], s[1], func(*Message) {})
		if err != nil {
			t.Fatal(err)
		}
		check("with " + s[0])
		sub.Unsubscribe()
		check("without " + s[0])
	}
}
