package broker

import (
	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/transport"
)

// movedFrames are the frames of a WebSocket connection.
type movedFrames struct{ frames transport.Frames }

// Fields implements [fields.Record].
func (m *movedFrames) Fields(f *fields.Codec) {
	s := &m.frames
	f.Flag(1, &s.Unmasked)
	f.Flag(2, &s.Deflate)
	f.Flag(3, &s.Context)
	fields.Number(f, 4, &s.MaxPacked)
	f.Flag(5, &s.From.Open)
	f.Flag(6, &s.From.Packed)
	f.Bytes(7, &s.From.Head)
	f.Flag(8, &s.From.InFrame)
	fields.Number(f, 9, (*uint8)(&s.From.Op))
	fields.Number(f, 10, &s.From.Left)
	fields.Number(f, 11, &s.From.Mask)
	f.Bytes(12, &s.From.Control)
	f.Bytes(13, &s.Raw)
	f.Bytes(14, &s.Message)
	f.Flag(15, &s.Whole)
	fields.Number(f, 16, &s.Came)
	f.Bytes(17, &s.Head)
	fields.Number(f, 18, &s.Left)
	f.Bytes(19, &s.Kept)
	fields.Number(f, 20, &s.Ahead)
	f.Bytes(21, &s.Spoke)
	f.Bytes(22, &s.Last)
}

// transport is what transport wants to know; nil for a connection without frames.
func (m *movedFrames) transport() *transport.Frames {
	if m == nil {
		return nil
	}
	return &m.frames
}

// KnowDoor has connections that came by a door of that name in the process before this one go on by d. It must be
// called before [Broker.Restore].
func (b *Broker) KnowDoor(d *Door) {
	d.complete()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.doors == nil {
		b.doors = make(map[string]*Door)
	}
	b.doors[d.Name] = d
}

// passageOf is how a connection of another process goes on; nil if there is no way.
func (b *Broker) passageOf(m *movedClient) *passage {
	if m.door == "" && m.frames == nil {
		return b.front.Load()
	}
	b.mu.RLock()
	d := b.doors[m.door]
	b.mu.RUnlock()
	if d == nil || m.frames == nil {
		return nil
	}
	return &passage{door: d, via: m.via}
}

// carriedTLS is the encryption that the connection would have if it came now; nil: none.
func (c *Client) carriedTLS() *transport.TLS {
	if d := c.by.door; !d.standard {
		return d.TLS
	}
	return c.broker.opts.Load().TLS
}
