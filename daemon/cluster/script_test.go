package cluster

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// scripted is a peer that says what a test wants, and writes down what it is told.
type scripted struct {
	t    *testing.T
	nc   net.Conn
	in   *bufio.Reader
	out  io.Writer
	text *strings.Builder
}

// masked are the fields of INFO and CONNECT whose values differ from run to run.
var masked = []string{"server_id", "name", "go", "git_commit", "port", "connect_urls", "nonce", "version"}

const peerID = "NPEERPEERPEERPEERPEERPEERPEERPEERPEERPEERPEERPEERPEERPEER"

func newScripted(t *testing.T, nc net.Conn, text *strings.Builder) *scripted {
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(brokertest.Patience))
	return &scripted{t: t, nc: nc, in: bufio.NewReader(nc), out: nc, text: text}
}

// dialled is a scripted peer that dials a node.
func dialled(t *testing.T, n *node, text *strings.Builder) *scripted {
	t.Helper()
	return newScripted(t, must2(net.Dial("tcp", strings.TrimPrefix(n.route, "nats://")))(t), text)
}

// say sends lines.
func (p *scripted) say(lines ...string) {
	p.t.Helper()
	for _, l := range lines {
		fmt.Fprintf(p.text, "> %s\n", l)
		if _, err := io.WriteString(p.out, l+"\r\n"); err != nil {
			p.t.Fatalf("after\n%s%v", p.text, err)
		}
		if w, ok := p.out.(*s2.Writer); ok {
			_ = w.Flush()
		}
	}
}

// hear reads n lines and writes them down.
func (p *scripted) hear(n int) {
	p.t.Helper()
	for range n {
		l, err := p.in.ReadString('\n')
		if err != nil {
			p.t.Fatalf("after\n%s%v", p.text, err)
		}
		fmt.Fprintf(p.text, "< %s\n", mask(strings.TrimSpace(l)))
	}
}

// heard reads the rest, to the end of the connection.
func (p *scripted) heard() {
	p.t.Helper()
	rest, err := io.ReadAll(p.in)
	if err != nil {
		p.t.Fatalf("after\n%s%v", p.text, err)
	}
	for l := range strings.Lines(string(rest)) {
		fmt.Fprintf(p.text, "< %s\n", mask(strings.TrimSpace(l)))
	}
	fmt.Fprintln(p.text, "closed")
}

// sync wants an answer to PING, so that what went before has been dealt with; what
// comes until then is written down.
func (p *scripted) sync() {
	p.t.Helper()
	p.say("PING")
	for {
		l, err := p.in.ReadString('\n')
		if err != nil {
			p.t.Fatalf("after\n%s%v", p.text, err)
		}
		fmt.Fprintf(p.text, "< %s\n", mask(strings.TrimSpace(l)))
		if strings.HasPrefix(l, "PONG") {
			return
		}
	}
}

// pack makes both directions compressed.
func (p *scripted) pack() {
	fmt.Fprintln(p.text, "compressed from here on")
	if p.in.Buffered() > 0 {
		p.in = bufio.NewReader(s2.NewReader(io.MultiReader(io.LimitReader(p.in, int64(p.in.Buffered())), p.nc)))
	} else {
		p.in = bufio.NewReader(s2.NewReader(p.nc))
	}
	p.out = s2.NewWriter(p.nc, s2.WriterConcurrency(1))
}

// mask replaces what differs from run to run.
func mask(line string) string {
	verb, body, ok := strings.Cut(line, " {")
	if !ok {
		return line
	}
	fields := map[string]any{}
	if json.Unmarshal([]byte("{"+body), &fields) != nil {
		return line
	}
	for _, f := range masked {
		if v, ok := fields[f]; ok {
			fields[f] = fmt.Sprintf("a %T", v)
		}
	}
	b, _ := json.Marshal(fields)
	return verb + " " + string(b)
}

// golden compares a conversation with the one written down.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "handshake", strings.ReplaceAll(name, " ", "-")+".golden")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := string(must2(os.ReadFile(file))(t)); got != want {
		t.Errorf("%s:\n got\n%s\nwant\n%s", file, got, want)
	}
}

func connectLine(more string) string {
	return fmt.Sprintf(`CONNECT {"echo":true,"verbose":false,"pedantic":false,"tls_required":false,"headers":true,"name":%q,"cluster":"C"%s}`, peerID, more)
}

func infoLine(more string) string {
	return fmt.Sprintf(`INFO {"server_id":%q,"server_name":"peer","version":"2.15.3","proto":3,"host":"127.0.0.1","port":1,"headers":true,"max_payload":1048576,"cluster":"C","lnoc":true,"lnocu":true,"ln":true%s}`, peerID, more)
}

// conversation is what a scripted peer says and hears.
type conversation struct {
	change func(*Options)
	script func(p *scripted)
}

// whenDialled are the conversations with a peer that dials us.
func whenDialled() map[string]conversation {
	return map[string]conversation{
		"pooled": {nil, func(p *scripted) {
			p.hear(1)
			p.say(connectLine(""), infoLine(`,"route_pool_size":3,"route_pool_idx":2,"compression":"off"`))
			p.sync()
			p.say("RS+ $G there", "RS+ $G work q 2")
			p.sync()
		}},
		"account": {nil, func(p *scripted) {
			p.hear(1)
			p.say(connectLine(""), infoLine(`,"route_pool_size":3,"route_account":"$SYS","compression":"off"`))
			p.say("RS+ $SYS.there")
			p.sync()
		}},
		"strange account": {nil, func(p *scripted) {
			p.hear(1)
			p.say(connectLine(""), infoLine(`,"route_pool_size":3,"route_account":"ABC","compression":"off"`))
			p.heard()
		}},
		"no pool": {nil, func(p *scripted) {
			p.hear(1)
			p.say(connectLine(""), infoLine(""))
			p.sync()
		}},
		"our pool is off": {func(o *Options) { o.PoolSize = -1 }, func(p *scripted) {
			p.hear(1)
			p.say(connectLine(""), infoLine(`,"route_pool_size":3,"compression":"off"`))
			p.sync()
		}},
		"our pool is off an index": {func(o *Options) { o.PoolSize = -1 }, func(p *scripted) {
			p.hear(1)
			p.say(connectLine(""), infoLine(`,"route_pool_size":3,"route_pool_idx":2,"compression":"off"`))
			p.heard()
		}},
		"index too large": {nil, func(p *scripted) {
			p.hear(1)
			p.say(connectLine(""), infoLine(`,"route_pool_size":3,"route_pool_idx":3,"compression":"off"`))
			p.heard()
		}},
		"compressed": {func(o *Options) { o.Compression.Mode = "s2_better" }, func(p *scripted) {
			p.hear(1)
			p.say(connectLine(""), infoLine(`,"route_pool_size":3,"compression":"s2_fast"`))
			p.pack()
			p.hear(1)
			p.say(infoLine(`,"route_pool_size":3,"route_pool_idx":2,"compression":"s2_fast"`))
			p.sync()
		}},
		"compressed by nobody": {nil, func(p *scripted) {
			p.hear(1)
			p.say(connectLine(""), infoLine(`,"route_pool_size":3,"route_pool_idx":2,"compression":"accept"`))
			p.sync()
		}},
		"compressed strangely": {nil, func(p *scripted) {
			p.hear(1)
			p.say(connectLine(""), infoLine(`,"route_pool_size":3,"compression":"zstd"`))
			p.heard()
		}},
		"not compressed": {func(o *Options) { o.Compression.Mode = "s2_fast" }, func(p *scripted) {
			p.hear(1)
			p.say(connectLine(""), infoLine(`,"route_pool_size":3,"compression":"s2_fast"`))
			p.say(infoLine(`,"route_pool_size":3,"route_pool_idx":2,"compression":"s2_fast"`)) // in the clear
			p.pack()
			p.hear(1)
			_, err := io.ReadAll(p.in)
			fmt.Fprintf(p.text, "closed: %v\n", err != nil || p.in.Buffered() == 0)
		}},
		"permissions": {func(o *Options) { o.Import, o.Export = rules("", "_SECRET.>"), rules("open.>", "") }, func(p *scripted) {
			p.hear(1)
			p.say(connectLine(""), infoLine(`,"route_pool_size":3,"route_pool_idx":2,"compression":"off"`))
			p.sync()
		}},
		"advertised": {func(o *Options) { o.Advertise, o.NoAdvertise = "example.org:7777", true }, func(p *scripted) {
			p.hear(1)
		}},
		"no credentials": {func(o *Options) { o.User, o.Password = "u", "p" }, func(p *scripted) {
			p.hear(1)
			p.say(connectLine(""))
			p.heard()
		}},
		"other cluster": {nil, func(p *scripted) {
			p.hear(1)
			p.say(strings.Replace(connectLine(""), `"C"`, `"D"`, 1))
			p.heard()
		}},
		"client": {nil, func(p *scripted) {
			p.hear(1)
			p.say(connectLine(`,"lang":"go"`))
			p.heard()
		}},
		"moving an account": {nil, func(p *scripted) {
			p.hear(1)
			p.say(connectLine(""), infoLine(`,"route_pool_size":3,"route_pool_idx":2,"compression":"off"`), "RS+ $G there")
			p.sync()
			p.say(`INFO {"route_pool_size":3,"route_account":"$G","route_acc_add_reqid":"1"}`)
			p.sync()
		}},
	}
}

// TestHandshakeDialled plays them, and compares what is heard with what was heard before.
func TestHandshakeDialled(t *testing.T) {
	for name, c := range whenDialled() {
		t.Run(name, func(t *testing.T) {
			n := ours(t, "a", c.change)
			nc := n.client(t)
			must2(nc.QueueSubscribeSync("here", "group"))(t)
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			c.script(dialled(t, n, &text))
			golden(t, "dialled-"+name, text.String())
		})
	}
}

// TestHandshakeAsTheirs: a nats-server says in the same conversations what we say: as many
// INFOs with at least the fields that ours have, the same errors, and the end.
func TestHandshakeAsTheirs(t *testing.T) {
	for name, c := range whenDialled() {
		if c.change != nil {
			continue // its configuration would have to be translated
		}
		t.Run(name, func(t *testing.T) {
			var here, there strings.Builder
			c.script(dialled(t, ours(t, "a", nil), &here))
			c.script(dialled(t, theirs(t, "a", ""), &there))
			if a, b := outcome(here.String()), outcome(there.String()); a != b {
				t.Errorf("ours\n%s\n\nnats-server's\n%s\n\nin full\n%s", a, b, there.String())
			}
		})
	}
}

// outcome is what of a conversation does not depend on who is subscribed to what.
func outcome(text string) string {
	var b strings.Builder
	for l := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(l, "< INFO"):
			fields := map[string]any{}
			_ = json.Unmarshal([]byte(strings.TrimPrefix(l, "< INFO")), &fields)
			fmt.Fprintf(&b, "INFO compression=%v pool=%v idx=%v account=%v cluster=%v request=%v\n", fields["compression"],
				fields["route_pool_size"], fields["route_pool_idx"], fields["route_account"], fields["cluster"], fields["route_acc_add_reqid"])
		case strings.HasPrefix(l, "< -ERR"), strings.HasPrefix(l, "closed"):
			b.WriteString(l)
		}
	}
	return b.String()
}

// TestHandshakeDialling: the conversations with a peer that we dial.
func TestHandshakeDialling(t *testing.T) {
	for name, c := range map[string]conversation{
		"pooled": {nil, func(p *scripted) {
			p.hear(1)
			p.say(infoLine(`,"route_pool_size":3,"compression":"off"`))
			p.sync()
		}},
		"no pool": {nil, func(p *scripted) {
			p.hear(1)
			p.say(infoLine(""))
			p.sync()
		}},
		"compressed": {func(o *Options) { o.Compression.Mode = "s2_fast" }, func(p *scripted) {
			p.hear(1)
			p.say(infoLine(`,"route_pool_size":3,"compression":"accept"`))
			p.hear(1)
			p.pack()
			p.say(infoLine(`,"route_pool_size":3,"compression":"s2_fast"`))
			p.sync()
		}},
		"nothing to talk about": {func(o *Options) { o.PoolSize, o.Compression.Mode = -1, "off" }, func(p *scripted) {
			p.hear(2)
			p.say(infoLine(""))
			p.sync()
		}},
		"credentials": {func(o *Options) { o.User, o.Password = "u", "p" }, func(p *scripted) {
			p.hear(1)
			p.say("-ERR 'Authorization Violation'")
			p.heard()
		}},
		"index": {nil, func(p *scripted) {
			p.hear(1)
			p.say(infoLine(`,"route_pool_size":3,"route_pool_idx":1,"compression":"off"`))
			p.heard()
		}},
		"other cluster": {nil, func(p *scripted) {
			p.hear(1)
			p.say(strings.Replace(infoLine(""), `"C"`, `"D"`, 1))
			p.heard()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := must2(net.Listen("tcp", "127.0.0.1:0"))(t)
			defer l.Close()
			n := ours(t, "a", c.change, "nats://"+l.Addr().String())
			nc := n.client(t)
			must2(nc.SubscribeSync("here"))(t)
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			c.script(newScripted(t, must2(l.Accept())(t), &text))
			golden(t, "dialling-"+name, text.String())
		})
	}
}
