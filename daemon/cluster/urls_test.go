package cluster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// listener is a client that notes where it is told to connect.
type listener struct {
	t    *testing.T
	nc   net.Conn
	in   *bufio.Reader
	urls []string // last told
	told bool
}

func listen(t *testing.T, n *node) *listener {
	t.Helper()
	nc := must2(net.Dial("tcp", strings.TrimPrefix(n.url, "nats://")))(t)
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(brokertest.Patience))
	l := &listener{t: t, nc: nc, in: bufio.NewReader(nc)}
	fmt.Fprint(nc, "CONNECT {\"verbose\":false,\"protocol\":1}\r\n")
	l.sync()
	return l
}

// sync reads what was told so far.
func (l *listener) sync() {
	l.t.Helper()
	fmt.Fprint(l.nc, "PING\r\n")
	for {
		line, err := l.in.ReadString('\n')
		if err != nil {
			l.t.Fatal(err)
		}
		if text, ok := strings.CutPrefix(line, "INFO "); ok {
			var i struct {
				URLs []string `json:"connect_urls"`
			}
			if err := json.Unmarshal([]byte(text), &i); err != nil {
				l.t.Fatal(err)
			}
			l.urls, l.told = i.URLs, true
		}
		if strings.HasPrefix(line, "PONG") {
			return
		}
	}
}

// Where clients are told to connect, on both servers: nothing while the server is alone, then its own place first.
func TestWhereClientsAreTold(t *testing.T) {
	for name, begin := range map[string]func(t testing.TB, name string, routes ...string) *node{
		"nats-broker": func(t testing.TB, name string, routes ...string) *node { return ours(t, name, nil, routes...) },
		"nats-server": func(t testing.TB, name string, routes ...string) *node { return theirs(t, name, "", routes...) },
	} {
		t.Run(name, func(t *testing.T) {
			a := begin(t, "a")
			l := listen(t, a)
			if len(l.urls) > 0 {
				t.Errorf("alone, it tells %q", l.urls)
			}
			b := ours(t, "b", nil, a.route)
			want := []string{strings.TrimPrefix(a.url, "nats://"), strings.TrimPrefix(b.url, "nats://")}
			eventually(t, "both are told, the own place first", func() bool {
				l.sync()
				return slices.Equal(l.urls, want)
			})
		})
	}
}

// A peer that has places for WebSocket clients alone is told of too: its other places may be of no use elsewhere.
func TestWhereWebClientsAreTold(t *testing.T) {
	b := ours(t, "b", func(o *Options) { o.WebURLs = []string{"b:2"} })
	b.hub.SetClientURLs(nil)
	a := ours(t, "a", func(o *Options) { o.WebURLs = []string{"a:1"} }, b.route)
	eventually(t, "both are told, the own place first", func() bool { return slices.Equal(a.b.WebURLs(), []string{"a:1", "b:2"}) })
}

// A member that stops does not have its clients forget the others.
func TestStoppingKeepsOthersKnown(t *testing.T) {
	a := ours(t, "a", nil)
	b := ours(t, "b", nil, a.route)
	l := listen(t, a)
	eventually(t, "both are told", func() bool {
		l.sync()
		return len(l.urls) == 2
	})
	l.told = false
	a.hub.Stop() // as the process does, before its clients go
	l.sync()
	if l.told {
		t.Errorf("told %q while stopping", l.urls)
	}
	_ = b
}

// A server that is not to be advertised tells its clients nothing, and a peer does not tell of it: as nats-server's.
func TestNotAdvertised(t *testing.T) {
	for name, begin := range map[string]func() (hidden, other *node){
		"nats-broker": func() (*node, *node) {
			a := ours(t, "a", func(o *Options) { o.NoAdvertise = true })
			return a, ours(t, "b", nil, a.route)
		},
		"nats-server": func() (*node, *node) {
			a := theirs(t, "a", "no_advertise: true")
			return a, theirs(t, "b", "", a.route)
		},
		"both": func() (*node, *node) {
			a := theirs(t, "a", "no_advertise: true")
			return a, ours(t, "b", nil, a.route)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := begin()
			meshed(t, a, b)
			for _, n := range []*node{a, b} {
				if l := listen(t, n); len(l.urls) > 0 {
					t.Errorf("%s tells %q", n.url, l.urls)
				}
			}
		})
	}
}
