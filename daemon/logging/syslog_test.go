package logging

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// message reads one octet-counted message (RFC 6587, section 3.4.1).
func message(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	size, err := r.ReadString(' ')
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSuffix(size, " "))
	if err != nil {
		t.Fatalf("no octet count: %q", size)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// text returns what follows the structured data.
func text(t *testing.T, msg string) string {
	t.Helper()
	_, after, ok := strings.Cut(msg, "] ")
	if !ok {
		t.Fatalf("no structured data: %q", msg)
	}
	return after
}

func listen(t *testing.T, network, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func accept(t *testing.T, l net.Listener) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, bufio.NewReader(c)
}

// remote returns Options for a receiver.
func remote(t *testing.T, url string) (Options, *bufio.Reader) {
	t.Helper()
	o, stderr := stderrPipe(t)
	o.Remote = url
	return o, stderr
}

func TestSyslogTCP(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	o, _ := remote(t, "tcp://"+l.Addr().String())
	log := newManager(t, o).Logger("broker")
	log.Event(Warn, SlowConsumer, "Slow Consumer", Uint(FieldClientID, 42))
	log.Info("two\nlines")
	_, r := accept(t, l)
	if got := message(t, r); !strings.HasPrefix(got, "<28>1 ") ||
		!strings.HasSuffix(got, ` host.example nats-broker 42 slow-consumer [origin software="nats-broker"][nats@32473 subsystem="broker" client_id="42"] Slow Consumer`) {
		t.Errorf("got %q", got)
	}
	if got := text(t, message(t, r)); got != "two\n\tlines" {
		t.Errorf("got %q", got)
	}
}

func TestSyslogOldFormatOverTCP(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	o, _ := remote(t, "tcp://"+l.Addr().String())
	o.RemoteRFC3164 = true
	newManager(t, o).Logger("broker").Error("two\nlines")
	_, r := accept(t, l)
	if got := readLine(t, r); !strings.HasPrefix(got, "<27>") || !strings.HasSuffix(got, " host nats-broker[42]: two \tlines") {
		t.Errorf("got %q", got)
	}
}

func TestSyslogDatagrams(t *testing.T) {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	path := filepath.Join(t.TempDir(), "dev-log")
	unix, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()

	o, _ := remote(t, "udp://"+udp.LocalAddr().String())
	o.Syslog, o.seams.devLog = true, path
	log := newManager(t, o).Logger("broker")
	log.Info("one")
	log.Info(strings.Repeat("世", syslogMax))
	receive := func(c net.PacketConn) string {
		buf := make([]byte, 64<<10)
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	if got := receive(udp); !strings.HasPrefix(got, "<29>1 ") || text(t, got) != "one" {
		t.Errorf("udp: %q", got)
	}
	if got := receive(udp); len(got) > syslogMax || len(got) < syslogMax-3 || !strings.HasSuffix(got, "世") {
		t.Errorf("the long message has %d bytes and ends in %q", len(got), got[len(got)-5:])
	}
	if got := receive(unix); !strings.HasPrefix(got, "<29>") || !strings.HasSuffix(got, " nats-broker[42]: one") || strings.Contains(got, "host") {
		t.Errorf("/dev/log: %q", got)
	}
}

// TestSyslogUnixStream: a unix:// receiver may be a stream too.
func TestSyslogUnixStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l := listen(t, "unix", path)
	o, _ := remote(t, "unix://"+path)
	o.RemoteRFC5424 = true
	newManager(t, o).Logger("broker").Info("one")
	_, r := accept(t, l)
	if got := text(t, message(t, r)); got != "one" {
		t.Errorf("got %q", got)
	}
}

// TestSyslogOfThisMachine: what listens on a socket of this machine reads the old format, without a host, unless the
// configuration says otherwise.
func TestSyslogOfThisMachine(t *testing.T) {
	for _, tt := range []struct {
		name string
		set  func(*Options)
		want string
	}{
		{"nothing said", func(*Options) {}, `^<29>\w{3} [ \d]\d \d\d:\d\d:\d\d nats-broker\[42\]: one$`},
		{"rfc3164", func(o *Options) { o.RemoteRFC3164 = true }, `^<29>\w{3} [ \d]\d \d\d:\d\d:\d\d nats-broker\[42\]: one$`},
		{"rfc5424", func(o *Options) { o.RemoteRFC5424 = true }, `^<29>1 \d{4}-.* nats-broker 42 - .*\] one$`},
	} {
		path := filepath.Join(t.TempDir(), "s")
		l, err := net.ListenPacket("unixgram", path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		o, _ := remote(t, "unix://"+path)
		tt.set(&o)
		newManager(t, o).Logger("broker").Info("one")
		buf := make([]byte, 4096)
		n, _, err := l.ReadFrom(buf)
		if err != nil || !regexp.MustCompile(tt.want).Match(buf[:n]) {
			t.Errorf("%s: %q, %v", tt.name, buf[:n], err)
		}
	}
}

// TestSyslogReceiverRestarts: lines wait while the receiver is away and arrive in order when it is back; both are
// reported, the absence on standard error as well.
func TestSyslogReceiverRestarts(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	addr := l.Addr().String()
	o, stderr := remote(t, "tcp://"+addr)
	m := newManager(t, o)
	log := m.Logger("broker")
	log.Info("first")
	conn, r := accept(t, l)
	if got := text(t, message(t, r)); got != "first" {
		t.Fatalf("got %q", got)
	}
	l.Close()
	conn.Close()
	log.Info("second")
	if line := readLine(t, stderr); !strings.Contains(line, "[ERR] Syslog tcp://"+addr+" cannot be reached, lines wait: ") {
		t.Errorf("standard error shows %q", line)
	}
	log.Info("third")
	l = listen(t, "tcp", addr)
	_, r = accept(t, l)
	var got []string
	for range 4 {
		got = append(got, text(t, message(t, r)))
	}
	// "second" may have gone into the dead connection's buffer: then it was sent again, never lost.
	all := strings.Join(got, "|")
	i, j := strings.Index(all, "second"), strings.Index(all, "third")
	if i < 0 || j < i || !strings.Contains(all, "cannot be reached") || !strings.Contains(all, "reached again, no line was lost") {
		t.Errorf("got %q", all)
	}
}

// TestSyslogQueueIsBounded: without a receiver lines beyond the bound are lost, the first are kept, and the number is
// reported when it comes.
func TestSyslogQueueIsBounded(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	addr := l.Addr().String()
	l.Close()
	o, stderr := remote(t, "tcp://"+addr)
	o.RemoteQueue, o.NoRepeatLimit = 10, true
	m := newManager(t, o)
	log := m.Logger("broker")
	log.Info("line 0")
	readLine(t, stderr) // the report on the absence, which took a place in the queue
	for i := 1; i < 50; i++ {
		log.Info(fmt.Sprintf("line %d", i))
	}
	if d := m.Drops()["tcp://"+addr]; d != 41 {
		t.Errorf("%d lines counted as lost, want 41", d)
	}
	l = listen(t, "tcp", addr)
	_, r := accept(t, l)
	for i := range 10 {
		want := fmt.Sprintf("line %d", i-1)
		if i == 0 {
			want = "line 0"
		}
		got := text(t, message(t, r))
		if i == 1 && strings.Contains(got, "cannot be reached") {
			continue
		}
		if got != want {
			t.Errorf("message %d is %q, want %q", i, got, want)
		}
	}
	if got := text(t, message(t, r)); got != "41 lines for syslog tcp://"+addr+" were dropped" {
		t.Errorf("report %q", got)
	}
}

// TestSyslogCloseFlushes: what waits is sent before the process ends; a receiver that is away does not hold it up.
func TestSyslogCloseFlushes(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	o, _ := remote(t, "tcp://"+l.Addr().String())
	o.NoRepeatLimit = true
	m := newManager(t, o)
	log := m.Logger("broker")
	const lines = 3000
	for range lines {
		log.Info("line")
	}
	done := make(chan int)
	go func() { // ends when the connection is closed
		c, err := l.Accept()
		if err != nil {
			done <- -1
			return
		}
		defer c.Close()
		all, _ := io.ReadAll(c)
		done <- strings.Count(string(all), "] line")
	}()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if n := <-done; n != lines {
		t.Errorf("%d of %d lines arrived", n, lines)
	}

	l.Close()
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	m.Logger("broker").Info("nobody is there")
	if err := m.Close(); err == nil || !strings.Contains(err.Error(), "could not be sent") {
		t.Errorf("closing with lines unsent: %v", err)
	}
}

// TestSyslogReload keeps the queue and the connection when the receiver stays the same.
func TestSyslogReload(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	o, _ := remote(t, "tcp://"+l.Addr().String())
	m := newManager(t, o)
	log := m.Logger("broker")
	log.Info("before")
	_, r := accept(t, l)
	o.Debug = true
	change(t, m, o)
	log.Debug("after")
	for _, want := range []string{"before", "after"} {
		if got := text(t, message(t, r)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	o.Remote = ""
	change(t, m, o)
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("the connection is open after the receiver was taken out: %v", err)
	}
}

func TestSyslogTLS(t *testing.T) {
	ca := certtest.New(t, t.TempDir(), "ca")
	pair := ca.Issue("logs", x509.Certificate{DNSNames: []string{"logs.example"}})
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{pair.TLS}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o, stderr := remote(t, "tls://"+l.Addr().String())
	o.RemoteTLS = RemoteTLS{CAFile: ca.CertFile, CertFile: pair.CertFile, KeyFile: pair.KeyFile, ServerName: "logs.example"}
	m := newManager(t, o)
	m.Logger("broker").Info("one")
	_, r := accept(t, l)
	if got := text(t, message(t, r)); got != "one" {
		t.Errorf("got %q", got)
	}

	// A receiver that cannot show the right name gets no line.
	o.RemoteTLS.ServerName = "other.example"
	change(t, m, o)
	m.Logger("broker").Info("secret")
	go func() {
		if c, err := l.Accept(); err == nil {
			c.(*tls.Conn).Handshake()
			c.Close()
		}
	}()
	if line := readLine(t, stderr); !strings.Contains(line, "certificate is valid for logs.example, not other.example") {
		t.Errorf("standard error shows %q", line)
	}
	l.Close()
}

func TestTargets(t *testing.T) {
	for _, c := range []struct{ url, network, address, err string }{
		{"udp://localhost:514", "udp", "localhost:514", ""},
		{"udp://localhost", "udp", "localhost:514", ""},
		{"tcp://[::1]:99", "tcp", "[::1]:99", ""},
		{"tls://logs.example", "tcp", "logs.example:6514", ""},
		{"unix:///run/log", "unix", "/run/log", ""},
		{"localhost:514", "", "", `invalid network type: "localhost" (expected udp, tcp, tls or unix)`},
		{"udp://", "", "", "the host is missing"},
		{"udp://h:0", "", "", `invalid port "0"`},
		{"udp://h:70000", "", "", `invalid port "70000"`},
		{"unix:", "", "", "the path of the socket is missing"},
		{"udp://h:port", "", "", "invalid port"},
	} {
		got, err := parseTarget(c.url, false, RemoteTLS{})
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.HasPrefix(err.Error(), fmt.Sprintf("remote syslog %q: ", c.url)) {
				t.Errorf("%s: error %v", c.url, err)
			}
			continue
		}
		if err != nil || got.network != c.network || got.address != c.address {
			t.Errorf("%s: %+v, %v", c.url, got, err)
		}
	}
	for _, files := range []RemoteTLS{{CAFile: "/none"}, {CertFile: "/none"}, {CertFile: "/none", KeyFile: "/none"}} {
		if _, err := parseTarget("tls://h", false, files); err == nil {
			t.Errorf("%+v was accepted", files)
		}
	}
}

// TestBackoff: pauses grow to a bound and are not the same for everybody.
func TestBackoff(t *testing.T) {
	o := outage{}
	for i, most := range []time.Duration{100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000} {
		o.failures = i + 1
		most *= time.Millisecond
		if d := o.wait(); d > most || d < most*3/4 {
			t.Errorf("attempt %d waits %v, want up to %v", i+1, d, most)
		}
	}
	o.failures = 1 << 20
	if d := o.wait(); d > backoffMax || d <= 0 {
		t.Errorf("a million attempts later: %v", d)
	}
}
