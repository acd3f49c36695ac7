package jetstream

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Nanoseconds since 1970 count from 1677 to 2262. Times outside are before, or after, everything.
func TestTimesFarAway(t *testing.T) {
	n := newNode(t)
	s := n.stream(jetstream.MemoryStorage, 3)
	early, late := time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

	c := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "paused", AckPolicy: jetstream.AckExplicitPolicy}))
	nothing := func() {
		t.Helper()
		if m, err := c.Next(jetstream.FetchMaxWait(50 * time.Millisecond)); err == nil {
			t.Errorf("%s is delivered in a pause", m.Subject())
		}
		if i := ok(c.Info(n.ctx)); !i.Paused || i.PauseRemaining < 200*365*24*time.Hour {
			t.Errorf("%+v", i)
		}
	}
	if p := ok(s.PauseConsumer(n.ctx, "paused", late)); !p.Paused || !p.PauseUntil.Equal(late) {
		t.Errorf("%+v", p)
	}
	nothing()
	c = ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{Durable: "made-so", AckPolicy: jetstream.AckExplicitPolicy, PauseUntil: &late}))
	nothing()
	ok(s.ResumeConsumer(n.ctx, "made-so"))
	if _, err := c.Next(); err != nil {
		t.Error(err)
	}
	if p := ok(s.PauseConsumer(n.ctx, "made-so", early)); p.Paused {
		t.Errorf("%+v", p)
	}

	for at, want := range map[time.Time]uint64{early: 3, late: 0} {
		c := ok(s.CreateConsumer(n.ctx, jetstream.ConsumerConfig{AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &at}))
		if i := c.CachedInfo(); i.NumPending != want {
			t.Errorf("%v: %d are pending", at, i.NumPending)
		}
	}
	for body, want := range map[string]string{
		`{"start_time":"9999-12-31T23:59:59Z"}`: "no message found", `{"start_time":"1000-01-01T00:00:00Z"}`: `"seq":1,`,
	} {
		r := ok(n.nc.Request("$JS.API.STREAM.MSG.GET.S", []byte(body), patience))
		if !strings.Contains(string(r.Data), want) {
			t.Errorf("%s: %s", body, r.Data)
		}
	}
	ok(n.js.UpdateStream(n.ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Storage: jetstream.MemoryStorage, AllowDirect: true}))
	for body, want := range map[string]string{
		`{"start_time":"9999-12-31T23:59:59Z"}`: "404", `{"start_time":"1000-01-01T00:00:00Z"}`: "",
		`{"multi_last":["s.*"],"up_to_time":"9999-12-31T23:59:59Z"}`: "", `{"multi_last":["s.*"],"up_to_time":"1000-01-01T00:00:00Z"}`: "404",
	} {
		if r := ok(n.nc.Request("$JS.API.DIRECT.GET.S", []byte(body), patience)); r.Header.Get("Status") != want || want == "" && r.Header.Get(nats.JSStream) != "S" {
			t.Errorf("%s: %v", body, r.Header)
		}
	}
}
