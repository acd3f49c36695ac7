package jetstream

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/nats-broker/nats-broker/daemon/consumer"
	"github.com/nats-broker/nats-broker/daemon/fields"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
)

// MaxCarried is how many bytes of messages in memory are handed over: while they are, clients wait, and they are in memory
// three times. A stream that does not fit goes on empty.
const MaxCarried = 256 << 20

// Rest ends deliveries, when nobody asks or acknowledges anything any more: what has come is taken in when it returns, unless ctx ends
// before. The answers have left after [Server.Quiet]. The server can only be left and stopped then.
func (s *Server) Rest(ctx context.Context) {
	s.resting.Store(true)
	s.each(func(a *account) {
		for _, st := range a.list() {
			st.restFollowing()
			for _, c := range st.consumers.all() {
				c.wake()
			}
		}
	})
	for ctx.Err() == nil && !s.deliverers.idle() {
		select {
		case <-ctx.Done():
		case <-time.After(quietStep):
		}
	}
	s.deliverers.stop()
}

// Leave returns what the next process is to go on with, for [Server.Inherit], and writes messages to a file. It follows
// [Server.Rest]; afterwards nothing is left to do but [Server.Stop], which tells nobody who waits.
func (s *Server) Leave(to io.Writer) (state []byte, err error) {
	s.left.Store(true)
	out := bufio.NewWriterSize(to, 1<<20)
	l := leaving{srv: s, to: out, list: carried{form: carriedForm}}
	s.each(l.account)
	s.mu.Lock()
	l.unclaimed(s.inherited)
	s.mu.Unlock()
	if l.err == nil {
		l.err = out.Flush()
	}
	if l.err != nil || len(l.list.streams) == 0 && len(l.list.consumers) == 0 {
		return nil, l.err
	}
	return fields.Append(nil, &l.list), nil
}

// leaving is what is being left.
type leaving struct {
	srv  *Server
	to   io.Writer
	at   int64 // bytes that were written
	list carried
	err  error
}

func (l *leaving) account(a *account) {
	for _, s := range a.list() {
		if s.kept == nil {
			l.stream(s)
		}
		for _, c := range s.consumers.all() {
			l.consumer(c)
		}
	}
}

// stream leaves a stream in memory.
func (l *leaving) stream(s *Stream) {
	if l.err != nil {
		return
	}
	config, err := json.Marshal(s.config.Load())
	if err != nil {
		l.err = err
		return
	}
	st := s.log.State()
	c := carriedStream{account: s.acc.name(), config: config, created: s.created.UnixNano(), last: st.Last, lastTime: st.LastTime, from: l.at, to: l.at}
	c.origin = s.originIdentity
	_, c.sourced = s.sourcedState()
	c.schedules = s.schedules()
	if uint64(l.at)+st.Bytes+carriedHead*st.Msgs > MaxCarried {
		l.srv.log.Error(fmt.Sprintf("JetStream stream '%s > %s' goes on empty: it has %d bytes in memory, and no more than %d of all streams are handed over",
			s.acc.name(), s.Name(), st.Bytes, MaxCarried))
	} else {
		n, size, err := writeMessages(l.to, s.log)
		c.msgs, c.to, l.err = n, l.at+size, err
		l.at = c.to
	}
	l.list.streams = append(l.list.streams, c)
}

// consumer leaves a consumer in memory, and of another one what waits.
func (l *leaving) consumer(c *Consumer) {
	x := carriedConsumer{account: c.s.acc.name(), stream: c.s.Name(), name: c.name}
	cfg := c.config.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.guard(func() {
		now := c.s.now()
		x.live.Live = c.m.Live()
		c.m.Waiting(now, func(to string, r consumer.Request) {
			w := carriedWait{to: to, delivers: r}
			if r.Expires != 0 {
				w.until = now + r.Expires
			}
			w.delivers.Expires = 0
			x.waits = append(x.waits, w)
		})
		x.waits = append(x.waits, c.returning...) // of a process before, that nobody has asked for yet
		if c.durable() {
			if live := &x.live; len(x.waits) > 0 || cfg.Push() || live.Pin != "" || live.DeliveredTime != 0 || live.FloorTime != 0 || cfg.InactiveThreshold > 0 {
				l.list.consumers = append(l.list.consumers, x)
			}
			return
		}
		x.created, x.state = c.created.UnixNano(), c.m.State()
		if x.config, l.err = marshal(cfg, l.err); l.err == nil {
			l.list.consumers = append(l.list.consumers, x)
		}
	})
}

func marshal(cfg *api.ConsumerConfig, before error) ([]byte, error) {
	if before != nil {
		return nil, before
	}
	return json.Marshal(cfg)
}

// unclaimed leaves what was left to this process, of accounts that have not come since.
func (l *leaving) unclaimed(x *inheritance) {
	if x == nil || l.err != nil {
		return
	}
	for _, c := range x.consumers {
		l.list.consumers = append(l.list.consumers, *c)
	}
	for _, s := range x.streams {
		n, err := io.Copy(l.to, io.NewSectionReader(x.file, s.from, s.to-s.from))
		if err != nil {
			l.err = err
			return
		}
		c := *s
		c.from, c.to = l.at, l.at+n
		l.at = c.to
		l.list.streams = append(l.list.streams, c)
	}
}
