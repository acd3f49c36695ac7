package consumer

import (
	"testing"

	"github.com/nats-broker/nats-broker/daemon/subjects"
)

// endless is a stream that has every sequence up to last, all on one subject.
type endless struct{ last uint64 }

func (w *endless) Bounds() (uint64, uint64) { return 1, w.last }

func (w *endless) Next(from uint64, _ *subjects.Filter) (uint64, bool) { return from, from <= w.last }

func (w *endless) Prev(from uint64, _ *subjects.Filter) (uint64, bool) {
	return min(from, w.last), w.last > 0
}

func (w *endless) Count(_ *subjects.Filter, from, upTo uint64) uint64 { return upTo + 1 - from }

func (w *endless) AtTime(int64) (uint64, bool) { return 1, w.last > 0 }

func (w *endless) LastPerSubject(*subjects.Filter) ([]uint64, error) { return nil, nil }

func (w *endless) Interested(string) bool { return true }

func (w *endless) Bound(string, string) bool { return true }

func (w *endless) NewID() string { return "id" }

func (*endless) Removals() uint64 { return 0 }

// The longest duration there is means for ever: nothing that waits so long is over at once.
func TestForEver(t *testing.T) {
	year := 365 * day
	for name, cfg := range map[string]Config{
		"ack_wait": {AckWait: never}, "backoff": {Backoff: []int64{never, never}}, "inactive_threshold": {AckWait: never, Inactive: never},
	} {
		cfg.Ack = AckExplicit
		c := newTalk(cfg, stream("a"))
		c.Request("x", Request{Batch: 1}, c.now)
		expect(t, c.run(), "x<-1/1 #1 left 0")
		m, err := c.again(nil, c.log)
		if err != nil {
			t.Fatal(name, err)
		}
		restored := Reopen(c.cfg, c.w, c.now)
		if err := restored.Restore(c.State()); err != nil {
			t.Fatal(name, err)
		}
		for _, m := range []*Machine{c.Machine, m, restored} {
			c.Machine = m
			c.Request("x", Request{Batch: 5}, c.now)
			if got := c.pass(year); len(got) > 0 {
				t.Errorf("%s: %v", name, got)
			}
			if m.Tick(c.now) {
				t.Errorf("%s: it ends", name)
			}
		}
		c.Progress(c.told(1, 1), c.now)
		if got := c.pass(year); len(got) > 0 {
			t.Errorf("%s after progress: %v", name, got)
		}
		c.Nak(c.told(1, 1), never, true, c.now)
		if got := c.pass(year); len(got) > 0 {
			t.Errorf("%s after a delay: %v", name, got)
		}
		c.Nak(c.told(1, 1), 5*ms, true, c.now)
		if got := c.pass(10 * ms); len(got) != 1 {
			t.Errorf("%s after a short delay: %v", name, got)
		}
	}

	c := newTalk(Config{Ack: AckExplicit, Inactive: never}, stream("a"))
	if c.pass(year); c.Tick(c.now) {
		t.Error("inactive_threshold: it ends unused")
	}
	c = newTalk(Config{Ack: AckExplicit, Priority: PolicyPinned, Groups: []string{"A"}, PinnedTime: never}, stream("a"))
	c.Request("x", Request{Batch: 2, Group: "A", Expires: never, Heartbeat: never}, c.now)
	expect(t, c.run(), "x<-1/1 #1 left 0")
	expect(t, c.pass(20_000*ms))
	if id, _ := c.Pin(); id == "" {
		t.Error("priority_timeout: nobody is pinned")
	}
	c = newTalk(Config{Ack: AckNone, Subject: "p", Heartbeat: never}, stream("a"))
	expect(t, c.run(), "p<-1/1 #1 left 0")
	expect(t, c.pass(year))
}
