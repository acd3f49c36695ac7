// Package streams holds the same conversations about streams with nats-server and with nats-broker, and compares
// everything that either says: answers, acks, advisories, and at the end what each stream holds.
package streams

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// A talk is a script, a line a step:
//
//	req SUBJECT [BODY]              a request, and its answer
//	get SUBJECT [BODY]              a request that may have several answers: all through the one with a status
//	pub SUBJECT [BODY]              a message without a reply subject
//	silent SUBJECT [BODY]           a request that nobody answers
//	head NAME: VALUE                a header of the next request or message; several stand in no order
//	long N                          a header of N bytes for the next request
//	hear SUBJECT                    subscribes
//	heard N                         the next N messages of that
//	wait N                          lets N milliseconds pass
//	fill PREFIX N                   N messages on subjects of their own
//	until TEXT SUBJECT [BODY]       asks until the answer holds TEXT; await does not show it
//
// Those of consumers are in listen_test.go.
//
// Streams are called S, T, O and the like: one capital letter. Each talk has streams of its own, with a number behind the letter,
// since nats-server may give a stream that was deleted a moment ago its old messages back. BODY may hold %kind for the kind of storage
// and \n for a line end.
type talk struct {
	name  string
	steps []string
	once  bool // with one kind of storage only
}

func parseTalks(text string) (list []talk) {
	sc := bufio.NewScanner(strings.NewReader(text))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		line := strings.TrimSpace(sc.Text())
		switch {
		case strings.HasPrefix(line, "== "):
			list = append(list, talk{name: line[3:]})
		case line == "" || line[0] == '#':
		default:
			t := &list[len(list)-1]
			t.steps = append(t.steps, line)
		}
	}
	return list
}

// peer is one of the two brokers, and a connection to it.
type peer struct {
	t    testing.TB
	name string // of the broker
	step string // of the talk
	srv  *brokertest.Server
	nc   *nats.Conn
	out  strings.Builder
	seen map[int]bool // error codes

	quiet  time.Duration // how long nothing comes where nothing more is waited for
	wait   time.Duration // how long is waited for what is to come
	slower int           // how many times as long as it says a talk lets time pass
	listen listening

	consumers bool // those of streams are shown in the end
}

func newPeer(t testing.TB, srv *brokertest.Server, o ...nats.Option) *peer {
	p := &peer{t: t, name: srv.Name(), srv: srv, seen: map[int]bool{}, quiet: 150 * time.Millisecond, wait: patience, slower: 1}
	p.connect(o...)
	return p
}

func (p *peer) connect(o ...nats.Option) {
	nc, err := nats.Connect(p.srv.URL(), append(o, nats.Name("talker"), nats.MaxReconnects(0), nats.Timeout(brokertest.Patience))...)
	p.check("connect", err)
	p.nc = nc
	p.t.Cleanup(nc.Close)
}

// say writes a line; it returns false.
func (p *peer) say(format string, args ...any) bool {
	fmt.Fprintf(&p.out, format+"\n", args...)
	return false
}

const patience = 20 * time.Second

// letter is the name of a stream.
var letter = regexp.MustCompile(`(^|[^A-Za-z0-9$-])([STO])\b`)

// play plays a talk and returns what was said.
func (p *peer) play(tk talk, storage string, number int) string {
	p.out.Reset()
	p.listen = listening{ears: map[string]*nats.Subscription{}, replies: map[string]string{}, last: map[string]string{}, stream: fmt.Sprint("S", number)}
	defer p.listen.end()
	var head nats.Header
	var heard *nats.Subscription
	for _, step := range tk.steps {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "%kind", storage), `\n`, "\n")
		step = letter.ReplaceAllString(step, fmt.Sprintf("${1}${2}%d", number))
		verb, rest, _ := strings.Cut(step, " ")
		subj, body, _ := strings.Cut(rest, " ")
		m := &nats.Msg{Subject: subj, Data: []byte(body), Header: head}
		p.say("%s", step)
		p.step = step
		switch verb {
		case "head":
			name, value, _ := strings.Cut(rest, ": ")
			if head == nil {
				head = nats.Header{}
			}
			head[name] = append(head[name], value)
			continue
		case "long": // a header of so many bytes
			n, err := strconv.Atoi(rest)
			p.must(err)
			head = nats.Header{"X": {strings.Repeat("x", n)}}
			continue
		case "req":
			p.request(m)
		case "get":
			p.gather(m)
		case "pub":
			p.must(p.nc.PublishMsg(m))
			p.must(p.nc.Flush())
		case "silent":
			p.ask(m, p.quiet)
		case "hear":
			sub, err := p.nc.SubscribeSync(subj)
			p.must(err)
			p.must(p.nc.Flush())
			heard = sub
		case "heard":
			var n int
			_, err := fmt.Sscan(rest, &n)
			p.must(err)
			p.hear(heard, n)
		case "until", "await":
			text := subj
			subj, body, _ := strings.Cut(body, " ")
			p.until(text, &nats.Msg{Subject: subj, Data: []byte(body), Header: head}, verb == "until")
		case "wait":
			var ms int
			_, err := fmt.Sscan(rest, &ms)
			p.must(err)
			time.Sleep(time.Duration(ms*p.slower) * time.Millisecond) // what is waited for is that time passes
		case "fill":
			p.fill(subj, body)
		default:
			p.listen.head = head
			if !p.hearing(verb, rest) {
				p.t.Fatalf("%s: unknown step %q", tk.name, step)
			}
		}
		head = nil
	}
	if heard != nil {
		p.must(heard.Unsubscribe())
	}
	return p.out.String()
}

// must ends the test with an error, and says at which step of a talk it came.
func (p *peer) must(err error) {
	p.t.Helper()
	p.check(p.step, err)
}

// check ends the test, or the part of it that this peer does, with an error, and says whose it is and at which step it came.
func (p *peer) check(step string, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s: %s: %v", p.name, step, err)
	}
}

// inBoth has both do the same, side by side, and returns what they say. Where one of them fails, by [peer.check], which says whose
// error it is, the test ends here when the other is through.
func inBoth(theirs, ours *peer, do func(p *peer) string) (said [2]string) {
	ours.t.Helper()
	var ended [2]bool
	var both sync.WaitGroup
	for i, p := range []*peer{theirs, ours} {
		both.Go(func() {
			said[i] = do(p)
			ended[i] = true
		})
	}
	both.Wait()
	if !ended[0] || !ended[1] {
		ours.t.FailNow()
	}
	return said
}

// ask sends a request that may have no answer, and shows what comes for a while behind the answer to a PING: that nobody listens is
// said before that, however slow the broker is. It has an inbox of its own: an answer that is a delivery has another subject, and
// nats.go knows whose it is only while nothing else is asked, or was asked in vain.
func (p *peer) ask(m *nats.Msg, wait time.Duration) {
	m.Reply = nats.NewInbox()
	sub, err := p.nc.SubscribeSync(m.Reply)
	p.must(err)
	p.must(p.nc.PublishMsg(m))
	p.must(p.nc.Flush())
	p.listen.asked = append(p.listen.asked, sub) // a consumer may take it for a request for messages, which ends with the interest
	r, err := sub.NextMsg(wait)
	switch {
	case err != nil:
		p.say("  %v", err)
	case len(r.Data) == 0 && r.Header.Get("Status") == "503":
		p.say("  %v", nats.ErrNoResponders)
	default:
		p.show(r)
	}
}

func (p *peer) request(m *nats.Msg) {
	r, err := p.nc.RequestMsg(m, patience)
	if err != nil {
		p.say("  %v", err)
		return
	}
	p.show(r)
}

// fill publishes messages on different subjects.
func (p *peer) fill(prefix, number string) {
	var n int
	_, err := fmt.Sscan(number, &n)
	p.must(err)
	for i := range n {
		_, err := p.nc.Request(fmt.Sprintf("%s.%d", prefix, i), []byte("x"), patience)
		p.must(err)
	}
}

// gather shows answers until one has a status.
func (p *peer) gather(m *nats.Msg) {
	m.Reply = nats.NewInbox()
	sub, err := p.nc.SubscribeSync(m.Reply)
	p.must(err)
	p.must(p.nc.PublishMsg(m))
	for {
		r, err := sub.NextMsg(patience)
		if err != nil {
			p.say("  %v", err)
			break
		}
		p.show(r)
		if r.Header.Get("Status") != "" {
			break
		}
	}
	p.must(sub.Unsubscribe())
}

// hear shows the next messages, by subject: in nats-server several goroutines send advisories.
func (p *peer) hear(sub *nats.Subscription, n int) {
	var list []*nats.Msg
	for len(list) < n {
		r, err := sub.NextMsg(patience)
		if err != nil {
			p.say("  %v", err)
			break
		}
		if !p.late(r) {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(a, b *nats.Msg) int { return strings.Compare(a.Subject, b.Subject) })
	for _, r := range list {
		p.say("  on %s", r.Subject)
		p.show(r)
	}
}

// named finds streams of talks by their numbers.
var named = regexp.MustCompile(`\b[STO](\d+)\b`)

// late reports whether an advisory is about a talk before this one: they are sent behind the answers, and nobody waits for them.
func (p *peer) late(m *nats.Msg) bool {
	if !strings.HasPrefix(m.Subject, "$JS.EVENT.") {
		return false
	}
	all := named.FindAllStringSubmatch(m.Subject+" "+string(m.Data), -1)
	own := slices.ContainsFunc(all, func(n []string) bool { return "S"+n[1] == p.listen.stream })
	return len(all) > 0 && !own
}

func (p *peer) until(text string, m *nats.Msg, show bool) {
	for end := time.Now().Add(2 * p.wait); ; time.Sleep(20 * time.Millisecond) { // there is no event to wait for
		r, err := p.nc.RequestMsg(m, patience)
		p.must(err)
		if strings.Contains(p.mask(string(r.Data)), text) {
			if show {
				p.show(r)
			}
			return
		}
		if time.Now().After(end) {
			p.say("  never: %s", p.mask(string(r.Data)))
			return
		}
	}
}

func (p *peer) show(r *nats.Msg) {
	names := make([]string, 0, len(r.Header))
	for k := range r.Header {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, k := range names {
		v := strings.Join(r.Header[k], ", ")
		switch k {
		case "Nats-Time-Stamp":
			v = "<time>"
		case "Nats-Stream-Source":
			v = maskSource(k + ": " + v)
		case "Nats-Pin-Id":
			p.listen.pin, v = v, "<pin>"
		case "Nats-Consumer-Stalled":
			v = maskReply(v)
		}
		p.say("  %s: %s", k, v)
	}
	var e struct {
		Error struct {
			Code int `json:"err_code"`
		} `json:"error"`
	}
	if json.Unmarshal(r.Data, &e) == nil && e.Error.Code != 0 {
		p.seen[e.Error.Code] = true
	}
	p.say("  %s", p.mask(string(r.Data)))
}

var masks = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`"(created|ts|time|timestamp|start|first_ts|last_ts|last_active|pinned_ts)":"2[^"]*"`), `"$1":"<time>"`},
	{regexp.MustCompile(`"(pinned_client_id|pinned_id)":"[^"]*"`), `"$1":"<pin>"`},
	{regexp.MustCompile(`"(pause_remaining|ack_time|active)":\d+`), `"$1":<n>`},
	{regexp.MustCompile(`,"idle":"[^"]*"`), ``}, // ours alone
	{regexp.MustCompile(`("stream_name":"[A-Z]\d+","name":)"[0-9A-Za-z]{8}"`), `$1"<name>"`},
	{regexp.MustCompile(`\\"(created|ts|time|first_ts|last_ts)\\":\\"2[^"\\]*\\"`), `\"$1\":\"<time>\"`},
	{regexp.MustCompile(`"id":"[^"]*"`), `"id":"<id>"`},
	{regexp.MustCompile(`"id":\d+`), `"id":<id>`},
	{regexp.MustCompile(`"rtt":\d+,`), ``},
	{regexp.MustCompile(`"(total|errors)":\d+`), `"$1":<n>`},
	{regexp.MustCompile(`"num_deleted":1,"deleted":\[0\],`), ``}, // what nats-server says of a file stream that never had a message
}

// maskSource hides which origin the header of a message names.
func maskSource(l string) string {
	if f := strings.Split(l, " "); len(f) == 7 && f[0] == "Nats-Stream-Source:" {
		return strings.Join(f[:6], " ") + " <identity>"
	}
	return l
}

var hdrs = regexp.MustCompile(`"hdrs":"([^"]*)"`)

// sorted shows the header of a message with its lines sorted: clients send them in no order.
func sorted(s string) string {
	return hdrs.ReplaceAllStringFunc(s, func(f string) string {
		b, err := base64.StdEncoding.DecodeString(f[len(`"hdrs":"`) : len(f)-1])
		if err != nil {
			return f
		}
		lines := strings.Split(string(b), "\r\n")
		for i, l := range lines {
			if strings.HasPrefix(l, "Nats-Time-Stamp: ") {
				lines[i] = "Nats-Time-Stamp: <time>"
			}
			lines[i] = maskSource(lines[i])
		}
		sort.Strings(lines)
		return fmt.Sprintf("hdrs:%q", lines)
	})
}

// mask also hides what a talk says is unlike.
func (p *peer) mask(s string) string {
	s = mask(s)
	for _, name := range p.listen.unlike {
		s = regexp.MustCompile(`"`+name+`":\{[^}]*\}`).ReplaceAllString(s, `"`+name+`":<unlike>`)
	}
	return s
}

// mask hides what differs between two runs of one broker.
func mask(s string) string {
	for _, m := range masks {
		s = m.re.ReplaceAllString(s, m.to)
	}
	return sorted(sources.ReplaceAllStringFunc(s, func(f string) string {
		list := strings.Split(strings.TrimSuffix(strings.TrimPrefix(f, `"sources":[`), `],"ts"`), `,{"name"`)
		for i := 1; i < len(list); i++ {
			list[i] = `{"name"` + list[i]
		}
		sort.Strings(list)
		return `"sources":[` + strings.Join(list, ",") + `],"ts"`
	}))
}

// sources finds what an info says of sources: nats-server names them in no order.
var sources = regexp.MustCompile(`"sources":\[\{"name":"[^"]*",("external":\{[^}]*\},)?"lag".*?\],"ts"`)

// tidy shows all streams with what they hold, and deletes them.
func (p *peer) tidy() string {
	p.holdings()
	for _, name := range p.streams() {
		_, err := p.nc.Request("$JS.API.STREAM.DELETE."+name, nil, patience)
		p.must(err)
	}
	return p.out.String()
}

func (p *peer) streams() []string {
	r, err := p.nc.Request("$JS.API.STREAM.NAMES", nil, patience)
	p.must(err)
	var l struct {
		Streams []string `json:"streams"`
	}
	p.must(json.Unmarshal(r.Data, &l))
	return l.Streams
}

// holdings shows infos and messages.
func (p *peer) holdings() string {
	p.out.Reset()
	for _, name := range p.streams() {
		r, err := p.nc.Request("$JS.API.STREAM.INFO."+name, []byte(`{"deleted_details":true,"subjects_filter":">"}`), patience)
		p.must(err)
		p.say("%s", strings.ReplaceAll(p.mask(string(r.Data)), `"active":-1`, `"active":<n>`)) // talks that end here may be ahead of mirrors
		var i struct {
			State struct {
				First uint64 `json:"first_seq"`
				Last  uint64 `json:"last_seq"`
			} `json:"state"`
		}
		p.must(json.Unmarshal(r.Data, &i))
		if p.consumers {
			r, err := p.nc.Request("$JS.API.CONSUMER.LIST."+name, nil, patience)
			p.must(err)
			p.say("%s", p.mask(string(r.Data)))
		}
		for seq := i.State.First; seq > 0 && seq <= i.State.Last && seq < i.State.First+100; seq++ {
			r, err := p.nc.Request("$JS.API.STREAM.MSG.GET."+name, fmt.Appendf(nil, `{"seq":%d}`, seq), patience)
			p.must(err)
			p.say("%s", p.mask(string(r.Data)))
		}
	}
	return p.out.String()
}

// diff shows the lines in which two texts differ.
func diff(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out strings.Builder
	for i := 0; i < max(len(a), len(b)); i++ {
		var l, r string
		if i < len(a) {
			l = a[i]
		}
		if i < len(b) {
			r = b[i]
		}
		if l != r {
			fmt.Fprintf(&out, "nats-server: %s\nnats-broker: %s\n", l, r)
		} else if !strings.HasPrefix(l, "  ") {
			fmt.Fprintf(&out, "%s\n", l)
		}
	}
	return out.String()
}
