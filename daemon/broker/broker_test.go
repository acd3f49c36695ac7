package broker

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// longest bounds what only a fault makes wait: a busy machine takes its time.
const longest = 2 * time.Minute

// start starts a broker. Unless the test is about PINGs none comes before two minutes are over.
func start(t testing.TB, o Options) (*Broker, string) {
	t.Helper()
	o.NoShortFirstPing = o.NoShortFirstPing || o.PingInterval == 0
	b, err := New(o, logging.Discard())
	if err != nil {
		t.Fatal(err)
	}
	l, err := b.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b, l.Addr().String()
}

// peer is a client that speaks the protocol byte by byte.
type peer struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader
}

func newPeer(t testing.TB, nc net.Conn) *peer { return &peer{t: t, nc: nc, r: bufio.NewReader(nc)} }

func dial(t testing.TB, addr string) *peer {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	p := newPeer(t, nc)
	if line := p.line(); !strings.HasPrefix(line, "INFO {") {
		t.Fatalf("greeted with %q", line)
	}
	return p
}

// connect is dial and a quiet CONNECT.
func connect(t testing.TB, addr string) *peer {
	t.Helper()
	p := dial(t, addr)
	p.send(`CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}` + "\r\n")
	p.sync()
	return p
}

func (p *peer) send(format string, args ...any) {
	p.t.Helper()
	s := format
	if len(args) > 0 {
		s = fmt.Sprintf(format, args...)
	}
	if _, err := io.WriteString(p.nc, s); err != nil {
		p.t.Fatalf("sending: %v", err)
	}
}

// line reads a line.
func (p *peer) line() string {
	p.t.Helper()
	p.nc.SetReadDeadline(time.Now().Add(longest))
	s, err := p.r.ReadString('\n')
	if err != nil {
		p.t.Fatalf("reading: %v after %q", err, s)
	}
	return strings.TrimRight(s, "\r\n")
}

// expect reads lines and compares them.
func (p *peer) expect(lines ...string) {
	p.t.Helper()
	for _, want := range lines {
		if got := p.line(); got != want {
			p.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// sync waits until everything sent so far was handled.
func (p *peer) sync() {
	p.t.Helper()
	p.send("PING\r\n")
	p.expect("PONG")
}

// closed expects the connection to be closed.
func (p *peer) closed() {
	p.t.Helper()
	p.nc.SetReadDeadline(time.Now().Add(longest))
	if rest, err := io.ReadAll(p.r); err != nil && !strings.Contains(err.Error(), "reset") || len(rest) > 0 {
		p.t.Fatalf("expected the end, got %q, %v", rest, err)
	}
}

func TestPublishAndSubscribe(t *testing.T) {
	_, addr := start(t, Options{})
	a, b := connect(t, addr), connect(t, addr)
	a.send("SUB foo.* 90\r\nSUB foo.> 91\r\nSUB foo.bar 92\r\nSUB other 93\r\n")
	a.sync()
	b.send("PUB foo.bar 5\r\nhello\r\nPUB foo.bar reply.to 2\r\nhi\r\nPUB foo 1\r\nx\r\n")
	got := map[string]int{}
	for range 6 {
		got[a.line()+" "+a.line()]++
	}
	for _, sid := range []string{"90", "91", "92"} {
		for _, want := range []string{"MSG foo.bar " + sid + " 5 hello", "MSG foo.bar " + sid + " reply.to 2 hi"} {
			if got[want] != 1 {
				t.Errorf("%q came %d times", want, got[want])
			}
		}
	}
	a.sync()
}

func TestErrors(t *testing.T) {
	var reserved string // more subjects than have plans of their own
	var refused []string
	for i := range 300 {
		reserved += fmt.Sprintf("PUB _GR_.%d 0\r\n\r\n", i)
		refused = append(refused, fmt.Sprintf(`-ERR 'Permissions Violation for Publish to "_GR_.%d"'`, i))
	}
	_, addr := start(t, Options{MaxPayload: 100, MaxControlLine: 200, MaxSubscriptions: 2})
	for _, c := range []struct {
		name, send string
		answers    []string
		closes     bool
	}{
		{"unknown verb", "FOO", []string{"-ERR 'Unknown Protocol Operation'"}, true},
		{"wrong end of payload", "PUB a 2\r\nhixx", []string{"-ERR 'Unknown Protocol Operation'"}, true},
		{"payload too large", "PUB a 101\r\n", []string{"-ERR 'Maximum Payload Violation'"}, true},
		{"payload of 2^63", "PUB a 9223372036854775808\r\n", nil, true},
		{"line too long", "SUB " + strings.Repeat("a", 250), []string{"-ERR 'maximum control line exceeded'"}, true},
		{"too many fields", "SUB a b c d\r\n", nil, true},
		{"bad subject", "SUB foo..bar 1\r\nPING\r\n", []string{"-ERR 'Invalid Subject'", "PONG"}, false},
		{"too many subscriptions", "SUB a 1\r\nSUB b 2\r\nSUB c 3\r\nPING\r\n", []string{"-ERR 'maximum subscriptions exceeded'", "PONG"}, false},
		{"reserved queue", "SUB a _sys_ 1\r\nPING\r\n", []string{`-ERR 'Permissions Violation for Subscription to "a" using queue "_sys_"'`, "PONG"}, false},
		{"reserved reply", "PUB a _R_.x 0\r\n\r\nPING\r\n", []string{`-ERR 'Permissions Violation for Publish with Reply of "_R_.x"'`, "PONG"}, false},
		{"reserved subject", "PUB _GR_.x 0\r\n\r\nPING\r\n", []string{`-ERR 'Permissions Violation for Publish to "_GR_.x"'`, "PONG"}, false},
		{"reserved subjects", reserved + "PING\r\n", append(refused, "PONG"), false},
		{"bad protocol", "CONNECT {\"protocol\":7,\"verbose\":false}\r\n", []string{"-ERR 'invalid client protocol'"}, true},
		{"no responders without headers", "CONNECT {\"no_responders\":true}\r\n", []string{"-ERR 'no responders requires headers support'"}, true},
		{"client reports an error", "-ERR 'x'\r\n", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := connect(t, addr)
			p.send("%s", c.send)
			p.expect(c.answers...)
			if c.closes {
				p.closed()
			}
		})
	}
}

func TestVerboseAndPedantic(t *testing.T) {
	_, addr := start(t, Options{})
	p := dial(t, addr)
	p.send("sub foo.* 90\r\npub foo.bar 5\r\nhello\r\n")
	p.expect("+OK", "+OK", "MSG foo.bar 90 5", "hello")
	p.send("PUB foo.* 0\r\n\r\nUNSUB 90\r\n")
	p.expect("-ERR 'Invalid Publish Subject'", "+OK", "MSG foo.* 90 0", "", "+OK")
}

func TestUnsubscribeAfter(t *testing.T) {
	_, addr := start(t, Options{})
	a, b := connect(t, addr), connect(t, addr)
	a.send("SUB foo 1\r\nUNSUB 1 2\r\n")
	a.sync()
	b.send("%s", strings.Repeat("PUB foo 1\r\nx\r\n", 5))
	b.sync()
	a.expect("MSG foo 1 1", "x", "MSG foo 1 1", "x")
	a.sync()
	// What came before UNSUB counts.
	a.send("SUB bar 2\r\n")
	a.sync()
	b.send("PUB bar 1\r\nx\r\nPUB bar 1\r\ny\r\n")
	a.expect("MSG bar 2 1", "x", "MSG bar 2 1", "y")
	a.send("UNSUB 2 3\r\n")
	a.sync()
	b.send("%s", strings.Repeat("PUB bar 1\r\nz\r\n", 5))
	b.sync()
	a.expect("MSG bar 2 1", "z")
	a.sync()
}

func TestEchoOff(t *testing.T) {
	_, addr := start(t, Options{})
	p, other := dial(t, addr), connect(t, addr)
	other.send("SUB foo 7\r\nSUB foo 7b\r\n")
	other.sync()
	p.send(`CONNECT {"verbose":false,"echo":false}` + "\r\nSUB foo 7\r\nSUB foo q 8\r\nSUB bar 9\r\nPUB foo 1\r\nx\r\nPUB bar 1\r\ny\r\nPING\r\n")
	p.expect("PONG")
	got := []string{other.line(), other.line(), other.line(), other.line()}
	if got[0] == got[2] || got[1] != "x" || got[3] != "x" {
		t.Errorf("got %q", got)
	}
}

func TestHeaders(t *testing.T) {
	_, addr := start(t, Options{})
	with, pub := connect(t, addr), connect(t, addr)
	without := dial(t, addr)
	without.send(`CONNECT {"verbose":false}` + "\r\nSUB foo 1\r\n")
	without.sync()
	with.send("SUB foo 1\r\n")
	with.sync()
	const hdr = "NATS/1.0\r\nA: b\r\n\r\n"
	pub.send("HPUB foo re.ply %d %d\r\n%shello\r\nHPUB foo %d %d\r\n%s\r\n", len(hdr), len(hdr)+5, hdr, len(hdr), len(hdr), hdr)
	with.expect("HMSG foo 1 re.ply 18 23", "NATS/1.0", "A: b", "", "hello", "HMSG foo 1 18 18", "NATS/1.0", "A: b", "", "")
	without.expect("MSG foo 1 re.ply 5", "hello", "MSG foo 1 0", "")
	without.send("HPUB foo 2 2\r\n\r\n\r\n")
	without.closed()
}

func TestNoResponders(t *testing.T) {
	_, addr := start(t, Options{})
	p := connect(t, addr)
	p.send("SUB _INBOX.* 5\r\nPUB nobody _INBOX.a 2\r\nhi\r\n")
	p.expect("HMSG _INBOX.a 5 38 38", "NATS/1.0 503", "Nats-Subject: nobody", "", "")
}

func TestQueueGroup(t *testing.T) {
	_, addr := start(t, Options{})
	var peers []*peer
	for range 4 {
		p := connect(t, addr)
		p.send("SUB foo q 1\r\nSUB foo.> q 2\r\n")
		p.sync()
		peers = append(peers, p)
	}
	pub := connect(t, addr)
	const n = 400
	pub.send("%s", strings.Repeat("PUB foo 1\r\nx\r\n", n))
	pub.sync()
	total := 0
	for i, p := range peers {
		p.send("PING\r\n")
		got := 0
		for line := p.line(); line != "PONG"; line = p.line() {
			if strings.HasPrefix(line, "MSG") {
				got++
			}
		}
		total += got
		if got < n/8 {
			t.Errorf("member %d got %d of %d", i, got, n)
		}
	}
	if total != n {
		t.Errorf("%d messages came as %d", n, total)
	}
}

// Messages of every size, so that each way of staging and each size of buffer is
// taken, arrive whole and in order.
func TestSizes(t *testing.T) {
	_, addr := start(t, Options{MaxPayload: 3 << 20})
	a, a2, pub := connect(t, addr), connect(t, addr), connect(t, addr)
	for _, p := range []*peer{a, a2} {
		p.send("SUB foo 1\r\n")
		p.sync()
	}
	sizes := []int{0, 1, 100, 4000, 5000, 16<<10 - 1, 16 << 10, 65000, 65536, 70000, 300000, 1 << 20, 1<<20 + 1<<17, 3 << 20, 10, 5000}
	go func() {
		for i, n := range sizes {
			fmt.Fprintf(pub.nc, "PUB foo r.%d %d\r\n%s\r\n", i, n, strings.Repeat(string(rune('a'+i)), n))
		}
	}()
	for _, p := range []*peer{a, a2} {
		for i, n := range sizes {
			p.expect(fmt.Sprintf("MSG foo 1 r.%d %d", i, n))
			if got := p.line(); len(got) != n || strings.Count(got, string(rune('a'+i))) != n {
				t.Fatalf("message %d of %d bytes: got %d", i, n, len(got))
			}
		}
	}
}

// A line may arrive in pieces of any size.
func TestByteByByte(t *testing.T) {
	_, addr := start(t, Options{})
	p := dial(t, addr)
	const text = "CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB foo 1\r\nPUB foo 5\r\nhello\r\nHPUB foo 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPING\r\n"
	for i := range len(text) {
		p.send("%s", text[i:i+1])
	}
	p.expect("MSG foo 1 5", "hello", "HMSG foo 1 12 14", "NATS/1.0", "", "hi", "PONG")
}
