package jetstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/jetstream/archive"
	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// A snapshot is a stream as an archive, compressed, in chunks that are sent to whoever asked for it, as many as he has room for. It is
// read while the stream goes on: it has the messages that there were when it began, but for those that went meanwhile.

// carriage ends what carries streams away or brings them when the account does.
type carriage struct {
	mu    sync.Mutex
	ended chan struct{}
	over  bool
}

// stops is closed when the account ends.
func (c *carriage) stops() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		c.ended = make(chan struct{})
	}
	return c.ended
}

// stop ends all of it.
func (c *carriage) stop() {
	c.stops()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.over = true
		close(c.ended)
	}
}

// snapshot begins to send a stream.
func (a *account) snapshot(r *request) {
	if api.IsEmpty(r.body) {
		a.fail(r, api.BadRequest.Error())
		return
	}
	s := a.target(r, 3)
	if s == nil {
		return
	}
	var q api.SnapshotRequest
	if !a.decode(r, &q) {
		return
	}
	if to := q.DeliverSubject; !subject.ValidStrict(to, false) || !subject.IsLiteral(to) || subject.IsReservedReply(to) || subject.HasEffect(to) {
		a.fail(r, api.DeliverSubjectInvalid.Error())
		return
	}
	stop := a.carriage.stops()
	a.srv.work.Go(func() { a.takeAway(r, s, &q, stop) })
}

// takeAway answers the request, and sends the archive.
func (a *account) takeAway(r *request, s *Stream, q *api.SnapshotRequest, stop <-chan struct{}) {
	start := time.Now().UTC()
	c, state := s.config.Load(), s.state(false)
	a.respond(r, api.SnapshotAnswer{Answer: r.op.Answer(), Config: c, State: &state})
	a.srv.log.Info("Starting snapshot for stream '" + a.name() + " > " + c.Name + "'")
	if to := advisories + "STREAM.SNAPSHOT_CREATE." + c.Name; a.broker.Interested(to) {
		a.advise(to, &snapshotEvent{newEvent("snapshot_create"), c.Name, state, a.asker(r), a.srv.options().Domain})
	}
	err := s.sendArchive(q, state, stop)
	end := time.Now().UTC()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if to := advisories + "STREAM.SNAPSHOT_COMPLETE." + c.Name; a.broker.Interested(to) {
		a.advise(to, &snapshotEndEvent{newEvent("snapshot_complete"), c.Name, start, end, a.asker(r), a.srv.options().Domain, text})
	}
	took := end.Sub(start).Round(time.Millisecond)
	if err != nil {
		a.srv.log.Warn(fmt.Sprintf("Snapshot for stream '%s > %s' failed after %v: %v", a.name(), c.Name, took, err))
		return
	}
	a.srv.log.Info(fmt.Sprintf("Completed snapshot of %d bytes for stream '%s > %s' in %v", state.Bytes, a.name(), c.Name, took))
}

// snapshotEvent tells that a snapshot was begun.
type snapshotEvent struct {
	event
	Stream string          `json:"stream"`
	State  api.StreamState `json:"state"`
	Client json.RawMessage `json:"client"`
	Domain string          `json:"domain,omitempty"`
}

// snapshotEndEvent tells that it was sent, or was not.
type snapshotEndEvent struct {
	event
	Stream string          `json:"stream"`
	Start  time.Time       `json:"start"`
	End    time.Time       `json:"end"`
	Client json.RawMessage `json:"client"`
	Domain string          `json:"domain,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// interestPatience is how long it is waited for somebody who listens.
const interestPatience = 2 * time.Second

// sendArchive sends the archive of the stream, in the state that was told of.
func (s *Stream) sendArchive(q *api.SnapshotRequest, state api.StreamState, stop <-chan struct{}) error {
	size, window := q.Chunks()
	pr, pw := io.Pipe()
	defer pr.Close()
	s.acc.srv.work.Go(func() {
		enc := s2.NewWriter(pw, s2.WriterConcurrency(1))
		err := s.writeArchive(archive.NewWriter(enc), state, !q.NoConsumers)
		if err == nil {
			err = enc.Close()
		}
		pw.CloseWithError(err)
	})
	x := chunks{s: s, to: q.DeliverSubject, size: size, room: make(chan struct{}, window), pub: s.acc.broker.NewPublisher(broker.FromStream)}
	defer x.pub.Close()
	return x.send(pr, stop)
}

// chunks sends what is read, piece by piece.
type chunks struct {
	s    *Stream
	to   string
	size int
	room chan struct{} // one for each chunk that may be sent
	pub  *broker.Publisher
}

var (
	errNoInterest = errors.New("no interest")
	errNoFlow     = errors.New("no flow response")
	errStopped    = errors.New("server shutdown")
)

func (x *chunks) send(r io.Reader, stop <-chan struct{}) error {
	acc := x.s.acc.broker
	heard := make(chan bool, 1)
	unwatch := acc.WatchNamed(x.to, "", func(is bool) {
		select {
		case <-heard: // an older one
		default:
		}
		heard <- is
	})
	defer unwatch()
	if err := x.awaitInterest(heard, stop); err != nil {
		return x.end(err, 0)
	}
	for range cap(x.room) {
		x.room <- struct{}{}
	}
	acks := "$JS.SNAPSHOT.ACK." + x.s.Name() + "." + randomID()
	sub, err := acc.SubscribeService(acks+".>", "", func(*broker.Message) {
		select {
		case x.room <- struct{}{}:
		default: // nothing was waited for
		}
	})
	if err != nil {
		return x.end(err, 0)
	}
	defer sub.Unsubscribe()
	for n := 1; ; n++ {
		if err := x.awaitRoom(heard, stop); err != nil {
			return x.end(err, n)
		}
		chunk := make([]byte, x.size)
		got, err := io.ReadFull(r, chunk)
		if err == nil {
			x.publish(fmt.Sprintf("%s.%d.%d", acks, got, n), nil, chunk)
			continue
		}
		if got > 0 {
			x.publish("", nil, chunk[:got])
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return x.end(nil, n)
		}
		return x.end(err, n)
	}
}

// awaitInterest waits for somebody who listens, for a while: clients may subscribe when they have the answer to their request, and
// before that get by a wildcard what they do not look at.
func (x *chunks) awaitInterest(heard <-chan bool, stop <-chan struct{}) error {
	patience := time.NewTimer(interestPatience)
	defer patience.Stop()
	for {
		select {
		case is := <-heard:
			if is {
				return nil
			}
		case <-patience.C:
			return nil // there may be somebody who has a wildcard
		case <-stop:
			return errStopped
		}
	}
}

// awaitRoom waits until a chunk may be sent.
func (x *chunks) awaitRoom(heard <-chan bool, stop <-chan struct{}) error {
	patience := time.NewTimer(api.FlowPatience)
	defer patience.Stop()
	for {
		select {
		case <-x.room:
			return nil
		case is := <-heard:
			if !is {
				return errNoInterest
			}
		case <-patience.C:
			return errNoFlow
		case <-stop:
			return errStopped
		}
	}
}

func (x *chunks) publish(reply string, header, payload []byte) {
	x.pub.Begin()
	x.pub.Send([]byte(x.to), []byte(reply), header, payload)
	if x.pub.End() {
		x.pub.Await(x.s.acc.srv.ending)
	}
}

// end says that nothing more comes, and why: n chunks were sent, or fewer.
func (x *chunks) end(err error, n int) error {
	var header []byte
	switch {
	case errors.Is(err, errNoInterest):
		header = []byte("NATS/1.0 408 No Interest\r\n\r\n")
	case errors.Is(err, errNoFlow):
		header = []byte("NATS/1.0 408 No Flow Response\r\n\r\n")
	case err != nil:
		header = fmt.Appendf(nil, "NATS/1.0 500 %s\r\n\r\n", err)
	case n > 1:
		header = []byte("NATS/1.0 204\r\n\r\n")
	}
	x.publish("", header, nil)
	return err
}

// writeArchive writes the stream down: its state, its consumers, the messages that it had.
func (s *Stream) writeArchive(w *archive.Writer, state api.StreamState, withConsumers bool) error {
	consumers := map[string]*api.ArchivedConsumer{}
	if withConsumers {
		for _, c := range s.consumers.all() {
			a, err := c.archived(state.LastSeq)
			if errors.Is(err, errDeleted) {
				continue
			}
			if err != nil {
				return fmt.Errorf("consumer %q: %w", c.name, err)
			}
			consumers[c.name] = a
		}
	}
	state.Consumers, state.Subjects, state.Deleted = len(consumers), nil, nil
	now := time.Now().UnixNano()
	if err := writeJSON(w, archive.State, now, state); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(consumers)) {
		if err := writeJSON(w, archive.Consumer+name, now, consumers[name]); err != nil {
			return err
		}
	}
	if err := s.writeMessages(w, state); err != nil {
		return err
	}
	return w.End()
}

func writeJSON(w *archive.Writer, name string, now int64, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.Write(name, now, 0, nil, b)
}

func (s *Stream) writeMessages(w *archive.Writer, state api.StreamState) error {
	var rec stream.Record
	for at := state.FirstSeq; at <= state.LastSeq; {
		seq, ok := s.log.Next(at, nil)
		if !ok || seq > state.LastSeq {
			break
		}
		at = seq + 1
		switch err := s.log.Load(seq, &rec); {
		case errors.Is(err, stream.ErrNoMessage):
			continue // it went meanwhile
		case err != nil:
			return fmt.Errorf("message %d: %w", seq, err)
		}
		if err := w.Write(string(rec.Subject), rec.Time, seq, rec.Header, rec.Payload); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errStreamClosed // what could not be found was not looked for
	}
	return nil
}

// archived is the consumer as it is carried away, as far as it concerns messages through last.
func (c *Consumer) archived(last uint64) (*api.ArchivedConsumer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.usable(); err != nil {
		return nil, err
	}
	p := c.m.Picture(last)
	x := &api.ConsumerState{
		Delivered: api.SequenceInfo{Consumer: p.Delivered.Consumer, Stream: p.Delivered.Stream},
		AckFloor:  api.SequenceInfo{Consumer: p.Floor.Consumer, Stream: p.Floor.Stream}, Redelivered: p.Redelivered,
	}
	if len(p.Pending) > 0 {
		x.Pending = make(map[uint64]api.PendingDelivery, len(p.Pending))
	}
	for _, w := range p.Pending {
		x.Pending[w.Stream] = api.PendingDelivery{Sequence: w.Consumer, Timestamp: w.Time}
	}
	cfg := c.config.Load().Clone()
	if cfg.Durable == "" {
		cfg.Name = c.name
	}
	return &api.ArchivedConsumer{Config: cfg, State: x}, nil
}
