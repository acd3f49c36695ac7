package jetstream

import (
	"bytes"
	"strings"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/consumer"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// letter is what came to a consumer: a pull request, an ack, an answer to flow control, or word of messages that are gone.
type letter struct {
	kind  letterKind
	told  consumer.Told
	reply string
	ack   api.AckRequest
	body  []byte // of a pull request
	flow  string // subject of an answer
	all   bool   // of a purge: everything that the consumer asks for
}

type letterKind uint8

const (
	ackLetter letterKind = iota
	pullLetter
	flowLetter
	removedLetter // the message told.Stream was taken out, as the told.Consumer-th
	purgeLetter   // messages were purged, those below told.Stream
)

func told(seq uint64) consumer.Told { return consumer.Told{Stream: seq} }

// post leaves a letter. It runs on a publisher's goroutine.
func (c *Consumer) post(l letter) {
	c.mailMu.Lock()
	c.mail = append(c.mail, l)
	c.mailMu.Unlock()
	c.wake()
}

// takeMail returns what has come. The slice is given back to [Consumer.readMail].
func (c *Consumer) takeMail() []letter {
	c.mailMu.Lock()
	defer c.mailMu.Unlock()
	mail := c.mail
	c.mail, c.spare = c.spare[:0], nil
	return mail
}

func (c *Consumer) readMail(mail []letter) {
	clear(mail)
	if cap(mail) > 4096 {
		mail = nil
	}
	c.mailMu.Lock()
	defer c.mailMu.Unlock()
	c.spare = mail[:0]
}

// ackRequest takes an ack off a publisher's hands.
func (c *Consumer) ackRequest(m *broker.Message) {
	if subject.IsJetStream(m.Reply) {
		return
	}
	at, ok := parseAckSubject(m.Subject)
	if !ok {
		return
	}
	l := letter{kind: ackLetter, told: at, ack: api.ParseAck(m.Payload)}
	if len(m.Reply) > 0 {
		l.reply = string(m.Reply)
	}
	l.ack.Next = bytes.Clone(l.ack.Next)
	c.post(l)
}

// parseAckSubject reads the subject of an ack of the plain form without allocating; others by package api.
func parseAckSubject(s []byte) (t consumer.Told, ok bool) {
	var field [9][]byte
	n, from := 0, 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' {
			continue
		}
		if n == len(field) {
			n++
			break
		}
		field[n] = s[from:i]
		n, from = n+1, i+1
	}
	if n != len(field) {
		a, ok := api.ParseAckSubject(string(s))
		return consumer.Told{Stream: a.Seq, Consumer: a.Num, Times: a.Times}, ok
	}
	times, ok1 := decimal(field[4])
	seq, ok2 := decimal(field[5])
	num, ok3 := decimal(field[6])
	return consumer.Told{Stream: seq, Consumer: num, Times: int(times)}, ok1 && ok2 && ok3
}

// decimal reads a number of 62 bits, as package api does: more than any sequence has.
func decimal(b []byte) (n uint64, ok bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	for _, d := range b {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + uint64(d-'0')
	}
	return n, n < 1<<62
}

// pullRequest takes a request for messages off a publisher's hands.
func (c *Consumer) pullRequest(m *broker.Message) {
	if len(m.Reply) == 0 || subject.IsJetStream(m.Reply) {
		return
	}
	if api.LevelRefused(m.Header) {
		c.s.acc.broker.Publish(string(m.Reply), "", []byte("NATS/1.0 412 Required Api Level\r\n\r\n"), nil)
		return
	}
	c.post(letter{kind: pullLetter, reply: string(m.Reply), body: bytes.Clone(m.Payload)})
}

// flowAnswer takes an answer to flow control off a publisher's hands.
func (c *Consumer) flowAnswer(m *broker.Message) {
	l := letter{kind: flowLetter, flow: string(m.Subject)}
	if v, ok := api.Header(m.Header, "Nats-Last-Stream"); ok {
		l.told.Stream, _ = decimal(v)
	}
	if v, ok := api.Header(m.Header, "Nats-Last-Consumer"); ok {
		l.told.Consumer, _ = decimal(v)
	}
	c.post(l)
}

// hear reads the mail if messages were taken out of the stream since it was read last: the machine must know before it
// looks at the stream again. mu and the stream's reading are held.
func (c *Consumer) hear(now int64) {
	n := c.s.watched.count.Load()
	if n == c.heard {
		return
	}
	c.heard = n
	mail := c.takeMail()
	c.read(mail, now)
	c.readMail(mail)
}

// read carries out what came. mu and the stream's reading are held.
func (c *Consumer) read(mail []letter, now int64) {
	for i := range mail {
		switch l := &mail[i]; l.kind {
		case pullLetter:
			c.pull(l.reply, l.body, now)
		case flowLetter:
			c.m.Answered(l.flow, l.told.Stream, l.told.Consumer, now)
		case removedLetter:
			c.m.Removed(l.told.Stream, l.told.Consumer, nil)
		case purgeLetter:
			c.m.Purged(l.told.Stream, l.all)
		default:
			c.ack(l, now)
		}
	}
}

func (c *Consumer) pull(to string, body []byte, now int64) {
	q, err := api.ParsePull(body)
	if err != nil {
		c.m.Refuse(to, "400 Bad Request - "+strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	c.m.Request(to, consumer.Request{
		Batch: q.Batch, MaxBytes: q.MaxBytes, Expires: int64(q.Expires), NoWait: q.NoWait, Heartbeat: int64(q.Heartbeat),
		Group: q.Group, MinPending: q.MinPending, MinAckPending: q.MinAckPending, Priority: q.Priority, ID: q.ID, Plain: q.Plain,
	}, now)
}

// ack carries out an ack, and notes whom to answer.
func (c *Consumer) ack(l *letter, now int64) {
	answer := l.told.Stream != 0
	switch l.ack.Kind {
	case api.AckDone:
		answer = c.m.Ack(l.told, now)
	case api.AckNext:
		c.m.Ack(l.told, now)
		if l.reply != "" {
			c.pull(l.reply, l.ack.Next, now)
		}
		answer = false
	case api.AckNak:
		if l.ack.Bad {
			c.s.acc.srv.log.Warn("JetStream consumer '" + c.title() + "' bad NAK delay value")
		}
		c.m.Nak(l.told, int64(l.ack.Delay), l.ack.Delayed, now)
	case api.AckProgress:
		c.m.Progress(l.told, now)
	case api.AckTerm:
		answer = c.m.Term(l.told, l.ack.Reason, now)
	}
	if answer && l.reply != "" {
		c.answers = append(c.answers, l.reply)
	}
}

func (c *Consumer) title() string { return c.s.acc.name() + " > " + c.s.Name() + " > " + c.name }
