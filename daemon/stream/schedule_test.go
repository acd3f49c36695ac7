package stream_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/stream"
	"github.com/nats-broker/nats-broker/daemon/stream/memlog"
)

// planned is a stream with schedules, and its time.
type planned struct {
	t   *testing.T
	s   *stream.Stream
	cfg stream.Config
	now int64
}

func newPlanned(t *testing.T) *planned {
	p := &planned{t: t, cfg: stream.Config{Name: "S", Subjects: []string{"a.>"}, Schedules: true, AllowTTL: true, AllowRollup: true}, now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()}
	p.open(memlog.New(), nil)
	return p
}

// open opens the stream over a log, with what is kept of schedules.
func (p *planned) open(l stream.Log, kept []byte) {
	p.t.Helper()
	s, err := stream.Open(p.cfg, l, key, p.now)
	if err != nil {
		p.t.Fatal(err)
	}
	p.s = s
	s.Track()
	s.ResumeSchedules(kept)
	for s.Behind() {
		s.Look(1, p.now)
	}
}

func (p *planned) put(subj string, header ...string) {
	p.t.Helper()
	r := stream.Record{Subject: []byte(subj), Payload: []byte("of " + subj)}
	if len(header) > 0 {
		r.Header = []byte("NATS/1.0\r\n" + strings.Join(header, "\r\n") + "\r\n\r\n")
	}
	if v := p.s.Accept(&r, nil, p.now); v.Reason != stream.Accepted {
		p.t.Fatal(subj, v)
	}
	p.apply()
}

func (p *planned) apply() {
	p.t.Helper()
	for p.s.Pending() > 0 {
		if _, _, err := p.s.Apply(); err != nil {
			p.t.Fatal(err)
		}
	}
}

// pass lets time pass, and does at each moment what is due then. It returns what was sent.
func (p *planned) pass(d time.Duration) string {
	p.t.Helper()
	var out []string
	for end := p.now + int64(d); ; {
		due := p.s.Due()
		if due == 0 || due > end {
			p.now = end
			return strings.Join(out, " ")
		}
		p.now = max(p.now, due)
		p.s.Fire(nil, p.now, p.now)
		for _, c := range p.s.Changes() {
			if c.Kind == stream.Append {
				out = append(out, fmt.Sprintf("%s@%d", c.Record.Subject, (p.now-time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())/int64(time.Second)))
			}
		}
		p.apply()
	}
}

func (p *planned) want(d time.Duration, want string) {
	p.t.Helper()
	if got := p.pass(d); got != want {
		p.t.Fatalf("within %v: %s; want %s", d, got, want)
	}
}

func TestSchedulesRun(t *testing.T) {
	p := newPlanned(t)
	p.put("a.once", "Nats-Schedule: @at 2030-01-01T00:00:30Z", "Nats-Schedule-Target: a.1")
	p.put("a.often", "Nats-Schedule: @every 20s", "Nats-Schedule-Target: a.2")
	p.put("a.cron", "Nats-Schedule: 0 * * * * *", "Nats-Schedule-Target: a.3")
	p.want(19*time.Second, "")
	p.want(42*time.Second, "a.2@20 a.1@30 a.2@40 a.2@60 a.3@60")
	if tot, err := p.s.Log().Subject([]byte("a.once")); err != nil || tot.Msgs != 0 {
		t.Error("a schedule stays that was for once")
	}
	// What is missed comes once. As cron has it, then at the next time that it says; an interval begins anew.
	p.now += int64(10 * time.Minute)
	p.want(50*time.Second, "a.2@661 a.3@661 a.2@681 a.2@701")
	p.put("a.often", "X: no schedule any more")
	p.want(20*time.Second, "a.3@720")
	p.s.Purge("a.cron", 0, 0)
	p.apply()
	p.want(time.Hour, "")
	if due := p.s.Due(); due != 0 {
		t.Error(due)
	}
}

// When a schedule is next is known again from what is kept, from what it has sent, and by a machine that replays the changes.
func TestSchedulesAreKnownAgain(t *testing.T) {
	begin := func() *planned {
		p := newPlanned(t)
		p.put("a.often", "Nats-Schedule: @every 1h", "Nats-Schedule-Target: a.to")
		p.now += int64(30 * time.Minute)
		p.want(time.Hour, "a.to@3600") // the next is at two
		return p
	}
	p := begin()
	p.s.Purge("a.to", 0, 0)
	p.apply()
	kept := p.s.Schedules()
	p.now += int64(20 * time.Minute)
	p.open(p.s.Log(), kept)
	p.want(time.Hour, "a.to@7200")

	p = begin()
	p.now += int64(20 * time.Minute)
	p.open(p.s.Log(), nil)
	p.want(time.Hour, "a.to@7200")

	p = begin()
	p.s.Purge("a.to", 0, 0)
	p.apply()
	p.now += int64(45 * time.Minute) // it was to be at two: nobody knows any more
	p.open(p.s.Log(), nil)
	p.want(90*time.Minute, "a.to@11700")

	p = begin()
	replay, err := stream.Open(p.cfg, memlog.New(), key, p.now)
	if err != nil {
		t.Fatal(err)
	}
	var r stream.Record
	for seq, ok := p.s.Log().Next(0, nil); ok; seq, ok = p.s.Log().Next(seq+1, nil) {
		if err := p.s.Log().Load(seq, &r); err != nil {
			t.Fatal(err)
		}
		if err := replay.Replay(stream.Change{Kind: stream.Append, Record: r}, p.now); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(replay.Schedules(), p.s.Schedules()) || len(p.s.Schedules()) == 0 {
		t.Errorf("%q; want %q", replay.Schedules(), p.s.Schedules())
	}
	for cut := range p.s.Schedules() { // what is cut off is no harm
		p.s.ResumeSchedules(p.s.Schedules()[:cut])
	}
}

// What nobody is interested in is not stored; its schedule goes on.
func TestSchedulesWithoutInterest(t *testing.T) {
	p := newPlanned(t)
	p.put("a.once", "Nats-Schedule: @at 2030-01-01T00:00:30Z", "Nats-Schedule-Target: a.1")
	p.put("a.often", "Nats-Schedule: @every 20s", "Nats-Schedule-Target: a.2")
	p.s.Wants(func([]byte) bool { return false })
	p.want(45*time.Second, "")
	if st := p.s.Log().State(); st.Msgs != 1 || st.Last != 5 {
		t.Errorf("%+v", st)
	}
	p.s.Wants(nil)
	p.want(15*time.Second, "a.2@60")
}

// refusing is a quota that has room now and then.
type refusing struct{ full bool }

func (q *refusing) Server() stream.Reason {
	if q.full {
		return stream.ServerFull
	}
	return stream.Accepted
}
func (q *refusing) Account(uint64) stream.Reason { return stream.Accepted }
func (q *refusing) Payload() int                 { return 1 << 20 }

// Where there is no room what is due waits, and is not lost.
func TestWhatIsDueWaitsForRoom(t *testing.T) {
	p := newPlanned(t)
	p.cfg.MarkerTTL = time.Hour
	p.open(p.s.Log(), nil)
	p.put("a.once", "Nats-Schedule: @at 2030-01-01T00:00:10Z", "Nats-Schedule-Target: a.1")
	p.put("a.often", "Nats-Schedule: @every 10s", "Nats-Schedule-Target: a.2")
	p.put("a.short", "Nats-TTL: 1h")
	q := &refusing{full: true}
	for range 10 {
		p.now += int64(time.Hour)
		p.s.Fire(q, p.now, p.now)
		if n := p.s.Pending(); n != 0 {
			t.Fatal(n, "changes without room")
		}
	}
	q.full = false
	p.now += int64(time.Hour)
	p.s.Fire(q, p.now, p.now)
	var got []string
	for _, c := range p.s.Changes() {
		got = append(got, string(c.Record.Subject))
	}
	if fmt.Sprint(got) != "[a.short a.1 a.2]" {
		t.Error(got)
	}
	p.apply()
}
