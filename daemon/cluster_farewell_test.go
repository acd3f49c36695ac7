package daemon_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// A told is what a client was told of where servers are, in the order of the INFOs.
type told struct {
	nc  net.Conn
	in  *bufio.Reader
	all [][]string
}

func tell(t *testing.T, s *brokertest.Server) *told {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(brokertest.Patience))
	c := &told{nc: nc, in: bufio.NewReader(nc)}
	if _, err := fmt.Fprint(nc, "CONNECT {\"verbose\":false,\"protocol\":1,\"user\":\"one\",\"pass\":\"p\"}\r\n"); err != nil {
		t.Fatal(err)
	}
	if !c.sync() {
		t.Fatal("the connection ended")
	}
	return c
}

// sync reads what was told up to now; false: the connection has ended.
func (c *told) sync() bool {
	_, _ = fmt.Fprint(c.nc, "PING\r\n") // where that fails, so does reading
	return c.until("PONG")
}

// until reads to a line that begins with something, or to the end of the connection.
func (c *told) until(what string) bool {
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return false
		}
		if text, ok := strings.CutPrefix(line, "INFO "); ok {
			var i struct {
				URLs []string `json:"connect_urls"`
			}
			if json.Unmarshal([]byte(text), &i) == nil {
				c.all = append(c.all, i.URLs)
			}
		}
		if what != "" && strings.HasPrefix(line, what) {
			return true
		}
	}
}

// awaitBoth waits until a server tells new clients of both.
func awaitBoth(t *testing.T, s *brokertest.Server) {
	t.Helper()
	for end := time.Now().Add(brokertest.Patience); ; time.Sleep(20 * time.Millisecond) { // what is waited for has no signal
		c := tell(t, s)
		c.nc.Close()
		if len(c.all[len(c.all)-1]) == 2 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("told %q", c.all)
		}
	}
}

// However a member of a cluster ends or hands over, its clients are never told of its own address alone: they would forget where
// they can go.
func TestEndsKeepOthersKnown(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, a *brokertest.Server, socket string, c *told){
		"stop": func(_ *testing.T, a *brokertest.Server, _ string, c *told) {
			a.Signal(syscall.SIGTERM)
			c.until("")
		},
		"lame duck": func(t *testing.T, a *brokertest.Server, _ string, c *told) {
			a.Signal(syscall.SIGUSR2)
			if !c.until("INFO") {
				t.Error("nothing is told")
			}
			c.until("")
		},
		"upgrade": func(t *testing.T, a *brokertest.Server, socket string, c *told) {
			if code, out := verb(t, socket, "upgrade"); code != 0 {
				t.Fatalf("upgrade exits %d: %s", code, out)
			}
			awaitBoth(t, a)
			if !c.sync() {
				t.Error("the connection ended")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := join(t, "", "b", "")
			socket := t.TempDir() + "/control.sock"
			a := &clusterMember{name: "a", route: brokertest.FreePort(t), http: brokertest.FreePort(t), seeds: []*clusterMember{b}}
			a.Server = brokertest.Start(t, brokertest.Options{Config: a.config("") +
				"lame_duck_duration: 30s\nlame_duck_grace_period: 10ms\ncontrol_socket: \"" + socket + "\"\nconfig_watch: off\n"})
			t.Cleanup(func() { verb(t, socket, "stop") })
			awaitBoth(t, a.Server)
			c := tell(t, a.Server)
			end(t, a.Server, socket, c)
			for i, urls := range c.all {
				if slices.Equal(urls, []string{a.Addr()}) {
					t.Errorf("INFO %d of %q is of the own address alone", i, c.all)
				}
			}
		})
	}
}
