package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// cluster is servers that are connected to each other, each to the first and to
// those it is told of.
type cluster struct {
	nodes []*server
	first int // route port of the first
	block string
	made  []string // configuration files
}

// startCluster starts n servers of a kind; block goes into the cluster block of all.
func startCluster(binary string, n int, block string) (*cluster, error) {
	c := &cluster{block: block}
	for range n {
		if _, err := c.add(binary); err != nil {
			c.stop()
			return nil, err
		}
	}
	return c, nil
}

// add starts one more server and returns the time from exec to its first PONG.
func (c *cluster) add(binary string, more ...string) (time.Duration, error) {
	port, err := freePort()
	if err != nil {
		return 0, err
	}
	routes := ""
	if c.first == 0 {
		c.first = port
	} else {
		routes = fmt.Sprintf("nats://127.0.0.1:%d", c.first)
	}
	f, err := os.CreateTemp("", "nats-broker-bench-*.conf")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	c.made = append(c.made, f.Name())
	if _, err := fmt.Fprintf(f, "server_name: n%d\ncluster { name: bench, listen: \"127.0.0.1:%d\", routes: [%s], no_advertise: true, %s }\n",
		len(c.nodes), port, routes, c.block); err != nil {
		return 0, err
	}
	s, took, err := startServer(binary, append([]string{"-c", f.Name()}, more...)...)
	if err == nil {
		c.nodes = append(c.nodes, s)
	}
	return took, err
}

func (c *cluster) stop() {
	for _, s := range c.nodes {
		s.stop()
	}
	for _, name := range c.made {
		_ = os.Remove(name)
	}
}

// run is one in which all nodes are looked at.
func (c *cluster) run(r *run) *run {
	return &run{srv: c.nodes[0], others: c.nodes[1:], binary: r.binary, load: r.load, pace: r.pace, scale: r.scale}
}

// acrossNodes makes the run of a pattern with the publishers on the first node and the
// subscribers on the others. Processor time and memory are those of all nodes.
func acrossNodes(nodes int, block string, perSecond float64, spec func(scale int) flowSpec) func(*run) (result, error) {
	return func(r *run) (result, error) {
		c, err := startCluster(r.binary, nodes, block)
		if err != nil {
			return nil, err
		}
		defer c.stop()
		s := spec(r.scale)
		s.far = c.nodes[1:]
		f, err := newFlow(c.nodes[0], s)
		if err != nil {
			return nil, err
		}
		for _, far := range s.far {
			if err = known(c.nodes[0], far); err != nil {
				f.close()
				return nil, err
			}
		}
		res, err := measure(c.run(r), f, perSecond)
		if err != nil {
			f.close()
			return nil, err
		}
		return res, f.finish()
	}
}

// known returns when one server knows of all subscriptions that were made on another
// before: when a message crosses to a subscription made now.
func known(from, to *server) error {
	ear, err := to.connect()
	if err != nil {
		return err
	}
	defer ear.Close()
	mouth, err := from.connect()
	if err != nil {
		return err
	}
	defer mouth.Close()
	subject := fmt.Sprintf("bench.known.%d", to.port)
	if err := sayAndWait(ear, sub(subject, "", "1")); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if err := sayAndWait(mouth, []byte("PUB "+subject+" 0\r\n\r\n")); err != nil {
			return err
		}
		if err := ear.SetReadDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
			return err
		}
		if n, _ := ear.Read(buf); strings.Contains(string(buf[:n]), "MSG ") {
			return nil
		}
	}
	return fmt.Errorf("no message crosses from one node to the other within %s", patience)
}

// newPeer measures how long a server that joins takes until it knows n subscriptions
// of the one that is there: from the route to the last of them, as the joining server
// counts them. A unit is a subscription.
func newPeer(n int) func(*run) (result, error) {
	return func(r *run) (result, error) {
		n := n / r.scale
		c, err := startCluster(r.binary, 1, "")
		if err != nil {
			return nil, err
		}
		defer c.stop()
		conn, err := c.nodes[0].connect()
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		var subs []byte
		for i := range n {
			subs = append(subs, sub("bench.peer."+strconv.Itoa(i%100)+"."+strconv.Itoa(i), "", strconv.Itoa(i))...)
			if len(subs) > writeSize || i == n-1 {
				if err := sayAndWait(conn, subs); err != nil {
					return nil, err
				}
				subs = subs[:0]
			}
		}
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		before, err := c.nodes[0].cpu()
		if err != nil {
			return nil, err
		}
		began := time.Now()
		started, err := c.add(r.binary, "-m", strconv.Itoa(port))
		if err != nil {
			return nil, err
		}
		if err := counted(port, n); err != nil {
			return nil, err
		}
		took := time.Since(began) - started
		return c.joined(before, n, took)
	}
}

// joined is the result of newPeer.
func (c *cluster) joined(before int64, n int, took time.Duration) (result, error) {
	there, err := c.nodes[0].cpu()
	if err != nil {
		return nil, err
	}
	here, err := c.nodes[1].cpu()
	if err != nil {
		return nil, err
	}
	peak, err := c.nodes[1].memory("VmHWM")
	if err != nil {
		return nil, err
	}
	return result{cpu: float64(there-before+here) / float64(n), wall: float64(took), rss: float64(peak)}, nil
}

// counted returns when a server's routes have n subscriptions.
func counted(port, n int) error {
	var z struct {
		Routes []struct {
			Subscriptions int `json:"subscriptions"`
		} `json:"routes"`
	}
	url := "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + "/routez"
	have := 0
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		resp, err := http.Get(url)
		if err != nil {
			return err
		}
		err = json.NewDecoder(resp.Body).Decode(&z)
		resp.Body.Close()
		if err != nil {
			return err
		}
		have = 0
		for _, route := range z.Routes {
			have += route.Subscriptions
		}
		if have >= n {
			return nil
		}
	}
	return fmt.Errorf("%d of %d subscriptions within %s", have, n, patience)
}
