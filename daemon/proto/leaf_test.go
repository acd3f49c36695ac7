package proto

import (
	"bytes"
	"fmt"
	"testing"
)

func TestNextLeaf(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"LS+ foo\r\n", "RS+ subject=foo routing=[foo]"},
		{"LS+ foo q 3\r\n", "RS+ subject=foo queue=q weight=3 routing=[foo]"},
		{"ls+ foo q 3\n", "RS+ subject=foo queue=q weight=3 routing=[foo]"},
		{"LS- foo\r\n", "RS- subject=foo routing=[foo]"},
		{"LS- foo q\r\n", "RS- subject=foo queue=q routing=[foo]"},
		{"LMSG foo 2\r\nhi\r\n", "RMSG subject=foo routing=[foo] size=2 body=hi"},
		{"LMSG foo reply 2\r\nhi\r\n", "RMSG subject=foo routing=[foo] reply=reply size=2 body=hi"},
		{"LMSG foo + reply q p 2\r\nhi\r\n", "RMSG subject=foo routing=[foo] reply=reply queues=q,p size=2 body=hi"},
		{"LMSG foo | q 2\r\nhi\r\n", "RMSG subject=foo routing=[foo] queues=q size=2 body=hi"},
		{"HMSG foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "HMSG subject=foo routing=[foo] hdr=12 size=14 body=NATS/1.0\r\n\r\nhi"},
		{"HMSG foo r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "HMSG subject=foo routing=[foo] reply=r hdr=12 size=14 body=NATS/1.0\r\n\r\nhi"},
		{"PING\r\n", "PING"}, {"PONG\r\n", "PONG"}, {"+OK\r\n", "+OK"},
		{"INFO {}\r\n", "INFO arg={}"}, {"CONNECT {}\r\n", "CONNECT arg={}"}, {"-ERR 'x'\r\n", "-ERR arg='x'"},
		{"RS+ foo\r\n", "error"}, {"RMSG foo 2\r\nhi\r\n", "error"}, {"LS+\r\n", "error"}, {"LMSG foo x 2 y\r\n", "error"},
		{"LMSG foo 2\r\nhi!!", "error"}, {"LMSG foo 1001\r\n", "error"}, {"SUB foo 1\r\n", "error"},
		{"LMSG foo 20\r\nhi", "more 35"}, {"LS+ fo", "more"}, {"L", "more"}, {"", "more"},
	} {
		var f RouteFrame
		n, need, err := NextLeaf([]byte(c.in), routeLimits, &f)
		got := describe(&f)
		switch {
		case err != nil:
			got = "error"
		case n == 0 && need > 0:
			got = fmt.Sprint("more ", need)
		case n == 0:
			got = "more"
		case n != len(c.in):
			t.Errorf("%q: length %d", c.in, n)
		}
		if got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestAppendLeaf(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{string(AppendLeafSub(nil, "foo", "", 0)), "LS+ foo\r\n"},
		{string(AppendLeafSub([]byte("R"), "foo", "q", 2)), "RLS+ foo q 2\r\n"},
		{string(AppendLeafUnsub(nil, "foo", "q")), "LS- foo q\r\n"},
		{string(AppendLeafMsg(nil, "foo", "", nil, -1, 5)), "LMSG foo 5\r\n"},
		{string(AppendLeafMsg(nil, "foo", "r", []string{"q", "p"}, -1, 5)), "LMSG foo + r q p 5\r\n"},
		{string(AppendLeafMsg(nil, "foo", "", []string{"q"}, 12, 17)), "HMSG foo | q 12 17\r\n"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// FuzzNextLeaf: what is parsed and written down again is parsed to the same; a frame that is seen to follow another one
// is the one that is parsed.
func FuzzNextLeaf(f *testing.F) {
	for _, s := range []string{
		"LS+ foo\r\n", "LS+ foo q 3\r\n", "LS- foo q\r\n", "LMSG foo 2\r\nhi\r\n", "LMSG foo + r q p 2\r\nhi\r\n", "LMSG foo | q 2\r\nhi\r\n",
		"HMSG foo r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n", "INFO {}\r\n", "LMSG  foo\t2 \r\nhi\r\n", "LMSG foo 0\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, q RouteFrame
		n, need, err := NextLeaf(b, routeLimits, &p)
		if n < 0 || n > len(b) || need < 0 || err != nil && n != 0 {
			t.Fatalf("%d, %d, %v", n, need, err)
		}
		if n == 0 {
			return
		}
		var again []byte
		switch p.Op {
		case RouteSub:
			again = AppendLeafSub(nil, string(p.Subject), string(p.Queue), p.Weight)
		case RouteUnsub:
			again = AppendLeafUnsub(nil, string(p.Subject), string(p.Queue))
		case RouteMsg, RouteHMsg:
			var queues []string
			for w := range p.Queues() {
				queues = append(queues, string(w))
			}
			again = append(AppendLeafMsg(nil, p.Subject, p.Reply, queues, p.Hdr, p.Size), p.Body...)
			var m Frame
			p.Message(b[:n], &m)
			if string(m.Subject) != string(p.Subject) || Size(m.SizeText) != p.Size || m.Tail != nil && !bytes.HasSuffix(b[:n], m.Tail) {
				t.Fatalf("%q: %+v", b[:n], m)
			}
			var g Frame
			if k := RouteAgain(b, LeafLead+string(p.Subject)+" ", len(LeafLead), 0, &g); k != 0 && (k != n || p.HasQueues || p.Reply != nil || g.Size != p.Size || g.Hdr != p.Hdr) {
				t.Fatalf("%q: %+v, again %+v", b[:n], p, g)
			}
		default:
			return
		}
		k, _, err := NextLeaf(again, &Limits{}, &q)
		if err != nil || k != len(again) || describe(&p) != describe(&q) {
			t.Fatalf("%q became %q: %s, %s, %v", b[:n], again, describe(&p), describe(&q), err)
		}
	})
}
