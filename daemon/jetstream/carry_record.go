package jetstream

import (
	"github.com/nats-broker/nats-broker/daemon/consumer"
	"github.com/nats-broker/nats-broker/daemon/fields"
)

// What a process leaves for the next one that is in no file: streams in memory, whose messages are in a file of their own
// (carry_messages.go), consumers in memory, and of others what waits.

// carried is all of it. Whoever writes messages in another form gives tag 1 another number.
type carried struct {
	form      int
	streams   []carriedStream
	consumers []carriedConsumer
}

// carriedForm is the form of messages.
const carriedForm = 1

// Fields implements [fields.Record].
func (s *carried) Fields(c *fields.Codec) {
	fields.Number(c, 1, &s.form)
	fields.List(c, 2, &s.streams)
	fields.List(c, 3, &s.consumers)
}

// carriedStream is a stream in memory.
type carriedStream struct {
	account  string
	config   []byte // as JSON, complete
	created  int64
	last     uint64
	lastTime int64
	msgs     uint64
	from, to int64 // where its messages are in the file
	origin   string
	sourced  []byte // where it is with its sources

	schedules []byte // those that repeat, as package stream keeps them
}

// Fields implements [fields.Record].
func (s *carriedStream) Fields(c *fields.Codec) {
	c.Text(1, &s.account)
	c.Bytes(2, &s.config)
	fields.Number(c, 3, &s.created)
	fields.Number(c, 4, &s.last)
	fields.Number(c, 5, &s.lastTime)
	fields.Number(c, 6, &s.msgs)
	fields.Number(c, 7, &s.from)
	fields.Number(c, 8, &s.to)
	c.Text(9, &s.origin)
	c.Bytes(10, &s.sourced)
	c.Bytes(11, &s.schedules)
}

// carriedConsumer is a consumer; without a configuration it is one that is kept in files.
type carriedConsumer struct {
	account, stream, name string
	config                []byte // as JSON, complete
	created               int64
	state                 []byte
	live                  carriedLive
	waits                 []carriedWait
}

// Fields implements [fields.Record].
func (s *carriedConsumer) Fields(c *fields.Codec) {
	c.Text(1, &s.account)
	c.Text(2, &s.stream)
	c.Text(3, &s.name)
	c.Bytes(4, &s.config)
	fields.Number(c, 5, &s.created)
	c.Bytes(6, &s.state)
	c.Group(7, &s.live)
	fields.List(c, 8, &s.waits)
}

// carriedLive is what a machine knows of the moment.
type carriedLive struct{ consumer.Live }

// Fields implements [fields.Record].
func (s *carriedLive) Fields(c *fields.Codec) {
	fields.Number(c, 1, &s.Active)
	fields.Number(c, 2, &s.DeliveredTime)
	fields.Number(c, 3, &s.FloorTime)
	c.Text(4, &s.Pin)
	fields.Number(c, 5, &s.Pinned)
	fields.Number(c, 6, &s.PinEnds)
	fields.Number(c, 7, &s.Window)
	fields.Number(c, 8, &s.Sent)
	fields.Number(c, 9, &s.Covered)
	c.Text(10, &s.Asked)
	fields.Number(c, 11, &s.Rate.Seq)
	fields.Number(c, 12, &s.Rate.Until)
	fields.Number(c, 13, &s.Rate.Room)
	fields.Number(c, 14, &s.Rate.Filled)
	fields.Number(c, 15, &s.Rate.Last)
	fields.Number(c, 16, &s.Rate.UpTo)
	c.Text(17, &s.PinGroup)
	fields.Number(c, 18, &s.Passed)
}

// carriedWait is a pull request that waits, with what is left of it.
type carriedWait struct {
	to       string
	until    int64 // nanoseconds since 1970; 0: for ever
	delivers consumer.Request
}

// Fields implements [fields.Record]. Expires is until.
func (s *carriedWait) Fields(c *fields.Codec) {
	r := &s.delivers
	c.Text(1, &s.to)
	fields.Number(c, 2, &s.until)
	fields.Number(c, 3, &r.Batch)
	fields.Number(c, 4, &r.MaxBytes)
	c.Flag(5, &r.NoWait)
	fields.Number(c, 6, &r.Heartbeat)
	c.Text(7, &r.Group)
	fields.Number(c, 8, &r.MinPending)
	fields.Number(c, 9, &r.MinAckPending)
	fields.Number(c, 10, &r.Priority)
	c.Text(11, &r.ID)
	fields.Number(c, 12, &r.Delivered)
	c.Flag(13, &r.Plain)
}
