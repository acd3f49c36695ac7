package proto

import "testing"

func TestShownSubjects(t *testing.T) {
	const ack = "$JS.ACK.s@t.c@n.1.2.3.4.5"
	for _, c := range []struct{ reply, ack, shown string }{
		{ack + "@orders.new", ack, "orders.new"},
		{ack + "@a@b", ack, "a@b"},
		{ack, ack, ""},
		{ack + "@", ack + "@", ""},
		{"$JS.ACK.s@t.c@n.1", "$JS.ACK.s@t.c@n.1", ""},
		{"_INBOX.a.b.c.d.e.f.g.h.i@x", "_INBOX.a.b.c.d.e.f.g.h.i@x", ""},
		{"", "", ""},
	} {
		a, s := CutShown([]byte(c.reply))
		if string(a) != c.ack || string(s) != c.shown || (s == nil) != (c.shown == "") {
			t.Errorf("%q: %q and %q", c.reply, a, s)
		}
		if c.shown != "" {
			if got := AppendShown(nil, []byte(c.ack), []byte(c.shown)); string(got) != c.reply {
				t.Errorf("%q and %q together are %q", c.ack, c.shown, got)
			}
		}
	}
	if got := AppendShown(nil, []byte("_INBOX.a"), []byte("x")); string(got) != "_INBOX.a" {
		t.Errorf("a reply subject that is no acknowledgement becomes %q", got)
	}
}
