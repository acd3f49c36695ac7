package daemon

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/nats-broker/nats-broker/daemon/broker"
	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/subject"
)

const (
	maxWatches    = 4
	shownSubject  = 256 // bytes of subject and reply that are kept
	defaultBytes  = 256
	defaultRate   = 100
	defaultLength = time.Minute
)

// watchMessages shows messages as they are published.
func (d *Daemon) watchMessages(_ context.Context, req *control.Request, peer control.Peer) control.Response {
	var q control.Watch
	err := decodeQuestion(req, &q)
	if err == nil {
		err = boundWatch(&q)
	}
	var a *broker.Account
	if err == nil {
		a, err = d.accountCalled(q.Account)
	}
	switch {
	case err != nil:
		return control.Response{Error: err.Error()}
	case !d.active.Load().cfg.Options.Process.ControlWatch:
		d.log.Event(logging.Warn, logging.ControlRefused, "Control socket: refused to show messages to "+peer.String()+", as configured", by(peer)...)
		return control.Response{Error: "not allowed: control_watch is off"}
	case d.watches.Add(1) > maxWatches:
		d.watches.Add(-1)
		return control.Response{Error: fmt.Sprintf("%d look at messages already", maxWatches)}
	}
	resp := control.Answered(control.Watching{Account: d.accountName(a.Name())})
	resp.Follow = func(ctx context.Context, say func(any) error) {
		defer d.watches.Add(-1)
		d.showMessages(ctx, a, &q, peer, say)
	}
	return resp
}

// boundWatch fills in defaults and refuses what is too much.
func boundWatch(q *control.Watch) error {
	if q.Bytes == 0 {
		q.Bytes = defaultBytes
	}
	if q.Rate == 0 {
		q.Rate = defaultRate
	}
	if q.For == 0 {
		q.For = defaultLength
	}
	switch {
	case !subject.ValidStrict(q.Subject, false):
		return fmt.Errorf("%q is not a valid subject", q.Subject)
	case q.Bytes < 0 || q.Bytes > control.MaxWatchBytes:
		return fmt.Errorf("at most %d bytes of a message are shown", control.MaxWatchBytes)
	case q.Rate < 1 || q.Rate > control.MaxWatchRate:
		return fmt.Errorf("at most %d messages are shown in a second, and at least one", control.MaxWatchRate)
	case q.For < 0 || q.For > control.MaxWatchTime:
		return fmt.Errorf("one looks at messages for at most %s", control.MaxWatchTime)
	case q.Count < 0:
		return fmt.Errorf("%d messages cannot be shown", q.Count)
	}
	return nil
}

// showMessages is the life of a watch.
func (d *Daemon) showMessages(ctx context.Context, a *broker.Account, q *control.Watch, peer control.Peer, say func(any) error) {
	about := by(peer, logging.String(logging.FieldAccount, a.Name()), logging.String(logging.FieldSubject, q.Subject))
	w := &window{bytes: q.Bytes, room: max(q.Rate/10, 1)}
	sub, err := a.LookOn(q.Subject, w.see)
	if err != nil {
		return // cannot be: the subject is valid
	}
	d.log.Event(logging.Warn, logging.MessagesWatched, fmt.Sprintf("%s looks at messages on %q of account %s", peer, q.Subject, d.accountName(a.Name())), about...)
	end := control.WatchEnd{}
	end.Why, end.Shown = d.show(ctx, q, w, say)
	sub.Unsubscribe()
	end.Seen, end.Missed = w.seen.Load(), w.missed.Load()
	_ = say(control.Watched{Time: time.Now(), End: &end}) // who has hung up does not want it
	d.log.Info(fmt.Sprintf("%s looks at messages on %q no more: %s, %s shown", peer, q.Subject, end.Why, counted(end.Shown, "message")), about...)
}

// show shows what comes into the window, as often as its rate allows, until something ends it.
func (d *Daemon) show(ctx context.Context, q *control.Watch, w *window, say func(any) error) (why string, shown uint64) {
	over := time.NewTimer(q.For)
	defer over.Stop()
	tick := time.NewTicker(time.Second * time.Duration(w.room) / time.Duration(q.Rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return "who asked hung up", shown
		case <-over.C:
			why = "the time is over"
		case <-tick.C:
		}
		if !d.active.Load().cfg.Options.Process.ControlWatch {
			return "control_watch is off now", shown
		}
		for _, m := range w.take() {
			if say(m) != nil {
				return "who asked does not read", shown
			}
			if shown++; q.Count > 0 && shown == uint64(q.Count) {
				return "the messages asked for were shown", shown
			}
		}
		if why != "" {
			return why, shown
		}
	}
}

// window holds the messages that wait to be shown, as much of them as is shown. What does not fit in is counted and not
// looked at: publishers wait for nobody.
type window struct {
	bytes, room  int
	seen, missed atomic.Uint64
	full         atomic.Bool

	mu   sync.Mutex // a leaf, held for a copy
	list []*control.Watched
}

// see runs on publishers' goroutines.
func (w *window) see(m *broker.Message) {
	w.seen.Add(1)
	if w.full.Load() {
		w.missed.Add(1)
		return
	}
	v := w.view(m)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.list) >= w.room {
		w.missed.Add(1)
		return
	}
	w.list = append(w.list, v)
	w.full.Store(len(w.list) >= w.room)
}

// take empties the window.
func (w *window) take() []*control.Watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.list
	w.list = nil
	w.full.Store(false)
	return list
}

var originNames = map[broker.Origin]string{
	broker.FromClient: "client", broker.Own: "server", broker.OwnOutward: "server", broker.FromStream: "stream", broker.FromRoute: "route",
	broker.FromLeaf: "leaf", broker.FromHub: "hub",
}

// view copies what is shown of a message.
func (w *window) view(m *broker.Message) *control.Watched {
	v := &control.Watched{
		Time: time.Now(), Subject: shorten(m.Subject, shownSubject), Reply: shorten(m.Reply, shownSubject), From: originNames[m.From],
		HeaderSize: len(m.Header), Size: len(m.Payload),
	}
	if m.Client != nil {
		v.CID = m.Client.CID()
	}
	if v.Hidden = secretive(v.Subject); v.Hidden {
		return v
	}
	v.Header = shorten(m.Header, w.bytes)
	if payload := m.Payload[:min(len(m.Payload), w.bytes)]; readableText(payload) {
		v.Payload = shorten(m.Payload, w.bytes)
	} else {
		v.Payload, v.Binary = base64.StdEncoding.EncodeToString(maskedStart(m.Payload, w.bytes)), true
	}
	return v
}

// secretive reports whether messages on a subject may hold credentials: what is asked of servers and of those who decide
// who may connect.
func secretive(subject string) bool { return strings.HasPrefix(subject, "$SYS.REQ.") }

// shorten copies the beginning of a text.
func shorten(text []byte, most int) string {
	return strings.ToValidUTF8(string(maskedStart(text, most)), "")
}

// seedLength is how long what is masked has to be to be known by its form, at most.
const seedLength = 64

// maskedStart is the beginning of a text without what is known to be a secret, also of one that begins right before the
// cut. It may alias text.
func maskedStart(text []byte, most int) []byte {
	masked := logging.RedactPayload(text[:min(len(text), most+seedLength)])
	return masked[:min(len(masked), most)]
}

// readableText reports whether a payload is text, also if its last character is cut off.
func readableText(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && n == 1:
			return len(b) < utf8.UTFMax && !utf8.FullRune(b)
		case r < ' ' && r != '\n' && r != '\r' && r != '\t', r == 0x7f:
			return false
		}
		b = b[n:]
	}
	return true
}
