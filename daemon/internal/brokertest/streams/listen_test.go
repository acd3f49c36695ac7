package streams

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// listening is who listens in a talk about consumers, and what came. Steps:
//
//	pull NAME [BODY]        asks consumer c of stream S for messages; they come to NAME. %pin is the pin seen last
//	join NAME SUBJECT [Q]   NAME listens on a subject, in a queue group
//	leave NAME              NAME does not listen any more
//	take NAME N             the next N messages of NAME
//	none NAME               nothing comes to NAME: for longer than a hark waits
//	hark NAME               what comes to NAME until nothing does for a while
//	all NAME                what has come to NAME
//	fast SUBJECT REPLY [BODY]  a message with a reply subject of its own
//	begin N                 begins N fast batches, of which nobody hears
//	ack SEQ [BODY]          answers the last delivery of a message and waits for the answer to that
//	say SEQ [BODY]          the same without waiting
//	next SEQ NAME [BODY]    the same, with NAME as the reply subject
//	answer NAME             answers the last message of NAME with an empty one
//	info                    what is told of the consumer
//	unlike NAME             a field that differs, for a reason that the manual gives, is not compared
type listening struct {
	ears    map[string]*nats.Subscription
	asked   []*nats.Subscription // for answers
	replies map[string]string    // of the last delivery, by stream sequence
	last    map[string]string    // reply subject of the last message, by who heard it
	pin     string
	stream  string
	unlike  []string
	head    nats.Header // of the next message
}

func (l *listening) end() {
	for _, s := range l.asked {
		_ = s.Unsubscribe() // the connection may be gone
	}
	for _, s := range l.ears {
		_ = s.Unsubscribe()
	}
}

// hearing plays one of these steps, if it is one.
func (p *peer) hearing(verb, rest string) bool {
	name, body, _ := strings.Cut(rest, " ")
	body = strings.ReplaceAll(body, "%pin", p.listen.pin)
	switch verb {
	case "pull":
		p.pull(name, body)
	case "join":
		subj, queue, _ := strings.Cut(body, " ")
		p.join(name, subj, queue)
	case "unlike":
		p.listen.unlike = append(p.listen.unlike, name)
	case "leave":
		p.must(p.listen.ears[name].Unsubscribe())
		delete(p.listen.ears, name)
		p.must(p.nc.Flush())
	case "take":
		n, err := strconv.Atoi(body)
		p.must(err)
		p.sorted(name, func() bool {
			n--
			return n >= 0 && (p.next(name, p.wait) || p.say("  nothing"))
		})
	case "none":
		if !p.next(name, 20*p.quiet) {
			p.say("  nothing")
		}
	case "hark":
		p.sorted(name, func() bool { return p.next(name, p.quiet) })
	case "all":
		for p.next(name, time.Millisecond) {
		}
	case "fast":
		reply, body, _ := strings.Cut(body, " ")
		p.must(p.nc.PublishMsg(&nats.Msg{Subject: name, Reply: reply, Data: []byte(body), Header: p.listen.head}))
	case "begin":
		n, err := strconv.Atoi(name)
		p.must(err)
		for i := range n {
			p.must(p.nc.PublishRequest("a.x", fmt.Sprintf("none.b%d.10.ok.1.0.$FI", i), []byte("x")))
		}
	case "ack":
		if to := p.listen.replies[name]; to == "" {
			p.say("  nothing to answer")
		} else {
			p.ask(&nats.Msg{Subject: to, Data: []byte(body)}, p.wait)
		}
	case "say":
		p.must(p.nc.Publish(p.listen.replies[name], []byte(body)))
		p.must(p.nc.Flush())
	case "next":
		who, body, _ := strings.Cut(body, " ")
		if p.listen.ears[who] == nil {
			p.join(who, nats.NewInbox(), "")
		}
		p.must(p.nc.PublishRequest(p.listen.replies[name], p.listen.ears[who].Subject, []byte(body)))
		p.must(p.nc.Flush())
	case "answer":
		p.must(p.nc.Publish(p.listen.last[name], nil))
		p.must(p.nc.Flush())
	case "info":
		p.request(&nats.Msg{Subject: "$JS.API.CONSUMER.INFO." + p.listen.stream + ".c"})
	default:
		return false
	}
	return true
}

// sorted shows what somebody hears, by subject if it is advisories: in nats-server several goroutines send them.
func (p *peer) sorted(name string, next func() bool) {
	before := p.out.String()
	var said []string
	for at := len(before); ; at = p.out.Len() {
		more := next()
		said = append(said, p.out.String()[at:])
		if !more {
			break
		}
	}
	if strings.HasPrefix(name, "adv") {
		slices.Sort(said)
	}
	p.out.Reset()
	p.out.WriteString(before + strings.Join(said, ""))
}

func (p *peer) join(name, subj, queue string) {
	sub, err := p.nc.QueueSubscribeSync(subj, queue)
	p.must(err)
	p.must(p.nc.Flush())
	p.listen.ears[name] = sub
}

func (p *peer) pull(name, body string) {
	l := &p.listen
	if l.ears[name] == nil {
		p.join(name, nats.NewInbox(), "")
	}
	p.must(p.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+l.stream+".c", l.ears[name].Subject, []byte(body)))
	p.must(p.nc.Flush())
}

// next shows the next message that somebody hears.
func (p *peer) next(name string, wait time.Duration) bool {
	sub := p.listen.ears[name]
	m, err := sub.NextMsg(wait)
	for err == nil && p.late(m) {
		m, err = sub.NextMsg(wait)
	}
	if err != nil {
		return false
	}
	subj := m.Subject
	if subj == sub.Subject && strings.HasPrefix(subj, "_INBOX.") {
		subj = name
	}
	p.say("  on %s, reply %s", subj, maskReply(m.Reply))
	if t := strings.Split(m.Reply, "."); len(t) == 9 && t[1] == "ACK" {
		p.listen.replies[t[5]] = m.Reply
	}
	p.listen.last[name] = m.Reply
	p.show(m)
	return true
}

var (
	ackTime = regexp.MustCompile(`^(\$JS\.ACK(?:\.[^.]+){5})\.\d+(\.\d+)$`)
	flowID  = regexp.MustCompile(`^(\$JS\.FC\.[^.]+\.[^.]+)\..+$`)
)

// maskReply hides the time in the reply subject of a delivery, and what is random in that of a flow control message.
func maskReply(s string) string {
	return flowID.ReplaceAllString(ackTime.ReplaceAllString(s, `$1.<time>$2`), `$1.<id>`)
}
