package mesh

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// client is two connections to one node: one sends, the other receives.
type client struct {
	c       *cluster
	id      int
	out, in *nats.Conn
	wants   []wish // what in is subscribed to
	done    chan struct{}
	work    sync.WaitGroup
	closed  atomic.Bool
}

// wish is one subscription, as far as other servers know of it.
type wish struct{ subject, queue string }

// pace is how fast senders send.
type pace struct{ batch atomic.Int32 }

func newPace() *pace {
	p := &pace{}
	p.batch.Store(1)
	return p
}

// beat is the pause of a sender between batches.
const beat = 4 * time.Millisecond

// faster has clients send as much as they can without drowning this machine.
func (c *cluster) faster(on bool) {
	n := int32(1)
	if on {
		n = 10
	}
	c.rate.batch.Store(n)
}

// populate puts a client on every node, has all subscribe, waits until all servers
// know, and has them send.
func (c *cluster) populate() {
	c.t.Helper()
	// A nats-server may still read from a connection that its peer has given up, when
	// the next one is in use already; then messages come late.
	c.ledger = newLedger(len(c.nodes), func(from, to int) bool { return !c.nodes[from].ours && !c.nodes[to].ours })
	for i, n := range c.nodes {
		c.clients = append(c.clients, c.connect(i, nats.IgnoreDiscoveredServers(), n.url()))
	}
	c.begin()
}

// begin waits until all servers know of all clients, and has them send.
func (c *cluster) begin() {
	c.t.Helper()
	c.waitExact(healing)
	for _, x := range c.clients {
		x.work.Go(x.send) // ends with quit
	}
}

// fillers is how many further subjects each client is subscribed to, so that there is
// something to make good after a failure.
const fillers = 150

// connect makes a client, which reconnects for ever.
func (c *cluster) connect(id int, extra nats.Option, urls ...string) *client {
	c.t.Helper()
	x := &client{c: c, id: id, done: make(chan struct{})}
	dial := func(what string) *nats.Conn {
		o := nats.GetDefaultOptions()
		o.Servers, o.CustomDialer, o.Name = urls, c.net, fmt.Sprintf("%s %d", what, id)
		o.MaxReconnect, o.ReconnectWait, o.ReconnectJitter, o.ReconnectBufSize = -1, 20*time.Millisecond, 0, -1
		o.NoRandomize, o.Timeout = true, brokertest.Patience
		o.ClosedCB = func(*nats.Conn) { x.closed.Store(true) }
		if extra != nil {
			if err := extra(&o); err != nil {
				c.t.Fatal(err)
			}
		}
		nc, err := o.Connect()
		if err != nil {
			c.t.Fatalf("%s: %v", o.Name, err)
		}
		c.t.Cleanup(nc.Close)
		return nc
	}
	x.in, x.out = dial("receiver"), dial("sender")
	c.t.Cleanup(x.quit)
	x.subscribe("mesh.all.*", "", func(from, number int) { c.ledger.came(from, id, number) })
	x.subscribe("mesh.work.*", "workers", func(from, number int) { c.ledger.served(from, id, number) })
	for k := range fillers {
		queue := ""
		if k%3 == 0 {
			queue = fmt.Sprintf("q%d", k%7)
		}
		x.subscribe(fmt.Sprintf("mesh.fill.%d.%d", id%2, k), queue, nil)
	}
	if err := x.in.FlushTimeout(brokertest.Patience); err != nil {
		c.t.Fatal(err)
	}
	return x
}

// subscribe subscribes in, and has f called with sender and number of each message.
func (x *client) subscribe(subject, queue string, f func(from, number int)) {
	x.c.t.Helper()
	var s *nats.Subscription
	var err error
	if f == nil {
		s, err = x.in.QueueSubscribeSync(subject, queue)
	} else {
		s, err = x.in.QueueSubscribe(subject, queue, func(m *nats.Msg) {
			f(int(binary.LittleEndian.Uint32(m.Data)), int(binary.LittleEndian.Uint32(m.Data[4:])))
		})
	}
	if err == nil {
		err = s.SetPendingLimits(-1, -1)
	}
	if err != nil {
		x.c.t.Fatal(err)
	}
	x.wants = append(x.wants, wish{subject, queue})
}

// send sends numbered messages, to everybody and to the group, until quit.
func (x *client) send() {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	l := x.c.ledger
	all, work := fmt.Sprintf("mesh.all.%d", x.id), fmt.Sprintf("mesh.work.%d", x.id)
	for {
		select {
		case <-x.done:
			return
		case <-tick.C:
		}
		for range x.c.rate.batch.Load() {
			number := l.send(x.id)
			p := make([]byte, 8+number%200)
			binary.LittleEndian.PutUint32(p, uint32(x.id))
			binary.LittleEndian.PutUint32(p[4:], uint32(number))
			if x.out.Publish(all, p) != nil {
				l.unsend(x.id)
				break // not connected
			}
			if x.out.Publish(work, p) != nil {
				l.unshare(x.id, number)
			}
		}
	}
}

// quit ends the sender.
func (x *client) quit() {
	select {
	case <-x.done:
	default:
		close(x.done)
	}
	x.work.Wait()
}

// check fails the test for what a client must not notice.
func (x *client) check(t *testing.T) {
	t.Helper()
	if x.closed.Load() {
		t.Errorf("client %d was closed", x.id)
	}
	for _, nc := range []*nats.Conn{x.in, x.out} {
		if err := nc.LastError(); err != nil && !slices.Contains(harmless, err.Error()) {
			t.Logf("client %d: last error %v", x.id, err)
		}
	}
}

// harmless are errors that a lost connection leaves behind.
var harmless = []string{"EOF", "nats: no servers available for connection"}
