package mesh

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// routez is what is looked at of /routez, in the spelling of nats-server.
type routez struct {
	ID     string `json:"server_id"`
	Routes []struct {
		RemoteID   string `json:"remote_id"`
		RemoteName string `json:"remote_name"`
		Pending    int64  `json:"pending_size"`
		Subs       []struct {
			Account string `json:"account"`
			Subject string `json:"subject"`
			Queue   string `json:"qgroup"`
		} `json:"subscriptions_list_detail"`
	} `json:"routes"`
}

func (c *cluster) routes(n *node) (z routez, err error) {
	resp, err := c.get(n, "/routez?subs=detail")
	if err != nil {
		return z, err
	}
	defer resp.Body.Close()
	return z, json.NewDecoder(resp.Body).Decode(&z)
}

// wanted is what clients on each node are subscribed to, by the name of the node.
func (c *cluster) wanted() map[string]map[wish]bool {
	want := map[string]map[wish]bool{}
	for _, n := range c.nodes {
		want[n.name] = map[wish]bool{}
	}
	for _, x := range c.clients {
		at := want[x.in.ConnectedServerName()]
		for _, w := range x.wants {
			if at != nil {
				at[w] = true
			}
		}
	}
	return want
}

// inexact says in what a node's idea of what the others want is wrong; "" if in
// nothing: each wish of each other node is there once, and no others are. Of the others
// those count for which counts is true.
func (c *cluster) inexact(n *node, want map[string]map[wish]bool, counts func(other string) bool) string {
	z, err := c.routes(n)
	if err != nil {
		return fmt.Sprintf("%v: %v", n, err)
	}
	for _, x := range c.clients {
		for _, nc := range []*nats.Conn{x.in, x.out} {
			if nc.ConnectedServerName() == n.name && nc.ConnectedServerId() != z.ID {
				return fmt.Sprintf("client %d has not noticed that %v is another process", x.id, n)
			}
		}
	}
	have := map[string]map[wish]bool{}
	for _, r := range z.Routes {
		at := have[r.RemoteName]
		if at == nil {
			at = map[wish]bool{}
			have[r.RemoteName] = at
		}
		for _, s := range r.Subs {
			w := wish{s.Subject, s.Queue}
			switch {
			case !strings.HasPrefix(s.Subject, "mesh."), !counts(r.RemoteName):
				continue
			case at[w]:
				return fmt.Sprintf("%v has %v of %s twice", n, w, r.RemoteName)
			case !want[r.RemoteName][w]:
				return fmt.Sprintf("%v has %v of %s, which is not wanted there", n, w, r.RemoteName)
			}
			at[w] = true
		}
	}
	for name, list := range want {
		if name == n.name || !counts(name) {
			continue
		}
		if have[name] == nil {
			return fmt.Sprintf("%v has no route to %s", n, name)
		}
		if len(have[name]) < len(list) {
			return fmt.Sprintf("%v has %d of %d subscriptions of %s", n, len(have[name]), len(list), name)
		}
	}
	return ""
}

// waitExact waits until all nodes know what is wanted on all others. The limit is for
// what a node of ours knows and what others know of it: how long two nats-servers take
// with each other is not ours to promise. Nor is how long it takes while somebody waits
// for a processor: that time does not count.
func (c *cluster) waitExact(limit time.Duration) {
	c.t.Helper()
	began, waited := time.Now(), starved()
	for {
		why := c.connected()
		late := why
		for _, n := range c.nodes {
			if late == "" {
				late = c.inexact(n, c.wanted(), func(other string) bool { return n.ours || c.isOurs(other) })
			}
			if why == "" {
				why = c.inexact(n, c.wanted(), func(string) bool { return true })
			}
		}
		if why == "" {
			return
		}
		if took := time.Since(began); took > brokertest.Patience {
			c.t.Fatalf("not exact within %v: %s", took, why)
		} else if took-(starved()-waited) > limit && late != "" && !c.late {
			c.late = true // and wait on, to say how long it takes
			c.t.Errorf("at %s not exact within %v: %s", time.Now().Format("15:04:05.000"), limit, late)
		}
		time.Sleep(20 * time.Millisecond) // between looks
	}
}

// starved is for how long, since the machine was started, somebody on it has waited for a processor; 0 if the kernel does not
// say. See "Pressure Stall Information" in the kernel's documentation.
func starved() time.Duration {
	text, err := os.ReadFile("/proc/pressure/cpu")
	if err != nil {
		return 0
	}
	_, total, _ := strings.Cut(string(text), "total=")
	digits, _, _ := strings.Cut(total, "\n")
	us, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

func (c *cluster) isOurs(name string) bool {
	return slices.ContainsFunc(c.nodes, func(n *node) bool { return n.name == name && n.ours })
}

// connected says which client has no server.
func (c *cluster) connected() string {
	for _, x := range c.clients {
		if x.in.ConnectedServerName() == "" || x.out.ConnectedServerName() == "" {
			return fmt.Sprintf("client %d is not connected", x.id)
		}
	}
	return ""
}
