package follow_test

import (
	"testing"

	"github.com/nats-broker/nats-broker/daemon/follow"
)

// TestSourceHeaders compares with what nats-server 2.15.3 writes.
func TestSourceHeaders(t *testing.T) {
	for _, c := range []struct {
		origin follow.Origin
		at     follow.Position
		subj   string
		want   string
	}{
		{follow.Origin{Stream: "O"}, follow.Position{Seq: 7}, "o.1", "O 7 > > o.1"},
		{follow.Origin{Stream: "O", Filter: "o.*"}, follow.Position{Seq: 7, Identity: "abcdefgh"}, "o.1", "O 7 o.* > o.1 abcdefgh"},
		{follow.Origin{Stream: "O", Sources: []string{"a", ""}, Destinations: []string{"b", ""}}, follow.Position{Seq: 1}, "a", "O 1 a\f> b\f> a"},
	} {
		name := c.origin.Name()
		got := string(follow.AppendSource(nil, name, c.at, []byte(c.subj)))
		if got != c.want {
			t.Errorf("%+v: %q, not %q", c.origin, got, c.want)
		}
		n, of, p, ok := follow.ParseSource(got)
		if !ok || n != name || p != c.at || of == "" {
			t.Errorf("%q: %q %q %+v %v", got, n, of, p, ok)
		}
	}
	for v, want := range map[string]string{
		"$JS.ACK.O.c.1.5.9.1700000000000000000.0":        "O 5",
		"$JS.ACK._.hash.O.c.1.5.9.1700000000000000000.0": "O 5",
		"O 5": "O 5",
	} {
		name, of, p, ok := follow.ParseSource(v)
		if !ok || name != "" || of+" 5" != want || p.Seq != 5 {
			t.Errorf("%q: %q %q %+v %v", v, name, of, p, ok)
		}
	}
	for _, v := range []string{"", "O", "O x", "O 1 >", "O -1 > > a", "$JS.ACK.O"} {
		if _, _, _, ok := follow.ParseSource(v); ok {
			t.Errorf("%q is read", v)
		}
	}
}

// FuzzDelivery reads any bytes as the reply subject of a delivery: anybody may send something where an origin delivers to.
func FuzzDelivery(f *testing.F) {
	for _, s := range []string{"$JS.ACK.S.c.1.2.3.1700000000000000000.4", "$JS.ACK.d.h.S.c.1.2.3.1700000000000000000.4", "$JS.ACK.d.h.S.c.1.2.3.17.4.x.y", "$JS.FC.S.c.1", "", "........."} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, ok := follow.ParseDelivery(b)
		if ok && (d.Seq == 0 || d.Number == 0 || len(d.Consumer) == 0 || d.Time < 0) {
			t.Errorf("%q: %+v", b, d)
		}
		_, _, _, _ = follow.ParseSource(string(b))
	})
}

func TestDeliveries(t *testing.T) {
	d, ok := follow.ParseDelivery([]byte("$JS.ACK.d.h.S.c.1.20.3.1700000000000000000.4.token"))
	if !ok || string(d.Consumer) != "c" || d.Times != 1 || d.Seq != 20 || d.Number != 3 || d.Time != 1700000000000000000 || d.Pending != 4 {
		t.Errorf("%+v %v", d, ok)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = follow.ParseDelivery([]byte("$JS.ACK.S.c.1.20.3.1700000000000000000.4")) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
