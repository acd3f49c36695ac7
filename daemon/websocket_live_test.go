package daemon_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/internal/certtest"
)

// webConn is a connection that /connz shows.
type webConn struct{ Type, IP, Name string }

func webConns(t *testing.T, monitor int) []webConn {
	t.Helper()
	var z struct{ Connections []webConn }
	getJSON(t, fmt.Sprintf("http://127.0.0.1:%d/connz", monitor), &z)
	return z.Connections
}

func getJSON(t *testing.T, url string, into any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// exchange sends a large message and a small one to itself and wants them back.
func exchange(t *testing.T, nc *nats.Conn) {
	t.Helper()
	sub, err := nc.SubscribeSync("web.>")
	if err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("0123456789", 50_000)
	for _, text := range []string{"small", large} {
		if err := nc.Publish("web.x", []byte(text)); err != nil {
			t.Fatal(err)
		}
		m, err := sub.NextMsg(brokertest.Patience)
		if err != nil || string(m.Data) != text {
			t.Fatalf("%d bytes, %v", len(m.Data), err)
		}
	}
}

// TestWebSocketClients: nats.go connects by WebSocket with each of its options, to TLS too; what shows of that.
func TestWebSocketClients(t *testing.T) {
	made := certtest.SelfSigned(t, "localhost")
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("tls ", secure), func(t *testing.T) {
			port, monitor, dir := brokertest.FreePort(t), brokertest.FreePort(t), t.TempDir()
			scheme, encryption := "ws", "no_tls: true"
			if secure {
				scheme, encryption = "wss", fmt.Sprintf("tls { cert_file: %q, key_file: %q }", made.CertFile, made.KeyFile)
			}
			s := brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf(
				`http: "127.0.0.1:%d", ports_file_dir: %q, websocket { listen: "127.0.0.1:%d", %s, compression: true, ping_interval: "1m" }`, monitor, dir, port, encryption)})
			url := fmt.Sprintf("%s://127.0.0.1:%d", scheme, port)
			s.WaitLog("Listening for websocket clients on " + url)
			trust := nats.Name("web")
			if secure {
				trust = nats.Secure(&tls.Config{InsecureSkipVerify: true})
			}
			for _, opts := range [][]nats.Option{nil, {nats.Compression(true)}, {nats.ProxyPath("any/path")}} {
				nc, err := nats.Connect(url, append(opts, trust, nats.Name("web"))...)
				if err != nil {
					t.Fatal(err)
				}
				exchange(t, nc)
				if conns := webConns(t, monitor); len(conns) != 1 || conns[0].Type != "websocket" || conns[0].IP != "127.0.0.1" || conns[0].Name != "web" {
					t.Errorf("shown as %+v", conns)
				}
				nc.Close()
			}
			var v struct {
				WebSocket struct {
					Host        string
					Port        int
					NoTLS       bool `json:"no_tls"`
					Compression bool
				} `json:"websocket"`
			}
			getJSON(t, fmt.Sprintf("http://127.0.0.1:%d/varz", monitor), &v)
			if w := v.WebSocket; w.Host != "127.0.0.1" || w.Port != port || w.NoTLS == secure || !w.Compression {
				t.Errorf("/varz shows %+v", w)
			}
			files, _ := filepath.Glob(filepath.Join(dir, "*.ports"))
			if len(files) != 1 {
				t.Fatalf("ports files: %v", files)
			}
			text, err := os.ReadFile(files[0])
			if err != nil || !strings.Contains(string(text), fmt.Sprintf(`"websocket":[%q]`, url)) {
				t.Errorf("the ports file says %s %v", text, err)
			}
		})
	}
}

// askWeb asks for WebSocket with a further header, says CONNECT, and gives everything that came until PONG or the end.
func askWeb(t *testing.T, network, addr, header, connect string) string {
	t.Helper()
	nc, err := net.DialTimeout(network, addr, brokertest.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(brokertest.Patience))
	_, err = fmt.Fprintf(nc, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nNats-No-Masking: true\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n", header)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(nc)
	text := ""
	for !strings.HasSuffix(text, "\r\n\r\n") {
		line, err := r.ReadString('\n')
		if err != nil {
			return text
		}
		text += line
	}
	frame := "CONNECT " + connect + "\r\nPING\r\n"
	if _, err := nc.Write(append([]byte{0x82, byte(len(frame))}, frame...)); err != nil {
		t.Fatal(err)
	}
	for !strings.HasSuffix(text, "PONG\r\n") {
		b, err := r.ReadByte()
		if err == io.EOF {
			return text
		}
		if err != nil {
			t.Fatalf("%v, after %q", err, text)
		}
		text += string(b)
	}
	return text
}

// TestWebSocketAuthorization: users of WebSocket alone, cookies, types of connections, and all of it changed by a reload.
func TestWebSocketAuthorization(t *testing.T) {
	port := brokertest.FreePort(t)
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	config := func(rest, web string) string {
		return fmt.Sprintf(`%s, websocket { listen: %q, no_tls: true, %s }`, rest, addr, web)
	}
	const in, out = "PONG", "Authorization Violation"
	type ask struct{ header, connect, want string }
	var s *brokertest.Server
	for i, c := range []struct {
		rest, web string
		asks      []ask
	}{
		{"max_payload: 1000", "", []ask{{"", "{}", in}, {"", `{"user":"a"}`, in}}},
		{"max_payload: 1000", `authorization { user: web, password: pw }, headers { "X-A": b }`, []ask{
			{"", "{}", out}, {"", `{"user":"web","pass":"pw"}`, in}, {"", `{"user":"web","pass":"no"}`, out}, {"", `{"user":"web","pass":"pw"}`, "X-A: b"}}},
		{"authorization { token: t }", `token_cookie: tok`, []ask{
			{"", "{}", out}, {"", `{"auth_token":"t"}`, in}, {"Cookie: tok=t\r\n", "{}", in}, {"Cookie: other=t\r\n", "{}", out}}},
		{"authorization { token: t }", `authorization { token: other }`, []ask{{"", `{"auth_token":"t"}`, out}, {"", `{"auth_token":"other"}`, in}}},
		{"authorization { users: [ { user: a, password: pw }, { user: guest, password: g }, { user: tcp, password: pw, allowed_connection_types: [STANDARD] }, " +
			"{ user: web, password: pw, allowed_connection_types: [WEBSOCKET] } ] }", `user_cookie: u, pass_cookie: p, no_auth_user: guest`, []ask{
			{"", "{}", in}, {"", `{"user":"a","pass":"no"}`, out}, {"Cookie: u=a; p=pw\r\n", "{}", in}, {"Cookie: u=a; p=no\r\n", "{}", out},
			{"Cookie: u=a; p=no\r\n", `{"user":"a","pass":"pw"}`, in}, {"", `{"user":"tcp","pass":"pw"}`, out}, {"", `{"user":"web","pass":"pw"}`, in}}},
	} {
		text := config(c.rest, c.web)
		if i == 0 {
			s = brokertest.Start(t, brokertest.Options{Config: text})
		} else {
			from := s.LogLen()
			s.SetConfig(text)
			s.Signal(syscall.SIGHUP)
			s.WaitLogFrom("Reloaded server configuration", from)
		}
		for _, a := range c.asks {
			if got := askWeb(t, "tcp", addr, a.header, a.connect); !strings.Contains(got, a.want) {
				t.Errorf("%s: %q %s: %q, want %s", text, a.header, a.connect, got, a.want)
			}
		}
	}
}

// TestWebSocketProxies: who is believed in X-Forwarded-For, by TCP and by a unix socket.
func TestWebSocketProxies(t *testing.T) {
	port, monitor := brokertest.FreePort(t), brokertest.FreePort(t)
	addr, socket := fmt.Sprintf("127.0.0.1:%d", port), filepath.Join(t.TempDir(), "ws.sock")
	s := brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf(
		`http: "127.0.0.1:%d", websocket { listen: %q, no_tls: true, socket: %q, trusted_proxies: ["127.0.0.0/8", "10.0.0.0/8"] }`, monitor, addr, socket)})
	for i, c := range []struct{ network, addr, header, ip string }{
		{"tcp", addr, "", "127.0.0.1"},
		{"tcp", addr, "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"},
		{"tcp", addr, "X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.1.2.3\r\n", "192.0.2.7"},
		{"tcp", addr, "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 2001:db8::1\r\n", "2001:db8::1"},
		{"tcp", addr, "X-Forwarded-For: 6.6.6.6, unknown\r\n", "127.0.0.1"},
		{"unix", socket, "X-Forwarded-For: 6.6.6.6\r\n", ""}, // not trusted
	} {
		name := fmt.Sprint("n", i)
		got := askWeb(t, c.network, c.addr, c.header, `{"name":"`+name+`"}`)
		if c.ip != "" && !strings.Contains(got, `"client_ip":"`+c.ip+`"`) {
			t.Errorf("%q: told %q", c.header, got)
		}
		if ip := closedIP(t, monitor, name); ip != c.ip {
			t.Errorf("%q: shown as %q, want %q", c.header, ip, c.ip)
		}
	}
	// Everything is let go by a reload, and the socket with it.
	from := s.LogLen()
	s.SetConfig(fmt.Sprintf(`http: "127.0.0.1:%d"`, monitor))
	s.Signal(syscall.SIGHUP)
	s.WaitLogFrom("Reloaded server configuration", from)
	if nc, err := net.Dial("tcp", addr); err == nil {
		nc.Close()
		t.Error("the port is still open")
	}
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// closedIP is the address that /connz shows of a connection that has ended.
func closedIP(t *testing.T, monitor int, name string) string {
	t.Helper()
	for end := time.Now().Add(brokertest.Patience); time.Now().Before(end); time.Sleep(time.Millisecond) { // it ends soon
		var z struct {
			Connections []struct{ IP, Name string }
		}
		getJSON(t, fmt.Sprintf("http://127.0.0.1:%d/connz?state=closed&limit=1000", monitor), &z)
		for _, c := range z.Connections {
			if c.Name == name {
				return c.IP
			}
		}
	}
	t.Fatalf("%s has not ended", name)
	return ""
}

// TestWebSocketPortMoves: a reload opens the new port before it closes the old one; who is connected stays.
func TestWebSocketPortMoves(t *testing.T) {
	old, next := brokertest.FreePort(t), brokertest.FreePort(t)
	config := func(port int) string {
		return fmt.Sprintf(`websocket { listen: "127.0.0.1:%d", no_tls: true }`, port)
	}
	s := brokertest.Start(t, brokertest.Options{Config: config(old)})
	stays, err := nats.Connect(fmt.Sprintf("ws://127.0.0.1:%d", old), nats.NoReconnect())
	if err != nil {
		t.Fatal(err)
	}
	defer stays.Close()
	from := s.LogLen()
	s.SetConfig(config(next))
	s.Signal(syscall.SIGHUP)
	s.WaitLogFrom("Reloaded server configuration", from)
	nc, err := nats.Connect(fmt.Sprintf("ws://127.0.0.1:%d", next))
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if err := stays.FlushTimeout(brokertest.Patience); err != nil {
		t.Error(err)
	}
	if nc, err := nats.Connect(fmt.Sprintf("ws://127.0.0.1:%d", old)); err == nil {
		nc.Close()
		t.Error("the old port is still open")
	}
	if lines := s.Logs()[from:]; !strings.Contains(lines, "No longer listening for websocket clients") {
		t.Error(lines)
	}
}

// TestUpgradeKeepsWebSocketConnections: WebSocket clients, compressed or not, in plain or with TLS 1.3, notice nothing of
// one process after the other: no message is lost, doubled or out of order. What is shown of them stays.
func TestUpgradeKeepsWebSocketConnections(t *testing.T) {
	made := certtest.SelfSigned(t, "localhost")
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("tls ", secure), func(t *testing.T) {
			port, monitor := brokertest.FreePort(t), brokertest.FreePort(t)
			scheme, encryption := "ws", "no_tls: true"
			if secure {
				scheme, encryption = "wss", fmt.Sprintf("tls { cert_file: %q, key_file: %q }", made.CertFile, made.KeyFile)
			}
			_, socket := controlled(t, fmt.Sprintf("http: \"127.0.0.1:%d\"\nwebsocket { listen: \"127.0.0.1:%d\", %s, compression: true, trusted_proxies: [\"127.0.0.1\"] }\n",
				monitor, port, encryption))
			t.Cleanup(func() { verb(t, socket, "stop") })
			url := fmt.Sprintf("%s://127.0.0.1:%d", scheme, port)
			var opts []nats.Option
			if secure {
				opts = append(opts, nats.Secure(&tls.Config{InsecureSkipVerify: true}))
			}
			if !secure {
				opts = append(opts, nats.WebSocketConnectionHeaders(http.Header{"X-Forwarded-For": []string{"192.0.2.7"}}))
			}
			var all []*counting
			for i := range 4 {
				all = append(all, startCounting(t, url, fmt.Sprintf("count.%d", i), append(opts, nats.Name(fmt.Sprint("c", i)), nats.Compression(i%2 == 1))...))
			}
			before := connz(t, monitor)
			for range 3 {
				if code, out := verb(t, socket, "upgrade"); code != 0 || !strings.Contains(out, "connections kept: 8") {
					t.Fatalf("upgrade exits %d: %s", code, out)
				}
			}
			for name, now := range connz(t, monitor) {
				for _, key := range []string{"cid", "type", "ip", "tls_version", "start"} {
					if fmt.Sprint(now[key]) != fmt.Sprint(before[name][key]) {
						t.Errorf("%s of %s was %v and is %v", key, name, before[name][key], now[key])
					}
				}
				if now["type"] != "websocket" {
					t.Errorf("%s is shown as %v", name, now["type"])
				}
			}
			for _, c := range all {
				c.finish()
			}
		})
	}
}
