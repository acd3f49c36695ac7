package transport

import (
	"fmt"
	"os"
	"time"
)

// Pack makes both directions of the connection compressed streams, in the framing of
// S2. It is to be called by the handler, on its reader: what Out was given before goes
// as it is, what it is given from now on is compressed; and what follows the bytes that
// this call of the handler consumes is unpacked. The caller consumes no more than what
// the peer has sent before it did the same.
//
// It waits until what was sent before is with the kernel, at most for limit.
func (c *Conn) Pack(how Packing, limit time.Duration) error {
	if err := c.awaitSent(limit); err != nil {
		return fmt.Errorf("compression: the peer does not read: %w", os.ErrDeadlineExceeded)
	}
	k := &packer{fd: c.fd}
	k.how.Store(int32(how))
	c.Out.mu.Lock()
	if s, ok := c.Out.sink.(*filterSink); ok {
		k.below = s.filter
	}
	c.Out.sink = &filterSink{filter: k}
	c.Out.mu.Unlock()
	c.unpack = &unpacker{intake: intake{fd: c.fd, below: c.src}}
	return nil
}

// Repack changes how hard the output is compressed; it does nothing on a connection
// that is not compressed. It may be called from any goroutine.
func (c *Conn) Repack(how Packing) {
	c.Out.mu.Lock()
	defer c.Out.mu.Unlock()
	if s, ok := c.Out.sink.(*filterSink); ok {
		if k, ok := s.filter.(*packer); ok {
			k.how.Store(int32(how))
		}
	}
}
