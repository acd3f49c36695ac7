package jetstream

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A clock that jumps is followed after five minutes, small steps at once, and one that is set back at once.
func TestAges(t *testing.T) {
	const s, m, h = int64(time.Second), int64(time.Minute), int64(time.Hour)
	type step struct {
		steady, wall int64 // passed since the step before
		want         int64 // less the wall clock
		told         string
	}
	for name, steps := range map[string][]step{
		"goes on":             {{0, 0, 0, ""}, {h, h, 0, ""}},
		"is adjusted":         {{0, 0, 0, ""}, {m, m + 50*s, 0, ""}, {m, m + 50*s, 0, ""}, {m, m - 50*s, 0, ""}},
		"jumps ahead":         {{0, 0, 0, ""}, {m, 24 * h, m - 24*h, "jumps"}, {m, m, m - 24*h, ""}, {3 * m, 3 * m, m - 24*h, ""}, {m + s, m + s, 0, "followed"}, {m, m, 0, ""}},
		"jumps and is set":    {{0, 0, 0, ""}, {m, 24 * h, m - 24*h, "jumps"}, {m, m - 24*h + m, 0, "followed"}, {h, h, 0, ""}},
		"jumps back":          {{0, 0, 0, ""}, {m, -24 * h, 0, "jumps"}, {m, m, 0, ""}, {5 * m, 5 * m, 0, "followed"}},
		"jumps twice":         {{0, 0, 0, ""}, {m, 2 * h, m - 2*h, "jumps"}, {4 * m, 2 * h, 5*m - 4*h, "jumps"}, {4 * m, 4 * m, 5*m - 4*h, ""}, {m, m, 0, "followed"}},
		"adjusted in a jump":  {{0, 0, 0, ""}, {m, 2 * h, m - 2*h, "jumps"}, {4 * m, 4*m + 9*s, m - 2*h - 9*s, ""}, {m, m, 0, "followed"}},
		"a day without a use": {{0, 0, 0, ""}, {24 * h, 25 * h, -h, "jumps"}},
	} {
		wall, steady, told := int64(1e18), int64(77), ""
		a := &ages{read: func() (int64, int64) { return wall, steady }, told: func(_ time.Duration, followed bool) {
			told = map[bool]string{false: "jumps", true: "followed"}[followed]
		}}
		for i, x := range steps {
			wall, steady, told = wall+x.wall, steady+x.steady, ""
			if got := a.now() - wall; got != x.want || told != x.told {
				t.Errorf("%s, step %d: %v, %q; want %v, %q", name, i, time.Duration(got), told, time.Duration(x.want), x.told)
			}
		}
	}
}

// While a jump of the clock is not followed no message goes for its age, and no id is forgotten.
func TestAClockThatJumpsTakesNothing(t *testing.T) {
	n := newNode(t)
	var ahead, passed atomic.Int64
	read := n.server.ages.read
	n.server.ages.read = func() (int64, int64) {
		wall, steady := read()
		return wall + ahead.Load() + passed.Load(), steady + passed.Load()
	}
	ok(n.js.CreateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Storage: jetstream.MemoryStorage, MaxAge: time.Hour, Duplicates: time.Minute}))
	ok(n.js.Publish(n.ctx, "s", nil, jetstream.WithMsgID("one")))
	s := n.server.lookup("$G").stream("S")
	held := func() uint64 {
		s.expire()
		return ok(ok(n.js.Stream(n.ctx, "S")).Info(n.ctx)).State.Msgs
	}
	ahead.Store(int64(24 * time.Hour))
	if held() != 1 {
		t.Error("a message is gone since the clock was set")
	}
	if a := ok(n.js.Publish(n.ctx, "s", nil, jetstream.WithMsgID("one"))); !a.Duplicate {
		t.Error("an id is forgotten since the clock was set")
	}
	passed.Store(int64(6 * time.Minute))
	if held() != 0 {
		t.Error("the clock is not followed")
	}
}
