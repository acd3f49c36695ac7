package jetstream

import (
	"errors"
	"strconv"
	"time"

	"github.com/nats-broker/nats-broker/daemon/budget"
	"github.com/nats-broker/nats-broker/daemon/consumer"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// What a consumer may deliver in one round, before others have their turn.
const (
	roundMsgs  = 512
	roundBytes = 256 << 10
)

// wake has a round gone with the consumer, soon.
func (c *Consumer) wake() {
	if c.pokes.Add(1) == 1 {
		c.s.acc.srv.deliverers.put(c)
	}
}

// round takes in what has come, and delivers what can be delivered, up to its share. It reports whether there is
// more to do at once.
func (c *Consumer) round() (more bool) {
	seen := c.pokes.Load()
	full, rests := c.lockedRound()
	switch {
	case rests:
		return false // pokes stay: nobody puts it in line again, but who has it rest
	case full:
		return true
	}
	return c.pokes.Add(-seen) > 0
}

// lockedRound is a round but for what follows from it; rests says that none follows.
func (c *Consumer) lockedRound() (full, rests bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false, true
	}
	ok := c.guard(func() {
		c.before = c.m.Mark()
		c.pub.Begin()
		now := c.s.now()
		ended := c.takeIn(now)
		c.speak()
		full = !c.s.acc.srv.resting.Load() && c.deliver(now)
		c.keep()
		rests = c.pub.End()
		c.advise()
		c.setTimer()
		if ended {
			c.s.acc.srv.work.Go(c.end)
		}
		c.lowest.Store(c.m.Lowest())
		c.weigh(c.m.Bytes())
		if rests {
			c.brake()
		}
	})
	return full, rests || !ok
}

// takeIn has the machine know what time it is, and what has come. It reports whether nobody has used the consumer for long
// enough. mu is held.
func (c *Consumer) takeIn(now int64) (ended bool) {
	c.s.reading.RLock()
	defer c.s.reading.RUnlock()
	c.heard = c.s.watched.count.Load()
	mail := c.takeMail()
	defer c.readMail(mail)
	ended = c.m.Tick(now) && len(mail) == 0
	c.read(mail, now)
	return ended
}

// end takes away a consumer that nobody has used for long enough, and still does not.
func (c *Consumer) end() {
	a := c.s.acc
	a.changing.Lock()
	defer a.changing.Unlock()
	if !c.unused() {
		c.wake()
		return
	}
	if err := a.dropConsumer(c); err != nil {
		a.srv.log.Error("JetStream consumer '" + c.title() + "' cannot be deleted: " + err.Error())
	}
}

// unused reports whether nobody has used the consumer for long enough.
func (c *Consumer) unused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	unused := false
	if !c.closed {
		c.guard(func() { unused = c.takeIn(c.s.now()) })
	}
	return unused
}

// brake lets the consumer rest until other servers have taken what was sent to them. mu is held.
func (c *Consumer) brake() {
	c.s.acc.srv.work.Go(func() {
		c.pub.Await(func() bool { return c.s.acc.srv.ending() })
		c.s.acc.srv.deliverers.put(c)
	})
}

// deliver delivers messages, and reports whether there were more than one round may deliver. mu is held.
func (c *Consumer) deliver(now int64) (full bool) {
	bytes := 0
	for n := 0; n < roundMsgs && bytes < roundBytes; n++ {
		if n&63 == 63 {
			now = c.s.now()
		}
		size, ok := c.deliverOne(now)
		c.speak()
		if !ok {
			c.waitForMore(now)
			return false
		}
		bytes += size
	}
	return true
}

// deliverOne delivers the next message, or steps over one that is not there.
func (c *Consumer) deliverOne(now int64) (size int, ok bool) {
	c.s.reading.RLock()
	defer c.s.reading.RUnlock()
	c.hear(now)
	w, ok := c.m.Next(now)
	if !ok {
		return 0, false
	}
	switch err := c.s.log.Load(w.Seq, &c.rec); {
	case err == nil:
	case errors.Is(err, stream.ErrNoMessage):
		c.m.Missing(w)
		return 0, true
	case errors.Is(err, stream.ErrNotNow):
		c.rest(w.Seq, err)
		return 0, false
	default:
		c.s.acc.srv.log.Error("Consumer '" + c.title() + "' steps over message " + strconv.FormatUint(w.Seq, 10) + ": " + err.Error())
		c.m.Unreadable(w)
		c.stepped.times++
		c.stepped.last = w.Seq
		return 0, true
	}
	header, payload := c.rec.Header, c.rec.Payload
	if c.config.Load().HeadersOnly {
		header, payload = c.withSize(header, len(payload)), nil
	}
	size = len(c.rec.Subject) + len(header) + len(payload)
	d, what := c.m.Deliver(w, size, c.rec.Time, now)
	if what != consumer.Sent {
		return 0, false
	}
	if d.Pin != "" {
		header = c.withHeader(header, "Nats-Pin-Id", d.Pin)
	}
	c.text = append(c.text[:0], d.To...)
	c.pub.SendAs(c.text, c.rec.Subject, d.Reply, header, payload)
	return size, true
}

// weigh notes how much memory the consumer takes. mu is held.
func (c *Consumer) weigh(bytes int64) {
	c.s.memory.add(budget.Windows, bytes-c.weight)
	c.weight = bytes
}

// restFor is how long a consumer waits for a message that cannot be read for now.
const restFor = time.Second

// rest has the consumer try again later. mu is held.
func (c *Consumer) rest(seq uint64, err error) {
	if c.resting != "" {
		return
	}
	c.resting = "message " + strconv.FormatUint(seq, 10) + ": " + err.Error()
	c.s.consumers.resting.Add(1)
	c.s.acc.srv.log.Warn("Consumer '" + c.title() + "' waits for " + c.resting)
	time.AfterFunc(restFor, func() {
		c.mu.Lock()
		c.resting = ""
		c.s.consumers.resting.Add(-1)
		c.mu.Unlock()
		c.wake()
	})
}

// withSize adds the size of the payload that is left out to a header.
func (c *Consumer) withSize(header []byte, n int) []byte {
	return c.withHeader(header, "Nats-Msg-Size", strconv.Itoa(n))
}

// withHeader returns a header with one more line; it is a new slice. One that is not longer than its end counts as none:
// whoever publishes says how long a header is.
func (c *Consumer) withHeader(header []byte, name, value string) []byte {
	if len(header) <= len("\r\n") {
		header = []byte("NATS/1.0\r\n\r\n")
	}
	b := append(make([]byte, 0, len(header)+len(name)+len(value)+4), header[:len(header)-2]...)
	return append(append(append(append(append(b, name...), ": "...), value...), "\r\n"...), "\r\n"...)
}

// speak sends the statuses that the machine has for those who wait. mu is held, the batch has begun.
func (c *Consumer) speak() {
	for _, s := range c.m.Statuses() {
		b := append(append([]byte("NATS/1.0 "), s.Line...), "\r\n"...)
		if s.Left {
			b = line(line(b, "Nats-Pending-Messages", int64(s.Msgs)), "Nats-Pending-Bytes", int64(s.Bytes))
		}
		if s.Last {
			b = line(line(b, "Nats-Last-Consumer", int64(s.LastConsumer)), "Nats-Last-Stream", int64(s.LastStream))
		}
		if s.Stalled != "" {
			b = append(append(append(b, "Nats-Consumer-Stalled: "...), s.Stalled...), "\r\n"...)
		}
		c.pub.Send([]byte(s.To), []byte(s.Reply), append(b, "\r\n"...), nil)
	}
}

func line(b []byte, name string, n int64) []byte {
	return append(strconv.AppendInt(append(append(b, name...), ": "...), n, 10), "\r\n"...)
}

// keep has changes remembered, and acks answered once they are. mu is held, the batch has begun.
func (c *Consumer) keep() {
	answers := c.answers
	c.answers = nil
	if c.lets {
		c.settles(answers)
		return
	}
	if c.durable() {
		c.writeChanges(answers)
		return
	}
	c.m.Changes()
	for _, to := range answers {
		c.pub.Send([]byte(to), nil, nil, nil)
	}
}

// waitForMore has new messages wake the consumer, if it is they that it waits for. mu is held.
func (c *Consumer) waitForMore(now int64) {
	var why consumer.Idle
	c.s.look(func() { why = c.m.Why(now) })
	if why.Reason != consumer.IdleNothing && why.Reason != consumer.IdleOthers {
		return
	}
	c.s.consumers.starve(c)
	if _, last := c.s.log.Bounds(); last > why.After { // one came meanwhile, and nobody was told
		c.wake()
	}
}

// setTimer sees to it that there is a round when the machine asks for one. mu is held.
func (c *Consumer) setTimer() {
	due := c.m.Deadline()
	if due == c.due && c.timer != nil {
		return
	}
	c.due = due
	wait := time.Duration(due - c.s.now())
	if wait > 1<<61 {
		if c.timer != nil {
			c.timer.Stop()
		}
		return
	}
	wait = max(wait, time.Millisecond)
	if c.timer == nil {
		c.timer = time.AfterFunc(wait, c.ring)
		return
	}
	c.timer.Reset(wait)
}

// ring is the timer's.
func (c *Consumer) ring() {
	c.mu.Lock()
	c.due = 0
	c.mu.Unlock()
	c.wake()
}
