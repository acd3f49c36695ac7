package jetstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/jetstream/api"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

// A stream is restored from an archive that comes in chunks, each a request that is answered when it has been read. Nobody sees the
// stream before all of it is there.

// restore begins to take an archive.
func (a *account) restore(r *request) {
	if api.IsEmpty(r.body) {
		a.fail(r, api.BadRequest.Error())
		return
	}
	var q api.RestoreRequest
	if !a.decode(r, &q) {
		return
	}
	name := api.Token(r.subject, 3)
	if q.Config.Name == "" {
		q.Config.Name = name
	}
	c, err := a.mayRestore(name, &q.Config)
	if err != nil {
		a.fail(r, err)
		return
	}
	to := "$JS.SNAPSHOT.RESTORE." + name + "." + randomID()
	x := &delivery{a: a, config: c, state: q.State, start: time.Now().UTC(), came: make(chan piece, mostPieces), client: a.asker(r), stop: a.carriage.stops()}
	sub, failed := a.broker.SubscribeService(to, "", x.take)
	if failed != nil {
		a.fail(r, api.RestoreSubscribe.Error(to, failed))
		return
	}
	x.sub = sub
	a.srv.log.Info("Starting restore for stream '" + a.name() + " > " + name + "'")
	if to := advisories + "STREAM.RESTORE_CREATE." + name; a.broker.Interested(to) {
		a.advise(to, &restoreEvent{newEvent("restore_create"), name, x.client, a.srv.options().Domain})
	}
	a.respond(r, api.RestoreAnswer{Answer: r.op.Answer(), DeliverSubject: to})
	a.srv.work.Go(x.run)
}

// mayRestore checks what can be checked before the archive has come.
func (a *account) mayRestore(name string, asked *api.StreamConfig) (*api.StreamConfig, *api.Error) {
	if name != asked.Name {
		return nil, api.NameMismatch.Error()
	}
	if bytes.ContainsAny([]byte(name), `\/`) {
		return nil, api.NameWithSeparators.Error()
	}
	asked.Stamp()
	c, err := asked.Check(a.surroundings(), false)
	if err != nil {
		return nil, err
	}
	if err := a.fits(c, reserves(c.MaxBytes), reserves(c.MaxBytes)); err != nil {
		return nil, err
	}
	if l, _ := a.allowed(); l.MaxStreams > 0 && len(a.list()) >= l.MaxStreams {
		return nil, api.TooManyStreams.Error()
	}
	if a.stream(name) != nil {
		return nil, api.RestoreExists.Error()
	}
	return c, c.Unbuilt()
}

// restoreEvent tells that a restore was begun.
type restoreEvent struct {
	event
	Stream string          `json:"stream"`
	Client json.RawMessage `json:"client"`
	Domain string          `json:"domain,omitempty"`
}

// restoreEndEvent tells that it came to its end.
type restoreEndEvent struct {
	event
	Stream string          `json:"stream"`
	Start  time.Time       `json:"start"`
	End    time.Time       `json:"end"`
	Bytes  int64           `json:"bytes"`
	Client json.RawMessage `json:"client"`
	Domain string          `json:"domain,omitempty"`
}

// piece is a chunk; without bytes it says that there are no more.
type piece struct {
	reply string
	body  []byte
}

// What may wait to be read.
const (
	mostPieces = 1024
	mostWaits  = 64 << 20 // bytes
)

// delivery is an archive on its way in.
type delivery struct {
	a      *account
	config *api.StreamConfig
	state  api.StreamState // as the request says
	start  time.Time
	client json.RawMessage
	sub    *broker.InternalSubscription
	stop   <-chan struct{}
	came   chan piece

	mu    sync.Mutex
	waits int  // bytes
	lost  bool // more came than may wait

	// Of the goroutine that reads.
	at    piece // what is being read, and the part of it that is not
	rest  []byte
	total int64
	ended string // reply subject of the piece that ended it
	over  bool
}

// take takes a chunk off a publisher's hands.
func (x *delivery) take(m *broker.Message) {
	if subject.IsJetStream(m.Reply) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lost {
		return
	}
	select {
	case x.came <- piece{string(m.Reply), bytes.Clone(m.Payload)}:
		x.waits += len(m.Payload)
		x.lost = x.waits > mostWaits
	default:
		x.lost = true
	}
}

// Errors of an archive that comes.
var (
	errNoReply = errors.New("requires reply subject for each chunk")
	errStalled = errors.New("is stalled")
	errTooMuch = errors.New("sends more than may wait")
)

// next waits for the next chunk. What was read before is answered first.
func (x *delivery) next() error {
	if x.at.reply != "" {
		x.a.broker.Publish(x.at.reply, "", nil, nil)
		x.at = piece{}
	}
	patience := time.NewTimer(api.FlowPatience)
	defer patience.Stop()
	select {
	case x.at = <-x.came:
	case <-patience.C:
		return x.because(errStalled)
	case <-x.stop:
		return errStopped
	}
	x.mu.Lock()
	x.waits -= len(x.at.body)
	lost := x.lost
	x.mu.Unlock()
	switch {
	case lost:
		return x.because(errTooMuch)
	case x.at.reply == "":
		return x.because(errNoReply)
	case len(x.at.body) == 0:
		x.over, x.ended, x.at = true, x.at.reply, piece{}
		return io.EOF
	}
	x.rest = x.at.body
	x.total += int64(len(x.rest))
	return nil
}

func (x *delivery) because(err error) error {
	return fmt.Errorf("restore for stream '%s > %s' %w", x.a.name(), x.config.Name, err)
}

// Read implements io.Reader.
func (x *delivery) Read(b []byte) (int, error) {
	for len(x.rest) == 0 {
		if x.over {
			return 0, io.EOF
		}
		if err := x.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, x.rest)
	x.rest = x.rest[n:]
	return n, nil
}

// run reads the archive, makes the stream, and answers.
func (x *delivery) run() {
	a := x.a
	info, err := x.build()
	if err == nil {
		// Whoever sends learns of the end with the piece that ends it.
		for !x.over && err == nil {
			err = x.next()
		}
		if errors.Is(err, io.EOF) || info != nil {
			err = nil
		}
	}
	x.sub.Unsubscribe() // before anybody hears of the end: who sends more then finds nobody
	end := time.Now().UTC()
	name := x.config.Name
	if to := advisories + "STREAM.RESTORE_COMPLETE." + name; a.broker.Interested(to) {
		a.advise(to, &restoreEndEvent{newEvent("restore_complete"), name, x.start, end, x.total, x.client, a.srv.options().Domain})
	}
	reply := x.ended
	if reply == "" {
		reply = x.at.reply
	}
	out := api.CreateAnswer{Answer: api.StreamCreateOp.Answer(), StreamInfo: info}
	took := end.Sub(x.start).Round(time.Millisecond)
	if err != nil {
		var told *api.Error
		if !errors.As(err, &told) {
			told = api.Restore.Error(err)
		}
		out.Answer.Error, out.StreamInfo = told, nil
		a.srv.log.Warn(fmt.Sprintf("Restore failed for %d bytes for stream '%s > %s' in %v: %v", x.total, a.name(), name, took, err))
	} else {
		a.srv.log.Info(fmt.Sprintf("Completed restore of %d bytes for stream '%s > %s' in %v", x.total, a.name(), name, took))
	}
	if b, err := json.Marshal(out); err == nil && reply != "" {
		a.broker.Publish(reply, "", nil, b)
	}
}
