package cluster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// Accounts that share in any way at all: what each client receives is what the model says,
// on one server and on two. Seeds that failed once are kept in testdata/shares.txt, and are
// played first. BROKERTEST_SHARES=1m plays fresh ones for a minute; one that fails is added
// to the file.
func TestSharesAgainstModel(t *testing.T) {
	kept := keptSeeds(t)
	for _, seed := range kept {
		t.Run(fmt.Sprint("kept ", seed), func(t *testing.T) { playShares(t, seed) })
	}
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { playShares(t, seed) })
	}
}

// TestSharesFresh is TestSharesAgainstModel with seeds that nobody has chosen.
func TestSharesFresh(t *testing.T) {
	length, n := time.Second, 0
	if text := os.Getenv("BROKERTEST_SHARES"); text != "" {
		length = must2(time.ParseDuration(text))(t)
	}
	first := uint64(time.Now().UnixNano())
	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); n++ {
		seed := first + uint64(n)
		if !t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { playShares(t, seed) }) && os.Getenv("BROKERTEST_SHARES") != "" {
			keepSeed(t, seed)
			t.Errorf("seed %d is kept in %s", seed, seedsFile)
		}
	}
	t.Logf("%d worlds, the first of seed %d", n, first)
}

// The model is right about nats-server too, where that is not wrong: see [dice.world].
func TestSharesOfNatsServer(t *testing.T) {
	worlds := 20
	if os.Getenv("BROKERTEST_SHARES") != "" {
		worlds = 100
	}
	for seed := range uint64(worlds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			d := diceOf(seed)
			w := d.world(1, true)
			s := brokertest.Start(t, brokertest.Options{Binary: brokertest.NATSServer(t), Config: w.config()})
			play := newShow(t, d, w, []*node{{url: s.URL()}})
			for range 12 {
				if d.chance(20) {
					play.subscribe()
				}
				play.publish()
			}
		})
	}
}

const seedsFile = "testdata/shares.txt"

func keptSeeds(t *testing.T) (list []uint64) {
	t.Helper()
	text := must2(os.ReadFile(seedsFile))(t)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 0 && f[0] != "#" {
			list = append(list, must2(strconv.ParseUint(f[0], 10, 64))(t))
		}
	}
	return list
}

func keepSeed(t *testing.T, seed uint64) {
	t.Helper()
	f := must2(os.OpenFile(seedsFile, os.O_APPEND|os.O_WRONLY, 0))(t)
	defer f.Close()
	must2(fmt.Fprintln(f, seed))(t)
}

// playShares makes a world and lets its clients publish and answer.
func playShares(t *testing.T, seed uint64) {
	d := diceOf(seed)
	servers := 1 + d.IntN(2)
	w := d.world(servers, false)
	var nodes []*node
	for i := range servers {
		var routes []string
		if i > 0 {
			routes = append(routes, nodes[0].route)
		}
		nodes = append(nodes, sharing(t, string(rune('a'+i)), w.options(), routes...))
	}
	play := newShow(t, d, w, nodes)
	for range 12 {
		switch n := d.IntN(10); {
		case n == 0:
			i := d.IntN(len(w.accounts))
			d.fill(w, i, false)
			play.past = append(play.past, w.accounts[i].name+" shares something else")
			for _, n := range nodes {
				must2(n.b.PrepareAccounts(w.options()))(t)()
			}
			play.settle()
		case n < 3:
			play.subscribe()
		}
		play.publish()
	}
}

// show is a world on servers.
type show struct {
	t     *testing.T
	dice  dice
	world *world
	// On each server a client of each account, which nobody in the world knows of. What one
	// of them sends to another comes behind all that was sent in its account before.
	runners [][]*talk
	runs    int
	past    []string // what was done
}

func newShow(t *testing.T, d dice, w *world, nodes []*node) *show {
	s := &show{t: t, dice: d, world: w}
	for i, n := range nodes {
		if n.hub != nil {
			eventually(t, "a full mesh", func() bool { return n.hub.complete(len(nodes) - 1) })
		}
		s.runners = append(s.runners, nil)
		for _, a := range w.accounts {
			c := talkTo(t, n, a.name, true)
			c.say(fmt.Sprintf("SUB runner.%d 1\r\n", i))
			s.runners[i] = append(s.runners[i], c)
		}
	}
	for _, c := range w.clients {
		c.talking = talkTo(t, nodes[c.server], c.of.name, !c.noEcho)
		for _, l := range c.subs {
			c.talking.say(l.line())
		}
		c.talking.sync()
	}
	for i, list := range s.runners {
		for k, c := range list {
			c.sync()
			for j := range s.runners {
				if i != j {
					s.run(k, i, j, true)
				}
			}
		}
	}
	s.settle()
	return s
}

// run has a runner of an account send to the one on another server; until has it try again
// until it arrives, since the other server does not know of it at first.
func (s *show) run(account, from, to int, until bool) {
	s.t.Helper()
	s.runs++
	mark := fmt.Sprint("run ", s.runs)
	c, other := s.runners[from][account], s.runners[to][account]
	for end := time.Now().Add(brokertest.Patience); ; {
		c.say(fmt.Sprintf("PUB runner.%d %d\r\n%s\r\n", to, len(mark), mark))
		c.sync()
		wait := brokertest.Patience
		if until {
			wait = 20 * time.Millisecond
		}
		if other.await(mark, wait) {
			return
		}
		if time.Now().After(end) || !until {
			s.t.Fatalf("%s: a message between servers does not arrive", mark)
		}
	}
}

// settle waits until what was sent has arrived. A message goes from server to server once in
// an account, and its answers go as often as there are hops.
func (s *show) settle() {
	s.t.Helper()
	for _, c := range s.world.clients {
		c.talking.sync()
	}
	if len(s.runners) > 1 {
		for range 3 {
			for k := range s.world.accounts {
				s.run(k, 0, 1, false)
				s.run(k, 1, 0, false)
			}
		}
	}
	for _, c := range s.world.clients {
		c.talking.sync()
	}
}

func (l *listening) line() string {
	return strings.TrimRight(fmt.Sprintf("SUB %s %s", l.pattern.text(), l.queue), " ") + fmt.Sprintf(" %d\r\n", l.sid)
}

// subscribe has a client subscribe to something, or give up what it had.
func (s *show) subscribe() {
	s.t.Helper()
	c := oneOf(s.dice, s.world.clients)
	if len(c.subs) > 0 && s.dice.chance(50) {
		i := s.dice.IntN(len(c.subs))
		s.past = append(s.past, "gone: "+c.subs[i].String())
		c.talking.say(fmt.Sprintf("UNSUB %d\r\n", c.subs[i].sid))
		c.subs = slices.Delete(c.subs, i, i+1)
	} else {
		l := s.dice.subscribe(c)
		s.past = append(s.past, "came: "+l.String())
		c.talking.say(l.line())
	}
	s.settle()
}

// publish has a client publish something, and those who are asked answer.
func (s *show) publish() {
	s.t.Helper()
	by, subject := oneOf(s.dice, s.world.clients), s.dice.subject()
	var reply *place
	line := "PUB " + subject
	if s.dice.chance(60) {
		reply = &place{subject: s.dice.subject()}
		if s.world.theirs {
			reply.subject = "in." + reply.subject // no import takes it for a request
		}
		line += " " + reply.subject
	}
	if s.dice.chance(30) {
		line = "H" + line + " 18 20\r\nNATS/1.0\r\nA: b\r\n\r\n"
	} else {
		line += " 2\r\n"
	}
	s.past = append(s.past, fmt.Sprintf("%s%d: %s", by.of.name, by.id, strings.Split(line, "\r\n")[0]))
	o := s.world.published(by, subject, reply)
	by.talking.say(line + "hi\r\n")
	s.answers(s.compare(&o))
}

// wanted is an answer that a client was asked for.
type wanted struct {
	by    *party
	to    *place
	reply string // as the broker has it
}

// answers has clients give answers, now and then twice.
func (s *show) answers(asked []wanted) {
	for _, a := range asked {
		for range 1 + s.dice.IntN(2) {
			o := s.world.answered(a.by, a.to)
			s.past = append(s.past, fmt.Sprintf("%s%d: answer to a request from %s", a.by.of.name, a.by.id, a.to.back.name))
			a.by.talking.say("PUB " + a.reply + " 2\r\nyo\r\n")
			s.compare(&o)
		}
	}
}

// compare holds what has arrived against the model, and returns the answers asked for.
func (s *show) compare(o *audience) (asked []wanted) {
	s.t.Helper()
	s.settle()
	var got []note
	var replies []string
	for _, c := range s.world.clients {
		for _, m := range c.talking.taken() {
			i := slices.IndexFunc(c.subs, func(l *listening) bool { return l.sid == m.sid })
			if i < 0 {
				s.t.Fatalf("a message for a subscription that is gone: %s%d, sid %d", c.of.name, c.id, m.sid)
			}
			l := c.subs[i]
			n := note{to: l, subject: m.subject, told: m.told}
			if strings.HasPrefix(n.subject, "_R_.") {
				n.subject = wayBack
			}
			if strings.HasPrefix(m.reply, "_R_.") {
				n.reply = &place{subject: wayBack}
			} else if m.reply != "" {
				n.reply = &place{subject: m.reply}
			}
			got, replies = append(got, n), append(replies, m.reply)
		}
	}
	wrong, meant := o.fits(got)
	if wrong != "" {
		s.t.Fatalf("%s\n%s\nin\n%s\non %d servers; received\n%v\nof\n%v\n%v", wrong, strings.Join(s.past, "\n"), s.world, len(s.runners), got, o.plain, o.groups)
	}
	for i := range got {
		if n, ok := meant[i]; ok && n.reply != nil && n.reply.from != nil && got[i].to.by.of == n.reply.from {
			asked = append(asked, wanted{got[i].to.by, n.reply, replies[i]})
		}
	}
	return asked
}

// talk is a connection of a client that speaks the protocol itself.
type talk struct {
	t    testing.TB
	nc   net.Conn
	in   *bufio.Reader
	have []message
}

// message is one that has arrived.
type message struct {
	subject, reply, told, data string
	sid                        int
}

func talkTo(t testing.TB, n *node, account string, echo bool) *talk {
	t.Helper()
	nc := must2(net.Dial("tcp", strings.TrimPrefix(n.url, "nats://")))(t)
	t.Cleanup(func() { nc.Close() })
	c := &talk{t: t, nc: nc, in: bufio.NewReader(nc)}
	c.say(fmt.Sprintf(`CONNECT {"verbose":false,"headers":true,"echo":%v,"user":%q,"pass":%q,"name":"me"}`+"\r\n", echo, account, account))
	return c
}

func (c *talk) say(text string) {
	c.t.Helper()
	must2(c.nc.Write([]byte(text)))(c.t)
}

// sync waits until what was said has been heard, and what came before that has arrived.
func (c *talk) sync() {
	c.t.Helper()
	c.say("PING\r\n")
	for {
		if line := c.line(time.Now().Add(brokertest.Patience)); line == "PONG" {
			return
		} else if line == "" {
			c.t.Fatal("no PONG")
		}
	}
}

// await waits for a message with some content and forgets it.
func (c *talk) await(data string, wait time.Duration) bool {
	c.t.Helper()
	for end := time.Now().Add(wait); ; {
		for _, m := range c.have {
			if m.data == data {
				c.have = nil
				return true
			}
		}
		if c.line(end) == "" {
			return false
		}
	}
}

// line reads a line, and with it the message that it begins; "" if none comes.
func (c *talk) line(until time.Time) string {
	c.t.Helper()
	if c.in.Buffered() == 0 {
		if err := c.nc.SetReadDeadline(until); err != nil {
			c.t.Fatal(err)
		}
		if _, err := c.in.Peek(1); err != nil {
			return ""
		}
	}
	if err := c.nc.SetReadDeadline(time.Now().Add(brokertest.Patience)); err != nil {
		c.t.Fatal(err)
	}
	text := must2(c.in.ReadString('\n'))(c.t)
	f := strings.Fields(text)
	switch f[0] {
	case "MSG", "HMSG":
		c.have = append(c.have, c.message(f))
	case "-ERR":
		c.t.Fatal(text)
	case "PING":
		c.say("PONG\r\n")
	}
	return f[0]
}

func (c *talk) message(f []string) message {
	m := message{subject: f[1], sid: must2(strconv.Atoi(f[2]))(c.t)}
	rest, hdr := f[3:], 0
	size := must2(strconv.Atoi(f[len(f)-1]))(c.t)
	rest = rest[:len(rest)-1]
	if f[0] == "HMSG" {
		hdr = must2(strconv.Atoi(f[len(f)-2]))(c.t)
		rest = rest[:len(rest)-1]
	}
	if len(rest) > 0 {
		m.reply = rest[0]
	}
	body := make([]byte, size+2)
	for n := 0; n < len(body); {
		n += must2(c.in.Read(body[n:]))(c.t)
	}
	m.data = string(body[hdr:size])
	for line := range strings.SplitSeq(string(body[:hdr]), "\r\n") {
		if text, ok := strings.CutPrefix(line, "Nats-Request-Info: "); ok {
			m.told = toldBy(c.t, text)
		}
	}
	return m
}

// toldBy is what a service is told, as the model says it.
func toldBy(t testing.TB, text string) string {
	var i struct{ Acc, Svc, Name string }
	if err := json.Unmarshal([]byte(text), &i); err != nil {
		t.Fatal(err)
	}
	told := i.Acc
	if i.Name != "" {
		told += "+"
	}
	if i.Svc != "" {
		told += " for " + i.Svc
	}
	return told
}

// taken returns what has arrived, and forgets it. What runners send is left out.
func (c *talk) taken() (list []message) {
	for _, m := range c.have {
		if !strings.HasPrefix(m.data, "run ") {
			list = append(list, m)
		}
	}
	c.have = nil
	return list
}
