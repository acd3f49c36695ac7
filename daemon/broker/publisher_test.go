package broker

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/proto"
)

// What a part publishes reaches clients byte for byte as what a client publishes.
func TestPublisherPublishesAsAClient(t *testing.T) {
	b, addr := start(t, Options{})
	acc := b.Account("")
	const header = "NATS/1.0\r\nA: b\r\n\r\n"
	large := strings.Repeat("0123456789abcdef", 4<<10)
	type message struct{ subject, reply, header, payload string }
	var all []message
	for _, m := range []message{
		{"one.a", "", "", "hello"}, {"one.a", "r.1", "", ""}, {"one.a", "", header, "x"}, {"one.a", "r.2", header, large},
		{"fan.a", "", "", "hello"}, {"fan.a", "r.1", header, "x"}, {"fan.a", "", "", large},
		{"group.a", "r", header, "x"}, {"max.a", "", "", "1"}, {"max.a", "", "", "2"}, {"max.a", "", "", "3"},
		{"nobody", "", "", "x"},
	} {
		for range 3 {
			all = append(all, m)
		}
	}
	outcome := func(publish func(m message)) string {
		var peers []*peer
		for i, subs := range []string{
			"SUB one.a 1\r\nSUB group.* q 2\r\n", "SUB fan.a 1\r\n", "SUB fan.a 22\r\n", "SUB fan.* 3\r\n",
			"SUB max.a 1\r\nUNSUB 1 5\r\n",
		} {
			p := dial(t, addr)
			p.send(`CONNECT {"verbose":false,"headers":%v,"no_responders":%[1]v}`+"\r\n%s", i != 2, subs)
			p.sync()
			peers = append(peers, p)
		}
		for _, m := range all {
			publish(m)
		}
		text := ""
		for i, p := range peers {
			p.send("PING\r\n")
			var got strings.Builder
			for !strings.HasSuffix(got.String(), "\nPONG\r\n") && got.String() != "PONG\r\n" {
				line, err := p.r.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				got.WriteString(line)
			}
			text += fmt.Sprintf("%d: %s", i, got.String())
			p.nc.Close()
		}
		waitFor(t, "the others' end", func() bool { return len(b.Clients()) <= 1 }) // members of the group, too
		return text
	}
	c := connect(t, addr)
	want := outcome(func(m message) {
		total := m.header + m.payload
		reply := m.reply
		if reply != "" {
			reply += " "
		}
		if m.header == "" {
			c.send("PUB %s %s%d\r\n%s\r\n", m.subject, reply, len(total), total)
		} else {
			c.send("HPUB %s %s%d %d\r\n%s\r\n", m.subject, reply, len(m.header), len(total), total)
		}
		c.sync()
	})
	p := acc.NewPublisher(Own)
	defer p.Close()
	for name, publish := range map[string]func(m message){
		"Publish": func(m message) { acc.Publish(m.subject, m.reply, []byte(m.header), []byte(m.payload)) },
		"Send": func(m message) {
			p.Begin()
			p.Send([]byte(m.subject), []byte(m.reply), []byte(m.header), []byte(m.payload))
			p.End()
		},
	} {
		if got := outcome(publish); got != want {
			t.Errorf("%s: clients got %d bytes, of a client %d:\n%.3000s\nwant\n%.3000s", name, len(got), len(want), got, want)
		}
	}
	p.Begin() // all in one batch
	got := outcome(func(m message) {
		p.Send([]byte(m.subject), []byte(m.reply), []byte(m.header), []byte(m.payload))
		if m == all[len(all)-1] {
			p.End()
			p.Begin()
		}
	})
	p.End()
	if got != want {
		t.Errorf("one batch: clients got %d bytes, of a client %d", len(got), len(want))
	}
}

// A message can be shown under another subject than that by which it finds its receivers.
func TestShownSubject(t *testing.T) {
	b, addr := shared(t,
		AccountOptions{Name: "A", Exports: []ServiceExport{{Subject: "next"}, {Subject: "more", Streamed: true}}},
		AccountOptions{Name: "B", Streams: []StreamImport{{Account: "A", Subject: "to.*"}, {Account: "A", Subject: "to.*", Local: "here.*"}},
			Services: []ServiceImport{{Account: "A", Subject: "next"}, {Account: "A", Subject: "more"}}})
	as := func(user, subs string) *peer {
		p := dial(t, addr)
		p.send(`CONNECT {"verbose":false,"headers":true,"user":%q}`+"\r\n%s", user, subs)
		p.sync()
		return p
	}
	a := b.Account("A")
	one, fan, group := as("A", "SUB to.one 1\r\n"), as("A", "SUB to.fan 1\r\nSUB to.fan 2\r\n"), as("A", "SUB to.group q 1\r\n")
	same, renamed := as("B", "SUB to.far 1\r\n"), as("B", "SUB here.far 1\r\n")
	p := a.NewPublisher(FromStream)
	defer p.Close()
	send := func(to string) {
		p.Begin()
		for range 2 { // with a plan made for it, and with one that is there
			if !p.SendAs([]byte(to), []byte("orders.new"), []byte("$JS.ACK.1"), nil, []byte("x")) {
				t.Errorf("%s: nobody received", to)
			}
		}
		p.Send([]byte(to), nil, nil, []byte("y"))
		p.End()
	}
	for to, c := range map[string]struct {
		p    *peer
		want []string
	}{
		"to.one":   {one, []string{"MSG orders.new 1 $JS.ACK.1 1", "x", "MSG orders.new 1 $JS.ACK.1 1", "x", "MSG to.one 1 1", "y"}},
		"to.group": {group, []string{"MSG orders.new 1 $JS.ACK.1 1", "x", "MSG orders.new 1 $JS.ACK.1 1", "x", "MSG to.group 1 1", "y"}},
	} {
		send(to)
		c.p.expect(c.want...)
	}
	send("to.fan")
	for range 2 {
		got := map[string]bool{}
		for range 2 {
			got[fan.line()] = true
			fan.expect("x")
		}
		if !got["MSG orders.new 1 $JS.ACK.1 1"] || !got["MSG orders.new 2 $JS.ACK.1 1"] {
			t.Errorf("fan-out got %v", got)
		}
	}
	send("to.far")
	same.expect("MSG orders.new 1 $JS.ACK.1 1", "x")
	renamed.expect("MSG here.far 1 $JS.ACK.1 1", "x") // a renaming import shows the subject that it makes: nats-server 2.15.3

	// The answer to a request of another account goes through it as any answer does.
	asker := as("B", "SUB in.1 9\r\n") // a literal inbox has its line made beforehand
	replies := make(chan string, 1)
	for service, answers := range map[string]int{"next": 1, "more": 3} {
		sub, err := a.SubscribeService(service, "", func(m *Message) { replies <- string(m.Reply) })
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Unsubscribe()
		asker.send("PUB %s in.1 0\r\n\r\n", service)
		asker.sync()
		reply := []byte(<-replies)
		for range answers {
			p.Begin()
			p.SendAs(reply, []byte("orders.new"), []byte("$JS.ACK.2"), nil, []byte("z"))
			p.End()
			asker.expect("MSG orders.new 9 $JS.ACK.2 1", "z")
		}
	}
}

// far is another server: it notes what it is sent.
type farServer struct{ got []string }

func (f *farServer) Deliver(d *Delivery) bool {
	f.got = append(f.got, fmt.Sprintf("%s|%s|%s", d.Subject, d.Frame.Shown, d.Frame.Reply))
	return true
}

// Other servers are told both subjects.
func TestShownSubjectForOtherServers(t *testing.T) {
	b, addr := start(t, Options{})
	acc := b.Account("")
	far := &farServer{}
	i, err := acc.AddRemote(far, []byte("to.>"), "", Members{All: 1, Own: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Remove()
	p := acc.NewPublisher(FromStream)
	defer p.Close()
	p.Begin()
	p.SendAs([]byte("to.x"), []byte("orders.new"), []byte("ack"), nil, nil)
	p.End()
	if len(far.got) != 1 || far.got[0] != "to.x|orders.new|ack" {
		t.Errorf("the other server got %q", far.got)
	}
	// And what comes from one is shown as it says.
	c := connect(t, addr)
	c.send("SUB to.y 1\r\n")
	c.sync()
	injectFrame("to.y", "x", func(p *PeerPublisher, f *proto.Frame) {
		f.Shown, f.Tail = []byte("orders.new"), nil
		p.Deliver(acc, Published, f, false, nil)
	})
	c.expect("MSG orders.new 1 1", "x")
}

// Inboxes that are all different share one plan, and leave the plans of others alone.
func TestInboxesShareAPlan(t *testing.T) {
	b, addr := start(t, Options{})
	acc := b.Account("")
	c := connect(t, addr)
	c.send("SUB _INBOX.a.* 1\r\nSUB _INBOX.b.* 2\r\nSUB news 3\r\nSUB _INBOX.a.7 4\r\n")
	c.sync()
	p := acc.NewPublisher(FromStream)
	defer p.Close()
	round := func(i int) {
		p.Begin()
		p.Send(fmt.Appendf(nil, "_INBOX.a.%d", i), nil, nil, nil)
		p.Send([]byte("news"), nil, nil, nil)
		p.Send(fmt.Appendf(nil, "_INBOX.b.%d", i), nil, nil, nil)
		p.End()
		c.expect(fmt.Sprintf("MSG _INBOX.a.%d 1 0", i), "", "MSG news 3 0", "", fmt.Sprintf("MSG _INBOX.b.%d 2 0", i), "")
	}
	for i := 10; i < 20; i++ {
		round(i)
	}
	before := acc.misses.Load()
	for i := 1000; i < 6000; i++ {
		round(i)
	}
	if n := acc.misses.Load() - before; n > 0 {
		t.Errorf("%d plans were made for inboxes that share one", n)
	}
	p.Begin() // one that somebody subscribes to itself
	p.Send([]byte("_INBOX.a.7"), nil, nil, nil)
	p.End()
	if a, b := c.line()+c.line(), c.line()+c.line(); a+b != "MSG _INBOX.a.7 1 0MSG _INBOX.a.7 4 0" && b+a != "MSG _INBOX.a.7 1 0MSG _INBOX.a.7 4 0" {
		t.Errorf("got %q and %q", a, b)
	}
	c.send("SUB _INBOX.a.*.x 5\r\nSUB _INBOX.*.100 6\r\n") // not alike any more
	c.sync()
	round(99)
	p.Begin()
	p.Send([]byte("_INBOX.b.100"), nil, nil, nil)
	p.End()
	if a, b := c.line()+c.line(), c.line()+c.line(); a+b != "MSG _INBOX.b.100 2 0MSG _INBOX.b.100 6 0" && b+a != "MSG _INBOX.b.100 2 0MSG _INBOX.b.100 6 0" {
		t.Errorf("got %q and %q", a, b)
	}
}

// Acknowledgements that a client publishes are all different and share one plan.
func TestAcknowledgementsShareAPlan(t *testing.T) {
	b, addr := start(t, Options{})
	acc := b.Account("")
	to, _ := capturing(t, acc, "$JS.ACK.S.C.>")
	c := connect(t, addr)
	ack := func(from, n int) {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "PUB $JS.ACK.S.C.1.%d.%[1]d.17%09[1]d.%d 4\r\n+ACK\r\n", from+i, n-i)
		}
		c.send("%s", text.String())
		to.await(t, n)
		if got := to.take(t); got[n-1] != fmt.Sprintf("$JS.ACK.S.C.1.%d.%[1]d.17%09[1]d.1|||+ACK", from+n-1) {
			t.Fatalf("captured %q", got[n-1])
		}
	}
	ack(0, 200)
	before := acc.misses.Load()
	ack(1000, 5000)
	if n := acc.misses.Load() - before; n > 20 { // a few are taken for subjects that came before
		t.Errorf("%d plans were made for acknowledgements that share one", n)
	}
}

// ownRoads are ways in which a part publishes, captures, or is called.
var ownRoads = []string{"inboxes", "literal", "shown", "publish", "capture", "callback"}

// ownRoad publishes blocks of messages by a part of the broker, or, if they are captured
// or given to a part, by a client.
type ownRoad struct {
	kind string
	acc  *Account
	p    *Publisher
	text []byte // of a client
	n    int
	name []byte
	pub  *peer
	sub  *peer
	in   []byte
	tape *tape
	done int
}

const ownEach = 100

func newOwnRoad(t testing.TB, kind string) *ownRoad {
	b, addr := start(t, Options{NoShortFirstPing: true})
	r := &ownRoad{kind: kind, acc: b.Account("")}
	r.p = r.acc.NewPublisher(FromStream)
	t.Cleanup(r.p.Close)
	answer := ""
	switch kind {
	case "capture":
		r.tape, _ = capturing(t, r.acc, "a.*")
	case "callback":
		if _, err := r.acc.SubscribeInternal("a.*", "", func(*Message) { r.done++ }); err != nil {
			t.Fatal(err)
		}
	default:
		r.sub = connect(t, addr)
		r.sub.send("SUB _INBOX.x.* 1\r\nSUB to 2\r\n")
		r.sub.sync()
		answer = map[string]string{
			"inboxes": "MSG _INBOX.x.0000000000 1 7\r\npayload\r\n", "literal": "MSG to 2 7\r\npayload\r\n",
			"shown": "MSG seen.x 1 ack 7\r\npayload\r\n", "publish": "MSG to 2 7\r\npayload\r\n",
		}[kind]
		r.in = make([]byte, ownEach*len(answer))
		return r
	}
	for i := range ownEach {
		r.text = fmt.Appendf(r.text, "PUB a.%d ack 7\r\npayload\r\n", i%7)
	}
	r.text = append(r.text, "PING\r\n"...)
	r.in = make([]byte, len("PONG\r\n"))
	r.pub = connect(t, addr)
	return r
}

func (r *ownRoad) messages() int { return ownEach }

var payload, toOne, seenAs, ackTo = []byte("payload"), []byte("to"), []byte("seen.x"), []byte("ack")

func (r *ownRoad) inbox() []byte {
	r.n++
	r.name = append(append(r.name[:0], "_INBOX.x."...), askNumber...)
	for n, i := r.n, len(r.name)-1; n > 0; n, i = n/10, i-1 {
		r.name[i] = byte('0' + n%10)
	}
	return r.name
}

func (r *ownRoad) block(t testing.TB) {
	var from net.Conn
	switch r.kind {
	case "publish":
		for range ownEach {
			r.acc.Publish("to", "", nil, payload)
		}
	case "inboxes", "literal", "shown":
		r.p.Begin()
		for range ownEach {
			switch r.kind {
			case "inboxes":
				r.p.Send(r.inbox(), nil, nil, payload)
			case "shown":
				r.p.SendAs(r.inbox(), seenAs, ackTo, nil, payload)
			default:
				r.p.Send(toOne, nil, nil, payload)
			}
		}
		r.p.End()
	default:
		if _, err := r.pub.nc.Write(r.text); err != nil {
			t.Fatal(err)
		}
		from = r.pub.nc
	}
	if from == nil {
		from = r.sub.nc
	}
	if _, err := io.ReadFull(from, r.in); err != nil {
		t.Fatal(err)
	}
	if r.tape != nil {
		r.tape.mu.Lock()
		if r.tape.msgs != ownEach {
			t.Errorf("%d messages captured", r.tape.msgs)
		}
		for i := range r.tape.kept {
			r.tape.kept[i].Release()
		}
		r.tape.kept, r.tape.msgs = r.tape.kept[:0], 0
		r.tape.mu.Unlock()
	}
}
