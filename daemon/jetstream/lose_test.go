package jetstream

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// silent is a ledger that tells when frames come, and writes nothing.
type silent struct{ frames chan int }

func (l *silent) record(_ *Stream, _ [][]byte, _ uint64, count int, _ int64) { l.frames <- count }

func (l *silent) batch(_ *Stream, body [][]byte, _ []bool, _ uint64, _ int64) { l.frames <- len(body) }

func (l *silent) mirrored(_ *Stream, _ [][]byte, _ uint64, count int) { l.frames <- count }

func (l *silent) change(*Stream, stream.Change, int) { l.frames <- 1 }

// When the journal ends, what it was writing gets no answer, since nobody knows whether it is there; what waited behind it is
// refused, as is everything after it.
func TestWhatWaitedBehindAFailedCommitIsRefused(t *testing.T) {
	n := newNodeIn(t, t.TempDir())
	n.stream(jetstream.FileStorage, 1)
	s := n.server.lookup("$G").stream("S")
	l := &silent{make(chan int, 10)}
	s.mu.Lock()
	s.ledger = l
	s.mu.Unlock()
	sub := ok(n.nc.SubscribeSync("answer.*"))
	publish := func(i int) {
		t.Helper()
		ok(0, n.nc.PublishRequest("s.0", fmt.Sprintf("answer.%d", i), nil))
		ok(0, n.nc.Flush())
	}
	for i := range 3 {
		publish(i)
		if c := <-l.frames; c != 1 {
			t.Fatalf("%d messages", c)
		}
	}
	s.settle(1, 0, fmt.Errorf("%w: broken", journal.ErrUnknown))
	s.settle(1, 0, fmt.Errorf("%w: broken", journal.ErrReadOnly))
	s.settle(1, 0, fmt.Errorf("%w: broken", journal.ErrReadOnly))
	for _, want := range []string{"answer.1", "answer.2"} {
		m := ok(sub.NextMsg(patience))
		if m.Subject != want || !strings.Contains(string(m.Data), `"err_code":10077`) || !strings.Contains(string(m.Data), "broken") {
			t.Errorf("%s: %s", m.Subject, m.Data)
		}
	}
	publish(3)
	if m := ok(sub.NextMsg(patience)); m.Subject != "answer.3" || !strings.Contains(string(m.Data), `"err_code":10077`) {
		t.Errorf("%s: %s", m.Subject, m.Data)
	}
}
