package leaf

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
)

// scriptedHub is a hub that a test plays.
type scriptedHub struct {
	t  *testing.T
	l  net.Listener
	nc net.Conn
	in *bufio.Reader
}

func newScriptedHub(t *testing.T) *scriptedHub {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &scriptedHub{t: t, l: l}
}

// accept takes the next connection and says something.
func (h *scriptedHub) accept(text string) {
	h.t.Helper()
	nc, err := h.l.Accept()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	h.nc, h.in = nc, bufio.NewReader(nc)
	h.say(text)
}

func (h *scriptedHub) say(text string) {
	h.t.Helper()
	if _, err := io.WriteString(h.nc, text); err != nil {
		h.t.Fatal(err)
	}
}

// hear reads lines up to one that begins so, and returns those before it.
func (h *scriptedHub) hear(begins string) (before []string) {
	h.t.Helper()
	for {
		line, err := h.in.ReadString('\n')
		if err != nil {
			h.t.Fatalf("%v instead of %s", err, begins)
		}
		if strings.HasPrefix(line, begins) {
			return before
		}
		before = append(before, strings.TrimSpace(line))
	}
}

func (h *scriptedHub) dialled(mode string) func(*Options) {
	return func(o *Options) {
		u, _ := url.Parse("nats://" + h.l.Addr().String())
		o.Remotes = []Remote{{URLs: []*url.URL{u}, Compression: Compression{Mode: mode}}}
		o.JetStream, o.Domain = true, "edge"
	}
}

const bareInfo = `{"server_id":"N","server_name":"hub","client_id":3,"nonce":"x","leafnode_urls":["127.0.0.1:1"],"headers":true`

// TestInfoAboutServers: an INFO that only says where other servers are changes nothing of what may cross, neither what the hub has
// given nor that the own domain of JetStream is heard. A hub that does not confirm lets in as well.
func TestInfoAboutServers(t *testing.T) {
	for _, confirms := range []bool{false, true} {
		t.Run(fmt.Sprintf("confirms %v", confirms), func(t *testing.T) {
			h := newScriptedHub(t)
			leaf := ours(t, "leaf", h.dialled("off"))
			if confirms {
				h.accept("INFO " + bareInfo + `,"info_on_connect":true,"compression":"off"}` + "\r\n")
				h.hear("CONNECT ")
				h.say(`INFO {"connect_info":true,"remote_account":"A","import":{"deny":["no.>"]}}` + "\r\n")
			} else {
				h.accept("INFO " + bareInfo + `,"compression":"off"}` + "\r\n")
				h.hear("CONNECT ")
			}
			h.hear("LS+ $LDS.")
			c := raw(t, leaf.client)
			say(t, c, "SUB $JS.edge.API.x 1\r\nPING\r\n")
			h.hear("LS+ $JS.edge.API.x")
			for i := range 2 {
				h.say("INFO " + bareInfo + "}\r\nPING\r\n")
				h.hear("PONG")
				say(t, c, fmt.Sprintf("SUB no.%d 2%d\r\nSUB yes.%d 3%d\r\nPING\r\n", i, i, i, i))
				for _, line := range h.hear(fmt.Sprintf("LS+ yes.%d", i)) {
					if strings.HasPrefix(line, "LS-") || confirms && strings.HasPrefix(line, "LS+ no.") {
						t.Errorf("the hub hears %s", line)
					}
				}
			}
		})
	}
}

// TestHubIsSilent: a hub that says nothing any more before it has let us in is given up.
func TestHubIsSilent(t *testing.T) {
	h := newScriptedHub(t)
	ours(t, "leaf", h.dialled("s2_fast"))
	h.accept("INFO " + bareInfo + `,"info_on_connect":true,"compression":"s2_fast"}` + "\r\n")
	h.hear("INFO ")
	if _, err := io.Copy(io.Discard, h.in); err != nil {
		t.Fatal("it is waited for: ", err)
	}
	h.accept("INFO ") // and dialled again
}

// TestLearntHostsAreEncrypted: what a remote presents to hosts of tls:// it does not present to others in plain.
func TestLearntHostsAreEncrypted(t *testing.T) {
	for scheme, want := range map[string]string{"tls": "tls", "nats": "nats-leaf"} {
		u, _ := url.Parse(scheme + "://u:p@hub:7422")
		d := &dialer{}
		d.learn(&Remote{URLs: []*url.URL{u}}, []string{"other:7422"})
		if len(d.urls) != 2 || d.urls[0].Scheme != want || d.urls[0].User == nil {
			t.Errorf("%s: %v", scheme, d.urls)
		}
	}
}

// TestPayloadIsBounded: a message that is too large ends the connection of a leaf node, also behind a small one on its subject.
func TestPayloadIsBounded(t *testing.T) {
	hub := ours(t, "hub", func(o *Options) { o.MaxPayload = 16 })
	say(t, raw(t, hub.client), "SUB a 1\r\nPING\r\n")
	nc, err := net.Dial("tcp", hub.leaf)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	small, large := "LMSG a 2\r\nhi\r\n", "LMSG a 20\r\n"+strings.Repeat("x", 20)+"\r\n"
	if _, err := io.WriteString(nc, `CONNECT {"version":"2.15.3","name":"x","headers":true}`+"\r\n"+small+small+large+small); err != nil {
		t.Fatal(err)
	}
	all, _ := io.ReadAll(nc)
	if !strings.Contains(string(all), "-ERR 'Maximum Payload Violation'") {
		t.Errorf("the leaf node hears %q", all)
	}
}

type rawClient struct {
	nc net.Conn
	in *bufio.Reader
}

func raw(t *testing.T, at string) *rawClient {
	t.Helper()
	nc, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	c := &rawClient{nc, bufio.NewReader(nc)}
	say(t, c, "CONNECT {\"verbose\":false,\"headers\":true}\r\nPING\r\n")
	return c
}

// say sends something that ends with a PING, and waits for the answer.
func say(t *testing.T, c *rawClient, text string) {
	t.Helper()
	if _, err := io.WriteString(c.nc, text); err != nil {
		t.Fatal(err)
	}
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "PONG\r\n" {
			return
		}
	}
}
