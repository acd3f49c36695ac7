package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// TestTimesOfDay: a user is let in within the ranges, which may go over midnight, until the end of the last one that holds
// the moment.
func TestTimesOfDay(t *testing.T) {
	office := jwt.TimeRange{Start: "08:00:00", End: "17:00:00"}
	night := jwt.TimeRange{Start: "22:00:00", End: "06:00:00"}
	lunch := jwt.TimeRange{Start: "12:00:00", End: "13:00:00"}
	day := func(d int, clock string) time.Time {
		at, err := time.Parse("15:04:05", clock)
		if err != nil {
			t.Fatal(err)
		}
		return time.Date(2026, 3, d, at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
	}
	for _, c := range []struct {
		ranges []jwt.TimeRange
		now    time.Time
		until  time.Time // zero: not let in
	}{
		{[]jwt.TimeRange{office}, day(10, "07:59:59"), time.Time{}},
		{[]jwt.TimeRange{office}, day(10, "12:30:00"), day(10, "17:00:00")},
		{[]jwt.TimeRange{lunch, office}, day(10, "12:30:00"), day(10, "17:00:00")},
		{[]jwt.TimeRange{office, lunch}, day(10, "12:30:00"), day(10, "17:00:00")},
		{[]jwt.TimeRange{office}, day(10, "17:00:01"), time.Time{}},
		{[]jwt.TimeRange{night}, day(10, "23:30:00"), day(11, "06:00:00")},
		{[]jwt.TimeRange{night}, day(10, "05:00:00"), day(10, "06:00:00")},
		{[]jwt.TimeRange{night}, day(10, "12:00:00"), time.Time{}},
		{[]jwt.TimeRange{night}, day(31, "23:30:00"), day(32, "06:00:00")},
	} {
		until, ok := allowedUntil(&jwt.UserLimits{Times: c.ranges, Locale: "UTC"}, c.now)
		if ok != !c.until.IsZero() || !until.Equal(c.until) {
			t.Errorf("%v at %v: until %v, %v", c.ranges, c.now, until, ok)
		}
	}
	if _, ok := allowedUntil(&jwt.UserLimits{Times: []jwt.TimeRange{office}, Locale: "No/Where"}, day(10, "12:00:00")); ok {
		t.Error("let in by the clock of no place")
	}
}

// TestTemplateLimit: tags multiply, and what they make is bounded.
func TestTemplateLimit(t *testing.T) {
	u := jwt.NewUserClaims("U")
	for i := range 64 {
		u.Tags = append(u.Tags, fmt.Sprintf("a:%d", i), fmt.Sprintf("b:%d", i), fmt.Sprintf("c:%d", i))
	}
	f := filler{u, &ClaimAccount{}}
	list, err := f.list(jwt.StringList{"{{tag(a)}}.{{tag(b)}}"}, false)
	if err != nil || len(list) != 4096 {
		t.Errorf("%d subjects, %v", len(list), err)
	}
	for _, l := range []jwt.StringList{{"{{tag(a)}}.{{tag(b)}}", "x"}, {"{{tag(a)}}.{{tag(b)}}.{{tag(c)}}"}} {
		if list, err := f.list(l, false); !errors.Is(err, errExpansions) {
			t.Errorf("%v: %d subjects, %v", l, len(list), err)
		}
	}
}

// slowResolver counts look-ups, and answers when it is told to.
type slowResolver struct {
	jwts  listed
	calls atomic.Int32
	asked chan struct{} // closed when the first has come
	open  chan struct{}
}

func (s *slowResolver) Fetch(ctx context.Context, id string) (string, error) {
	if s.calls.Add(1) == 1 {
		close(s.asked)
	}
	select {
	case <-s.open:
		return s.jwts.Fetch(ctx, id)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// TestLookupOnce: those who need an account at the same time wait for one look-up, each no longer than it wants to, and
// afterwards nobody waits.
func TestLookupOnce(t *testing.T) {
	op, opID := fixedKey(t, nkeys.PrefixByteOperator, 1)
	_, id := fixedKey(t, nkeys.PrefixByteAccount, 2)
	text, err := jwt.NewAccountClaims(id).Encode(op)
	if err != nil {
		t.Fatal(err)
	}
	r := &slowResolver{jwts: listed{id: text}, asked: make(chan struct{}), open: make(chan struct{})}
	b := NewBook(Trust{Keys: []string{opID}}, r, quietCore{}, logging.Discard())
	defer b.Stop()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if a, err := b.Lookup(t.Context(), id); err != nil || a.ID != id {
				t.Error(a, err)
			}
		})
	}
	<-r.asked
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Lookup(gone, id); !errors.Is(err, context.Canceled) {
		t.Errorf("one who has no time: %v", err)
	}
	close(r.open)
	all.Wait()
	if _, err := b.Lookup(t.Context(), id); err != nil || r.calls.Load() != 1 {
		t.Errorf("%d look-ups, %v", r.calls.Load(), err)
	}
}

// TestUntrusted: an account is taken from the operators' keys only, and under its own name only.
func TestUntrusted(t *testing.T) {
	op, opID := fixedKey(t, nkeys.PrefixByteOperator, 1)
	other, _ := fixedKey(t, nkeys.PrefixByteOperator, 9)
	self, id := fixedKey(t, nkeys.PrefixByteAccount, 2)
	_, id2 := fixedKey(t, nkeys.PrefixByteAccount, 3)
	encode := func(id string, by nkeys.KeyPair) string {
		text, err := jwt.NewAccountClaims(id).Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, text := range []string{encode(id, other), encode(id, self), encode(id2, op)} {
		b := NewBook(Trust{Keys: []string{opID}}, listed{id: text}, quietCore{}, logging.Discard())
		if _, err := b.Lookup(t.Context(), id); !errors.Is(err, ErrAccountValidation) {
			t.Errorf("let in: %v", err)
		}
	}
	b := NewBook(Trust{Keys: []string{opID}}, listed{id: encode(id, op)}, quietCore{}, logging.Discard())
	if _, err := b.Lookup(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{encode(id, other), encode(id, self), encode(id2, op), "x"} {
		if err := b.Update(t.Context(), id, text); err == nil {
			t.Error("an update by somebody else was taken")
		}
	}
}
