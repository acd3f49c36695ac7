package consumer

import (
	"math"
	"reflect"
	"testing"
)

// What a consumer is carried away as makes one that is as far as it was.
func TestPicture(t *testing.T) {
	c := newTalk(Config{Ack: AckExplicit, AckWait: 10 * ms, MaxDeliver: 2}, stream("a", "b", "c", "d", "e", "f"))
	c.Request("x", Request{Batch: 5}, c.now)
	c.run()
	c.Ack(c.told(1, 1), c.now)
	c.Ack(c.told(3, 3), c.now)
	c.Request("x", Request{Batch: 1}, c.now)
	c.pass(10 * ms) // one comes again
	p := c.Picture(6)
	m := Reopen(c.cfg, c.w, c.now)
	if err := m.Restore(StateOf(c.cfg, &p, c.now)); err != nil {
		t.Fatal(err)
	}
	m.Resumed(true)
	if got := m.Picture(6); !reflect.DeepEqual(got.Pending, p.Pending) || !reflect.DeepEqual(got.Redelivered, p.Redelivered) ||
		got.Delivered.Stream != p.Delivered.Stream || got.Floor.Stream != p.Floor.Stream || got.Delivered.Consumer != p.Delivered.Consumer {
		t.Errorf("%+v\nbecomes %+v", p, got)
	}
	if m.NumPending() != c.NumPending() {
		t.Errorf("%d to come; want %d", m.NumPending(), c.NumPending())
	}
	// What has been delivered as often as allowed is known to have been.
	c.pass(20 * ms)
	p = c.Picture(6)
	if len(p.Pending) > 0 && len(p.Redelivered) == 0 {
		t.Fatalf("%+v", p)
	}
	m = Reopen(c.cfg, c.w, c.now)
	if err := m.Restore(StateOf(c.cfg, &p, c.now)); err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= 6; seq++ {
		if a, b := c.Pends(seq, true), m.Pends(seq, true); a != b {
			t.Errorf("message %d is waited for: %v; want %v", seq, b, a)
		}
	}
	// Only what concerns the messages that are carried along.
	if p := c.Picture(2); p.Delivered.Stream != 2 || len(p.Pending) > 1 {
		t.Errorf("%+v", p)
	}
}

// What comes from elsewhere may be anything.
func TestPictureOfNothing(t *testing.T) {
	for _, p := range []Picture{
		{Pending: []Waiting{{5, 1, 0}, {5, 2, 0}, {3, 9, 0}, {0, 0, 0}}, Redelivered: map[uint64]uint64{5: math.MaxUint64, 9: math.MaxUint64, 0: 1}},
		{Delivered: Position{Stream: 4, Consumer: 9}, Floor: Position{Stream: 400, Consumer: 900}},
	} {
		m := Reopen(Config{Ack: AckExplicit}, stream("a"), 0)
		if err := m.Restore(StateOf(Config{Ack: AckExplicit}, &p, 0)); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
