package cluster

import (
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// crosses reports which of the subjects that are published on one node reach a
// subscriber to a pattern on the other. Interest and messages keep their order, so that
// what has not come before the mark does not come.
func crosses(t *testing.T, from, to *node, pattern string, subjects ...string) (got string) {
	t.Helper()
	in, out := to.client(t), from.client(t)
	defer in.Close()
	defer out.Close()
	mark := nats.NewInbox()
	sub := must2(in.SubscribeSync(pattern))(t)
	end := must2(in.SubscribeSync(mark))(t)
	if err := in.Flush(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "interest in the mark", func() bool {
		if err := out.Publish(mark, []byte("early")); err != nil {
			t.Fatal(err)
		}
		_, err := end.NextMsg(brokertest.Patience / 100)
		return err == nil
	})
	for _, s := range subjects {
		if err := out.Publish(s, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Publish(mark, []byte("end")); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := end.NextMsg(brokertest.Patience)
		if err != nil {
			t.Fatal(err)
		}
		if string(m.Data) == "end" {
			break
		}
	}
	for {
		n, _, _ := sub.Pending()
		if n == 0 {
			return strings.TrimSpace(got)
		}
		if m := must2(sub.NextMsg(brokertest.Patience))(t); m.Subject != mark {
			got += " " + m.Subject
		}
	}
}

// rids are the connections a node has.
func (n *node) rids() (list []uint64) {
	for _, s := range n.hub.Stats(false) {
		list = append(list, s.RID)
	}
	return list
}

func rules(allow, deny string) *Rules {
	r := &Rules{Allow: strings.Fields(allow), Deny: strings.Fields(deny)}
	if allow == "" {
		r.Allow = nil
	}
	return r
}

// TestPermissions: what may cross, in both directions, between ours and nats-server,
// whoever dials. What is expected is what two nats-servers do.
func TestPermissions(t *testing.T) {
	perms := func(imp, exp *Rules) func(*Options) {
		return func(o *Options) { o.Import, o.Export = imp, exp }
	}
	for _, role := range []string{"we dial", "we are dialled"} {
		start := func(t *testing.T, change func(*Options), extra string) (a, b *node) {
			if role == "we dial" {
				b = theirs(t, "b", extra)
				a = ours(t, "a", change, b.route)
			} else {
				a = ours(t, "a", change)
				b = theirs(t, "b", extra, a.route)
			}
			meshed(t, a, b)
			return a, b
		}
		expect := func(t *testing.T, from, to *node, pattern, subjects, want string) {
			t.Helper()
			if got := crosses(t, from, to, pattern, strings.Fields(subjects)...); got != want {
				t.Errorf("of %q, %q crosses to a subscriber to %s, want %q", subjects, got, pattern, want)
			}
		}
		t.Run(role+"/import", func(t *testing.T) {
			a, b := start(t, perms(rules("_INBOX.> news.* all.>", "news.secret"), nil), "")
			expect(t, b, a, "news.today", "news.today", "news.today")
			expect(t, b, a, "news.*", "news.today news.secret", "news.today news.secret")
			expect(t, b, a, "news.secret", "news.secret", "")
			expect(t, b, a, "news.>", "news.today", "news.today") // covered by the tokens, as nats-server has it
			expect(t, b, a, "other", "other", "")
			expect(t, a, b, "other", "other", "other") // the other way is free
			expect(t, b, a, ">", "all.x", "")
		})
		t.Run(role+"/export", func(t *testing.T) {
			a, b := start(t, perms(nil, rules("", "secret.> half.a")), "")
			expect(t, a, b, "secret.a", "secret.a", "")
			expect(t, a, b, "half.*", "half.a half.b", "half.b")
			expect(t, a, b, ">", "secret.a half.a half.b free", "half.b free")
			expect(t, b, a, "secret.a", "secret.a", "secret.a")
		})
		t.Run(role+"/theirs", func(t *testing.T) {
			a, b := start(t, nil, `permissions { import: ["_INBOX.>", "in.>"], export: {deny: "secret.>"} }`)
			expect(t, a, b, "in.x", "in.x", "in.x")
			expect(t, a, b, "out.x", "out.x", "")
			expect(t, b, a, "secret.x", "secret.x", "")
			expect(t, b, a, ">", "secret.x open", "open")
			for _, s := range a.hub.Stats(false) {
				if s.Import == nil || s.Export == nil || strings.Join(s.Export.Deny, " ") != "secret.>" {
					t.Errorf("the peer's rules are shown as %v and %v", s.Import, s.Export)
				}
			}
		})
	}
}

// TestPermissionsReload: a change is heeded on connections there are, in both
// directions, by ours and by nats-server.
func TestPermissionsReload(t *testing.T) {
	for _, peer := range []string{"ours", "nats-server"} {
		t.Run(peer, func(t *testing.T) {
			a := ours(t, "a", nil)
			var b *node
			if peer == "ours" {
				b = ours(t, "b", nil, a.route)
			} else {
				b = theirs(t, "b", "", a.route)
			}
			meshed(t, a, b)
			onA, onB := a.client(t), b.client(t)
			toA := must2(onA.SubscribeSync("to.a"))(t)
			toB := must2(onB.SubscribeSync("at.>"))(t)
			must2(onB.QueueSubscribeSync("at.b", "q"))(t)
			if err := onB.Flush(); err != nil {
				t.Fatal(err)
			}
			linked(t, a, b)
			conns := a.rids()
			arrives := func(out *nats.Conn, sub *nats.Subscription, subject string) func() bool {
				return func() bool {
					if err := out.Publish(subject, nil); err != nil {
						t.Fatal(err)
					}
					_, err := sub.NextMsg(brokertest.Patience / 100)
					for err == nil {
						if n, _, _ := sub.Pending(); n == 0 {
							return true
						}
						_, err = sub.NextMsg(brokertest.Patience)
					}
					return false
				}
			}
			eventually(t, "messages to a", arrives(onB, toA, "to.a"))
			eventually(t, "messages to b", arrives(onA, toB, "at.b"))
			a.set(t, func(o *Options) { o.Import, o.Export = rules("", "to.a"), rules("", "at.>") })
			eventually(t, "no messages to a", func() bool { return !arrives(onB, toA, "to.a")() })
			if arrives(onA, toB, "at.b")() {
				t.Error("a message that must not be exported crosses when the change is in effect")
			}
			a.set(t, func(o *Options) { o.Import, o.Export = nil, rules("", "to.c") })
			eventually(t, "messages to a again", arrives(onB, toA, "to.a"))
			eventually(t, "messages to b again", arrives(onA, toB, "at.b"))
			if got := crosses(t, a, b, "to.*", "to.c", "to.d"); got != "to.d" {
				t.Errorf("%q crosses, want to.d", got)
			}
			a.set(t, func(o *Options) { o.Export = nil })
			eventually(t, "everything", func() bool { return crosses(t, a, b, "to.*", "to.c", "to.d") == "to.c to.d" })
			if !slices.Equal(a.rids(), conns) {
				t.Error("connections were made anew")
			}
		})
	}
}
