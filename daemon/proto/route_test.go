package proto

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// routeFrames are frames as nats-server 2.15.3 sends them, and what may be wrong
// with them. want is what describe prints.
var routeFrames = []struct {
	in     string
	pinned bool
	want   string
}{
	{"RS+ $G foo.bar\r\n", false, "RS+ account=$G subject=foo.bar routing=[$G foo.bar]"},
	{"RS+ $G foo.* workers 3\r\n", false, "RS+ account=$G subject=foo.* queue=workers weight=3 routing=[$G foo.*]"},
	{"RS+ $G foo.* workers x\r\n", false, "RS+ account=$G subject=foo.* queue=workers weight=1 routing=[$G foo.*]"},
	{"RS+ $G foo.* workers \r\n", false, "RS+ account=$G subject=foo.* queue=workers weight=1 routing=[$G foo.*]"},
	{"RS+ foo workers 3\r\n", true, "RS+ subject=foo queue=workers weight=3 routing=[foo]"},
	{"RS- $G foo.* workers\r\n", false, "RS- account=$G subject=foo.* queue=workers routing=[$G foo.*]"},
	{"RS- foo\r\n", true, "RS- subject=foo routing=[foo]"},
	{"LS+ hub $G foo q 2\r\n", false, "LS+ origin=hub account=$G subject=foo queue=q weight=2 routing=[$G foo]"},
	{"LS- hub $G foo\r\n", false, "LS- origin=hub account=$G subject=foo routing=[$G foo]"},
	{"A+ ORDERS\r\n", false, "A+ account=ORDERS"},
	{"A- ORDERS\r\n", false, "A- account=ORDERS"},
	{"RMSG $G foo 5\r\nhello\r\n", false, "RMSG account=$G subject=foo routing=[$G foo] size=5 body=hello"},
	{"RMSG $G foo _INBOX.1 5\r\nhello\r\n", false, "RMSG account=$G subject=foo routing=[$G foo] reply=_INBOX.1 size=5 body=hello"},
	{"RMSG $G foo + _INBOX.1 q1 q2 5\r\nhello\r\n", false, "RMSG account=$G subject=foo routing=[$G foo] reply=_INBOX.1 queues=q1,q2 size=5 body=hello"},
	{"RMSG $G foo | q1 5\r\nhello\r\n", false, "RMSG account=$G subject=foo routing=[$G foo] queues=q1 size=5 body=hello"},
	{"RREQ $G foo _R_.1 5\r\nhello\r\n", false, "RREQ account=$G subject=foo routing=[$G foo] reply=_R_.1 size=5 body=hello"},
	{"HREQ $G foo + r q1 12 17\r\nNATS/1.0\r\n\r\nhello\r\n", false, "HREQ account=$G subject=foo routing=[$G foo] reply=r queues=q1 hdr=12 size=17 body=NATS/1.0\r\n\r\nhello"},
	{"RANS foo 0\r\n\r\n", true, "RANS subject=foo routing=[foo] size=0 body="},
	{"HSVC $G foo 12 12\r\nNATS/1.0\r\n\r\n\r\n", false, "HSVC account=$G subject=foo routing=[$G foo] hdr=12 size=12 body=NATS/1.0\r\n\r\n"},
	{"RI+ $G foo.* 0\r\n", false, "RS+ account=$G subject=foo.* own=0 routing=[$G foo.*]"},
	{"RI+ $G foo.* 2 workers 3\r\n", false, "RS+ account=$G subject=foo.* own=2 queue=workers weight=3 routing=[$G foo.*]"},
	{"RI+ foo 1\r\n", true, "RS+ subject=foo own=1 routing=[foo]"},
	{"RMSG foo | q1 0\r\n\r\n", true, "RMSG subject=foo routing=[foo] queues=q1 size=0 body="},
	{"HMSG $G foo 12 17\r\nNATS/1.0\r\n\r\nhello\r\n", false, "HMSG account=$G subject=foo routing=[$G foo] hdr=12 size=17 body=NATS/1.0\r\n\r\nhello"},
	{"HMSG $G foo r 12 17\r\nNATS/1.0\r\n\r\nhello\r\n", false, "HMSG account=$G subject=foo routing=[$G foo] reply=r hdr=12 size=17 body=NATS/1.0\r\n\r\nhello"},
	{"HMSG foo + r q 12 17\r\nNATS/1.0\r\n\r\nhello\r\n", true, "HMSG subject=foo routing=[foo] reply=r queues=q hdr=12 size=17 body=NATS/1.0\r\n\r\nhello"},
	{"LMSG hub $G foo 0 5\r\nhello\r\n", false, "LMSG origin=hub account=$G subject=foo routing=[$G foo] hdr=0 size=5 body=hello"},
	{"PING\r\n", false, "PING"}, {"PONG\r\n", false, "PONG"}, {"+OK\r\n", false, "+OK"},
	{"INFO {}\r\n", false, "INFO arg={}"},
	{"CONNECT {}\r\n", false, "CONNECT arg={}"},
	{"-ERR 'Authorization Violation'\r\n", false, "-ERR arg='Authorization Violation'"},

	{"RI+ $G foo\r\n", false, "error"}, {"RI+ $G foo x\r\n", false, "error"}, {"RI+ $G foo 1 q 1 x\r\n", false, "error"}, {"RREQx\r\n", false, "error"},
	{"RS+\r\n", false, "error"}, {"RS+ $G\r\n", false, "error"}, {"RS+ $G foo q 2 x\r\n", false, "error"},
	{"RS+ $G foo q 1 x\r\n", false, "error"}, {"RS- $G foo q 1\r\n", false, "error"}, {"LS+ hub\r\n", false, "error"},
	{"A+\r\n", false, "error"}, {"A+ a b\r\n", false, "error"}, {"RMSG $G foo\r\n", false, "error"},
	{"RMSG $G foo x 5\r\nhelloXX", false, "error"}, {"RMSG $G foo x y 5\r\n", false, "error"},
	{"RMSG $G foo -1\r\n", false, "error"}, {"HMSG $G foo 9 5\r\n", false, "error"}, {"HMSG $G foo 5\r\n", false, "error"},
	{"RMSG $G foo 99999999\r\n", false, "error"}, {"PUB foo 5\r\n", false, "error"}, {"RMSGx\r\n", false, "error"},
	{"RS+ " + strings.Repeat("x", 200), false, "error"},
	{"", false, "more"}, {"R", false, "more"}, {"RMS", false, "more"}, {"RMSG $G foo 5", false, "more"},
	{"RMSG $G foo 5\r\nhell", false, "more 22"},
}

var routeLimits = &Limits{ControlLine: 100, Payload: 1000}

func TestNextRoute(t *testing.T) {
	for _, c := range routeFrames {
		var f RouteFrame
		n, need, err := NextRoute([]byte(c.in), routeLimits, c.pinned, &f)
		got := describe(&f)
		switch {
		case err != nil:
			got = "error"
		case n == 0 && need > 0:
			got = fmt.Sprint("more ", need)
		case n == 0:
			got = "more"
		case n != len(c.in):
			t.Errorf("%q: length %d, want %d", c.in, n, len(c.in))
		}
		if got != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func describe(f *RouteFrame) string {
	var s []string
	for _, v := range routeVerbs {
		if v.op == f.Op && v.entry == f.Entry && v.name != "RI+" {
			s = append(s, v.name)
		}
	}
	add := func(name string, value []byte) {
		if value != nil {
			s = append(s, fmt.Sprintf("%s=%s", name, value))
		}
	}
	add("origin", f.Origin)
	add("account", f.Account)
	add("subject", f.Subject)
	if f.Op == RouteSub && f.Own >= 0 {
		s = append(s, fmt.Sprint("own=", f.Own))
	}
	add("queue", f.Queue)
	if f.Weight > 0 {
		s = append(s, fmt.Sprint("weight=", f.Weight))
	}
	if f.Routing != nil {
		s = append(s, fmt.Sprintf("routing=[%s]", f.Routing))
	}
	add("reply", f.Reply)
	if f.HasQueues {
		add("queues", bytes.Join(bytes.Fields(f.queues), []byte(",")))
	}
	if f.Hdr >= 0 {
		s = append(s, fmt.Sprint("hdr=", f.Hdr))
	}
	if f.Body != nil {
		s = append(s, fmt.Sprintf("size=%d body=%s", f.Size, bytes.TrimSuffix(f.Body, []byte("\r\n"))))
	}
	if f.Op == RouteInfo || f.Op == RouteConnect || f.Op == RouteErr {
		add("arg", f.Arg)
	}
	return strings.Join(s, " ")
}

func TestRouteQueues(t *testing.T) {
	var f RouteFrame
	if _, _, err := NextRoute([]byte("RMSG a s | one two three 0\r\n\r\n"), routeLimits, false, &f); err != nil {
		t.Fatal(err)
	}
	var got []string
	for q := range f.Queues() {
		got = append(got, string(q))
	}
	if strings.Join(got, ",") != "one,two,three" {
		t.Error(got)
	}
}

func TestAppendRoute(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{string(AppendRouteSub(nil, "", "A", "foo", "", 0)), "RS+ A foo\r\n"},
		{string(AppendRouteSub(nil, "", "A", "foo", "q", 2)), "RS+ A foo q 2\r\n"},
		{string(AppendRouteSub(nil, "", "", "foo", "q", 2)), "RS+ foo q 2\r\n"},
		{string(AppendRouteSub(nil, "hub", "A", "foo", "", 0)), "LS+ hub A foo\r\n"},
		{string(AppendRouteUnsub(nil, "", "A", "foo", "q")), "RS- A foo q\r\n"},
		{string(AppendRouteInterest(nil, "A", "foo", 0, "", 0)), "RI+ A foo 0\r\n"},
		{string(AppendRouteInterest(nil, "", "foo", 1, "q", 3)), "RI+ foo 1 q 3\r\n"},
		{string(AppendRouteMsg(nil, RouteRequest, "A", "foo", "r", []string{"q"}, -1, 5)), "RREQ A foo + r q 5\r\n"},
		{string(AppendRouteMsg(nil, RouteByImport, "A", "foo", "", nil, 12, 17)), "HSVC A foo 12 17\r\n"},
		{string(AppendRouteMsg(nil, RoutePublished, "A", "foo", "", nil, -1, 5)), "RMSG A foo 5\r\n"},
		{string(AppendRouteMsg(nil, RoutePublished, "A", "foo", "r", nil, -1, 5)), "RMSG A foo r 5\r\n"},
		{string(AppendRouteMsg(nil, RoutePublished, "", "foo", "r", []string{"q", "p"}, -1, 5)), "RMSG foo + r q p 5\r\n"},
		{string(AppendRouteMsg(nil, RoutePublished, "A", "foo", "", []string{"q"}, 12, 17)), "HMSG A foo | q 12 17\r\n"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// agrees fails the test unless [RouteAgain] sees in b the frame that [NextRoute] saw, of
// n bytes, or leaves it alone, as it must what is for a queue group or has a reply.
func agrees(t *testing.T, b []byte, n int, f *RouteFrame) (seen bool) {
	t.Helper()
	if f.Op != RouteMsg && f.Op != RouteHMsg {
		return false
	}
	lead := f.Entry.Lead()
	if f.Account != nil {
		lead += string(f.Account) + " "
	}
	g := Frame{Hdr: -7}
	m := RouteAgain(b, lead+string(f.Subject)+" ", len(lead), 0, &g)
	if m == 0 {
		return false
	}
	if m != n || f.HasQueues || f.Reply != nil || g.Reply != nil || g.Size != f.Size || g.Hdr != f.Hdr || (g.Op == HPub) != (f.Op == RouteHMsg) ||
		string(g.Subject) != string(f.Subject) || !bytes.Equal(g.Body, f.Body) || Size(g.SizeText) != f.Size ||
		!bytes.HasSuffix(b[:n], g.Tail) || !bytes.HasSuffix(g.Tail, g.Body) || f.Hdr >= 0 && Size(g.HdrText) != f.Hdr {
		t.Fatalf("%q: %+v, again %+v of %d bytes", b[:n], f, g, m)
	}
	return true
}

func TestRouteAgain(t *testing.T) {
	for _, c := range []struct {
		frame  string
		pinned bool
		seen   bool
	}{
		{"RMSG A foo 5\r\nhello\r\n", false, true},
		{"RMSG foo 5\r\nhello\r\n", true, true},
		{"RMSG A foo 0\r\n\r\n", false, true},
		{"HMSG A foo 12 17\r\nNATS/1.0\r\n\r\nhello\r\n", false, true},
		{"RMSG A foo reply 5\r\nhello\r\n", false, false},
		{"RMSG A foo 7 5\r\nhello\r\n", false, false}, // 7 is a reply
		{"HMSG A foo 7 12 17\r\nNATS/1.0\r\n\r\nhello\r\n", false, false},
		{"RMSG A foo | q 5\r\nhello\r\n", false, false},
		{"RMSG A foo + r q 5\r\nhello\r\n", false, false},
		{"RMSG A foo  5\r\nhello\r\n", false, false},
		{"rmsg A foo 5\r\nhello\r\n", false, false},
	} {
		var f RouteFrame
		b := []byte(c.frame + "RMSG A ")
		n, _, err := NextRoute(b, routeLimits, c.pinned, &f)
		if err != nil || n != len(c.frame) {
			t.Fatalf("%q: %d bytes, %v", c.frame, n, err)
		}
		if seen := agrees(t, b, n, &f); seen != c.seen {
			t.Errorf("%q: seen %v, want %v", c.frame, seen, c.seen)
		}
		for i := range n {
			if RouteAgain(b[:i], "RMSG A foo ", len("RMSG A "), 0, &Frame{}) != 0 {
				t.Errorf("%q: complete with %d bytes", c.frame, i)
			}
		}
	}
}

// Any split of a stream of frames gives the frames of the whole, and no bytes
// make the parser panic or read outside of them.
func FuzzNextRoute(f *testing.F) {
	for _, c := range routeFrames {
		f.Add([]byte(c.in), c.pinned)
	}
	f.Fuzz(func(t *testing.T, b []byte, pinned bool) {
		var whole, part RouteFrame
		n, need, err := NextRoute(b, routeLimits, pinned, &whole)
		if n > len(b) || n > 0 && need > 0 || err != nil && n > 0 || need > 0 && need <= len(b) {
			t.Fatalf("n=%d need=%d err=%v for %d bytes", n, need, err, len(b))
		}
		if n == 0 {
			return
		}
		agrees(t, b, n, &whole)
		for i := range n {
			m, _, err := NextRoute(b[:i], routeLimits, pinned, &part)
			if m != 0 || err != nil && !errors.Is(err, ErrControlLine) {
				t.Fatalf("%d of %d bytes: n=%d err=%v", i, n, m, err)
			}
		}
	})
}

// TestRouteLeafMsg: what is appended for a message of a leaf node is parsed as what it was.
func TestRouteLeafMsg(t *testing.T) {
	for _, c := range []struct {
		account, reply string
		queues         []string
		hdr, size      int
		line           string
	}{
		{"A", "", nil, -1, 5, "LMSG X A a.b 0 5\r\n"},
		{"A", "in.box", nil, 12, 17, "LMSG X A a.b in.box 12 17\r\n"},
		{"A", "in.box", []string{"q", "r"}, 0, 5, "LMSG X A a.b + in.box q r 0 5\r\n"},
		{"", "", []string{"q"}, -1, 5, "LMSG X a.b | q 0 5\r\n"},
	} {
		line := AppendRouteLeafMsg(nil, "X", c.account, "a.b", c.reply, c.queues, c.hdr, c.size)
		if string(line) != c.line {
			t.Errorf("%q, want %q", line, c.line)
		}
		body := "NATS/1.0\r\n\r\nhello"
		frame := []byte(c.line + body[len(body)-c.size:] + "\r\n")
		var f RouteFrame
		n, _, err := NextRoute(frame, &Limits{ControlLine: 1 << 10}, c.account == "", &f)
		if err != nil || n != len(frame) || string(f.Origin) != "X" || string(f.Account) != c.account || string(f.Reply) != c.reply || f.Size != c.size || f.Hdr != max(c.hdr, 0) {
			t.Errorf("%q: %d, %v, %+v", c.line, n, err, f)
		}
		var queues []string
		for q := range f.Queues() {
			queues = append(queues, string(q))
		}
		if !slices.Equal(queues, c.queues) {
			t.Errorf("%q: groups %q", c.line, queues)
		}
	}
}
