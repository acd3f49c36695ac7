package differential

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// webRequest is a request that asks for WebSocket, but for what a case changes: lines of headers by their names; an
// empty value takes one away.
func webRequest(method, path string, change ...string) string {
	lines := [][2]string{{"Host", "example.org"}, {"Upgrade", "websocket"}, {"Connection", "Upgrade"},
		{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}, {"Sec-WebSocket-Version", "13"}}
	for _, c := range change {
		name, value, _ := strings.Cut(c, ": ")
		found := false
		for i := range lines {
			if lines[i][0] == name {
				lines[i][1], found = value, true
			}
		}
		if !found {
			lines = append(lines, [2]string{name, value})
		}
	}
	text := method + " " + path + " HTTP/1.1\r\n"
	for _, l := range lines {
		if l[1] != "" {
			text += l[0] + ": " + l[1] + "\r\n"
		}
	}
	return text + "\r\n"
}

// handshakeError is what the log says of a request that is not met, behind the address.
var handshakeError = regexp.MustCompile(`websocket handshake error: .*`)

// answerTo sends a request and describes the answer: the status, the headers that matter, the body; and what the log
// says.
func answerTo(t *testing.T, s *brokertest.Server, port int, request string) string {
	t.Helper()
	from := s.LogLen()
	nc, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), brokertest.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(brokertest.Patience))
	if _, err := io.WriteString(nc, request); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(nc)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	text := resp.Status
	for _, name := range []string{"Upgrade", "Connection", "Sec-Websocket-Accept", "Sec-Websocket-Extensions", "Nats-No-Masking", "Sec-Websocket-Version", "X-Test", "Content-Type"} {
		if name == "Connection" && resp.StatusCode != 101 {
			continue // nats-server waits for another request
		}
		if v := resp.Header[name]; v != nil {
			text += fmt.Sprintf(" %s=%q", name, v)
		}
	}
	if resp.StatusCode != 101 {
		body, _ := io.ReadAll(resp.Body)
		s.WaitLogFrom("\n", s.WaitLogFrom("websocket handshake error: ", from))
		return text + " " + strings.TrimSpace(string(body)) + " " + handshakeError.FindString(s.Logs()[from:])
	}
	return text
}

// TestWebSocketRequests: both servers answer the same requests alike, and say the same of them in the log.
func TestWebSocketRequests(t *testing.T) {
	const config = `websocket { listen: "127.0.0.1:%d", no_tls: true, compression: %v, headers: { "X-Test": "yes" } %s }`
	start := func(binary, more string, compression bool) (*brokertest.Server, int) {
		port := brokertest.FreePort(t)
		return brokertest.Start(t, brokertest.Options{Binary: binary, Config: fmt.Sprintf(config, port, compression, more)}), port
	}
	const list = `, allowed_origins: ["https://www.example.org", "http://other.example:8080"]`
	for _, c := range []struct {
		name, more  string
		compression bool
		requests    []string
	}{
		{"any", "", false, []string{
			webRequest("GET", "/"), webRequest("GET", "/any/path?x=1"), webRequest("POST", "/"), webRequest("GET", "/mqtt"), webRequest("GET", "/a/mqtt"), webRequest("GET", "/leafnode"),
			webRequest("GET", "/", "Upgrade: h2c, WebSocket"), webRequest("GET", "/", "Upgrade: h2c"), webRequest("GET", "/", "Upgrade: "),
			webRequest("GET", "/", "Connection: keep-alive, upgrade"), webRequest("GET", "/", "Connection: keep-alive"), webRequest("GET", "/", "Connection: "),
			webRequest("GET", "/", "Sec-WebSocket-Key: "), webRequest("GET", "/", "Sec-WebSocket-Key: short"), webRequest("GET", "/", "Sec-WebSocket-Key: c2hvcnQ="),
			webRequest("GET", "/", "Sec-WebSocket-Version: 8"), webRequest("GET", "/", "Sec-WebSocket-Version: "), webRequest("GET", "/", "Sec-WebSocket-Version: 8, 13"),
			webRequest("GET", "/", "Origin: https://evil.example"), webRequest("GET", "/", "Nats-No-Masking: true"), webRequest("GET", "/", "Nats-No-Masking: yes"),
			webRequest("GET", "/", "Sec-WebSocket-Extensions: permessage-deflate"), webRequest("GET", "/", "Sec-WebSocket-Protocol: nats"),
		}},
		{"same origin", ", same_origin: true", false, []string{
			webRequest("GET", "/"), webRequest("GET", "/", "Origin: http://example.org"), webRequest("GET", "/", "Origin: http://EXAMPLE.org:80"),
			webRequest("GET", "/", "Origin: https://example.org"), webRequest("GET", "/", "Origin: http://example.org:81"), webRequest("GET", "/", "Origin: http://www.example.org"),
			webRequest("GET", "/", "Origin: null"), webRequest("GET", "/", "Sec-WebSocket-Origin: http://www.example.org"),
			webRequest("GET", "/", "Host: example.org:8080", "Origin: http://example.org:8080"),
		}},
		{"listed", list, false, []string{
			webRequest("GET", "/"), webRequest("GET", "/", "Origin: https://www.example.org"), webRequest("GET", "/", "Origin: https://www.example.org:443"),
			webRequest("GET", "/", "Origin: http://www.example.org"), webRequest("GET", "/", "Origin: http://other.example:8080"), webRequest("GET", "/", "Origin: http://other.example"),
			webRequest("GET", "/", "Origin: :"), webRequest("GET", "/", "Origin: http://a:b:c"),
		}},
		{"compressed", "", true, []string{
			webRequest("GET", "/"),
			webRequest("GET", "/", "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
			webRequest("GET", "/", "Sec-WebSocket-Extensions: x-other, permessage-deflate; server_no_context_takeover"),
			webRequest("GET", "/", "Sec-WebSocket-Extensions: x-other"),
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			theirs, there := start(brokertest.NATSServer(t), c.more, c.compression)
			ours, here := start("", c.more, c.compression)
			for _, request := range c.requests {
				want, got := answerTo(t, theirs, there, request), answerTo(t, ours, here, request)
				if want != got {
					t.Errorf("%s\nnats-server: %s\nnats-broker: %s", request, want, got)
				}
			}
		})
	}
}
