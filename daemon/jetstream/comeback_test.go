package jetstream

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/consumer"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// guest is an account that comes and goes while the server runs.
type guest struct {
	n   *node
	acc *broker.Account
	got chan string
}

// come has the account be there, with JetStream.
func (g *guest) come() {
	g.n.t.Helper()
	g.acc = g.n.server.broker.AddAccount("A")
	o := *g.n.server.options()
	o.Accounts = map[string]api.AccountLimits{"$G": NoLimits(), "A": NoLimits()}
	if err := g.n.server.Configure(o); err != nil {
		g.n.t.Fatal(err)
	}
	g.got = make(chan string, 100)
	ok(g.acc.SubscribeInternal("inbox", "", func(m *broker.Message) { g.got <- string(m.Reply) + " " + string(m.Payload) }))
}

// gone has it not be there.
func (g *guest) gone() {
	g.n.t.Helper()
	g.n.server.broker.RemoveAccount("A")
	if err := g.n.server.Update(); err != nil {
		g.n.t.Fatal(err)
	}
}

// ask publishes for an answer, and returns it behind its reply subject.
func (g *guest) ask(to, text string) string {
	g.n.t.Helper()
	g.acc.Publish(to, "inbox", nil, []byte(text))
	select {
	case m := <-g.got:
		return m
	case <-time.After(patience):
		g.n.t.Fatalf("%s: no answer", to)
	}
	return ""
}

// good is ask for an answer without an error.
func (g *guest) good(to, text string) string {
	g.n.t.Helper()
	m := g.ask(to, text)
	if strings.Contains(m, `"error"`) {
		g.n.t.Fatalf("%s: %s", to, m)
	}
	return m
}

// info returns what an answer says of a consumer.
func (g *guest) info(c string) (i struct {
	Delivered     api.SequenceInfo `json:"delivered"`
	Floor         api.SequenceInfo `json:"ack_floor"`
	NumAckPending int              `json:"num_ack_pending"`
	NumPending    int              `json:"num_pending"`
}) {
	g.n.t.Helper()
	if err := json.Unmarshal([]byte(strings.TrimSpace(g.good("$JS.API.CONSUMER.INFO.S."+c, ""))), &i); err != nil {
		g.n.t.Fatal(err)
	}
	i.Delivered.Last, i.Floor.Last = nil, nil // they are not kept
	return i
}

// An account that was removed and is there again has its consumers as they were, also after the next start, and counts once.
func TestAnAccountComesBack(t *testing.T) {
	dir := t.TempDir()
	n := newNodeIn(t, dir)
	g := &guest{n: n}
	g.come()
	g.good("$JS.API.STREAM.CREATE.S", `{"name":"S","subjects":["s.*"],"storage":"file","max_bytes":100000}`)
	g.good("$JS.API.STREAM.CREATE.M", `{"name":"M","subjects":["m.*"],"storage":"memory","max_bytes":100000}`)
	for range 10 {
		g.good("s.1", "text")
		g.good("m.1", "text")
	}
	g.good("$JS.API.CONSUMER.DURABLE.CREATE.S.c", `{"stream_name":"S","config":{"durable_name":"c","ack_policy":"explicit","ack_wait":3600000000000}}`)
	g.good("$JS.API.CONSUMER.DURABLE.CREATE.S.new", `{"stream_name":"S","config":{"durable_name":"new","ack_policy":"explicit","deliver_policy":"new"}}`)
	g.good("s.1", "for new")
	for range 3 {
		to, _, _ := strings.Cut(g.good("$JS.API.CONSUMER.MSG.NEXT.S.c", "1"), " ")
		g.good(to, "+ACK")
	}
	g.good("$JS.API.CONSUMER.MSG.NEXT.S.c", "1") // stays unacknowledged
	stored, reserved := n.server.stored[api.File].Load(), n.server.reserved[api.File].Load()
	c, fresh := g.info("c"), g.info("new")
	if c.Floor.Stream != 3 || c.NumAckPending != 1 || fresh.NumPending != 1 {
		t.Fatalf("%+v, %+v", c, fresh)
	}
	for range 2 {
		g.gone()
		for _, k := range []api.Storage{api.File, api.Memory} {
			if a, b := n.server.stored[k].Load(), n.server.reserved[k].Load(); a != 0 || b != 0 {
				t.Errorf("of what is gone %d bytes are stored and %d reserved", a, b)
			}
		}
		g.come()
		if a, b := n.server.stored[api.File].Load(), n.server.reserved[api.File].Load(); a != stored || b != reserved {
			t.Errorf("%d bytes are stored and %d reserved, and were %d and %d", a, b, stored, reserved)
		}
		if now := g.info("c"); now != c {
			t.Errorf("was %+v\n is %+v", c, now)
		}
		if now := g.info("new"); now != fresh {
			t.Errorf("was %+v\n is %+v", fresh, now)
		}
	}
	to, _, _ := strings.Cut(g.good("$JS.API.CONSUMER.MSG.NEXT.S.c", "1"), " ")
	g.good(to, "+ACK")
	c = g.info("c")
	n.stop()

	n = newNodeIn(t, dir)
	g = &guest{n: n}
	g.come()
	if now := g.info("c"); now != c || now.Delivered.Stream != 5 {
		t.Errorf("was %+v\n is %+v", c, now)
	}
}

// What the journal has of consumers whose account is not there outlives a checkpoint, after which the journal has it no more.
func TestConsumersOfAnAbsentAccountAreKept(t *testing.T) {
	disk := sim.New(1, sim.Options{Capacity: 1 << 30})
	n := newNodeOn(t, disk, "/js")
	g := &guest{n: n}
	g.come()
	g.good("$JS.API.STREAM.CREATE.S", `{"name":"S","subjects":["s.*"],"storage":"file"}`)
	for _, name := range []string{"c", "gone"} {
		g.good("$JS.API.CONSUMER.DURABLE.CREATE.S."+name, `{"stream_name":"S","config":{"durable_name":"`+name+`","ack_policy":"explicit","ack_wait":3600000000000,"deliver_policy":"new"}}`)
	}
	n.server.Checkpoint()
	for range 10 {
		g.good("s.1", "text")
	}
	for range 3 {
		to, _, _ := strings.Cut(g.good("$JS.API.CONSUMER.MSG.NEXT.S.c", "1"), " ")
		g.good(to, "+ACK")
	}
	g.good("$JS.API.CONSUMER.MSG.NEXT.S.c", "1") // stays unacknowledged
	c := g.info("c")
	g.good("$JS.API.CONSUMER.DELETE.S.gone", "")
	n, disk = n.killed(disk)
	n.server.Checkpoint() // nobody has the stream
	for _, k := range n.server.files.logs {
		states := ok(n.server.files.readStates(k))
		for _, x := range states {
			m := consumer.Reopen(consumer.Config{Ack: consumer.AckExplicit}, unusedWorld{world{s: &Stream{log: k.log}}}, 1)
			if err := m.Restore(x.state); err != nil || m.Info(1).Floor.Stream != 3 {
				t.Errorf("kept is %+v, %v", m.Info(1), err)
			}
		}
		if len(states) != 1 {
			t.Errorf("%d states", len(states))
		}
	}
	n, _ = n.killed(disk)
	g = &guest{n: n}
	g.come()
	now := g.info("c")
	now.Delivered.Consumer = c.Delivered.Consumer // numbers go on behind those that may have been given
	if now != c || c.Floor.Stream != 3 || c.NumAckPending != 1 || c.NumPending != 6 {
		t.Errorf("was %+v\n is %+v", c, now)
	}
}
