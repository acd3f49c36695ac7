package streams

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestBucketsWithMarks uses a bucket whose keys have lives of their own, as the Go client does, and compares what a watcher sees.
func TestBucketsWithMarks(t *testing.T) {
	theirs, ours := pair(t, "")
	said := inBoth(theirs, ours, watched)
	if said[0] != said[1] {
		t.Error(diff(said[0], said[1]))
	}
	if !strings.Contains(said[1], "KeyValuePurgeOp") {
		t.Errorf("no mark was seen:\n%s", said[1])
	}
}

// watched waits for each entry before it goes on: what is rolled up, or whose life is over, before it was delivered is not delivered.
func watched(p *peer) string {
	ctx, cancel := context.WithTimeout(p.t.Context(), brokertest.Patience)
	defer cancel()
	var out strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	js, err := jetstream.New(p.nc)
	p.check("client", err)
	kv, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "b", History: 3, LimitMarkerTTL: 2 * time.Second})
	p.check("bucket", err)
	w, err := kv.WatchAll(ctx)
	p.check("watch", err)
	next := func() {
		for {
			e, open := <-w.Updates()
			if !open {
				p.check("watch", fmt.Errorf("it has ended after:\n%s", out.String()))
			}
			if e != nil { // not the end of what was there
				say("%s %d %v %q", e.Key(), e.Revision(), e.Operation(), e.Value())
				return
			}
		}
	}
	rev, err := kv.Create(ctx, "purged", []byte("b"))
	say("create %d %v", rev, err)
	next()
	rev, err = kv.Put(ctx, "stays", []byte("c"))
	say("put %d %v", rev, err)
	next()
	say("purge %v", kv.Purge(ctx, "purged", jetstream.PurgeTTL(2*time.Second)))
	next()
	_, err = kv.Create(ctx, "wrong", nil, jetstream.KeyTTL(time.Millisecond))
	say("create %v", err)
	rev, err = kv.Create(ctx, "short", []byte("a"), jetstream.KeyTTL(2*time.Second))
	say("create %d %v", rev, err)
	next()
	next() // its end: it may be made again
	_, err = kv.Get(ctx, "short")
	say("get %v", err)
	rev, err = kv.Create(ctx, "short", []byte("d"), jetstream.KeyTTL(time.Hour))
	say("create %d %v", rev, err)
	next()
	p.check("stop", w.Stop())
	for { // until marks are gone, too
		st, err := kv.Status(ctx)
		p.check("status", err)
		if st.Values() == 2 {
			say("ttl %v marks %v", st.TTL(), st.LimitMarkerTTL())
			break
		}
		time.Sleep(20 * time.Millisecond) // there is no event to wait for
	}
	l, err := kv.ListKeys(ctx)
	p.check("keys", err)
	for k := range l.Keys() {
		e, err := kv.Get(ctx, k)
		p.check("get "+k, err)
		say("%s %d %q", k, e.Revision(), e.Value())
	}
	return out.String()
}

// TestLivesEndAfterAKill kills the broker while messages live, and looks for what is left.
func TestLivesEndAfterAKill(t *testing.T) {
	s := brokertest.Start(t, brokertest.Options{Config: config(t, "")})
	create(t, s, `{"name":"S7","subjects":["S7.>"],"allow_msg_ttl":true,"subject_delete_marker_ttl":3600000000000,"max_msgs_per_subject":1}`)
	p := newPeer(t, s)
	steps := func(lines ...string) string { return p.play(talk{steps: lines}, "file", 7) }
	steps("head Nats-TTL: 1s", "req S.short a", "head Nats-TTL: 2h", "req S.long b", "req S.ever c")
	s.Kill()
	p.nc.Close()
	s.Restart()
	p.connect()
	if got := steps(`await "last_seq":4 $JS.API.STREAM.INFO.S`, `req $JS.API.STREAM.MSG.GET.S {"seq":4}`); !strings.Contains(got, "Nats-Marker-Reason: MaxAge") {
		t.Fatal(got)
	}
	s.Kill()
	p.nc.Close()
	s.Restart()
	p.connect()
	got := steps(`req $JS.API.STREAM.INFO.S`, `req $JS.API.STREAM.MSG.GET.S {"seq":4}`)
	if !strings.Contains(got, "Nats-Marker-Reason: MaxAge") || !strings.Contains(got, `"messages":3,`) || !strings.Contains(got, `"last_seq":4,`) {
		t.Fatal(got)
	}
}

// TestClientSchedules schedules messages as the Go client does, in each form, and compares what comes.
func TestClientSchedules(t *testing.T) {
	theirs, ours := pair(t, "")
	said := inBoth(theirs, ours, scheduled)
	if said[0] != said[1] {
		t.Error(diff(said[0], said[1]))
	}
}

func scheduled(p *peer) string {
	ctx, cancel := context.WithTimeout(p.t.Context(), brokertest.Patience)
	defer cancel()
	js, err := jetstream.New(p.nc)
	p.check("client", err)
	s, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, AllowMsgSchedules: true, AllowMsgTTL: true})
	p.check("stream", err)
	var out strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	_, err = js.Publish(ctx, "s.from", []byte("source"))
	p.check("source", err)
	for _, x := range []struct {
		name string
		o    []jetstream.PublishOpt
	}{
		{"at", []jetstream.PublishOpt{jetstream.WithScheduleAt(time.Now().Add(time.Second))}},
		{"past", []jetstream.PublishOpt{jetstream.WithScheduleAt(time.Now().Add(-time.Hour)), jetstream.WithScheduleRollup()}},
		{"source", []jetstream.PublishOpt{jetstream.WithScheduleAt(time.Now()), jetstream.WithScheduleSource("s.from"), jetstream.WithScheduleTTL(time.Hour)}},
		{"every", []jetstream.PublishOpt{jetstream.WithScheduleEvery(time.Second), jetstream.WithScheduleTTLNever()}},
		{"cron", []jetstream.PublishOpt{jetstream.WithScheduleCron("* * * * * *"), jetstream.WithScheduleTimeZone("Asia/Kathmandu")}},
		{"yearly", []jetstream.PublishOpt{jetstream.WithScheduleCron("@yearly")}},
		{"zone", []jetstream.PublishOpt{jetstream.WithScheduleCron("@yearly"), jetstream.WithScheduleTimeZone("Nowhere")}},
		{"short", []jetstream.PublishOpt{jetstream.WithScheduleEvery(time.Millisecond)}},
	} {
		_, err := js.Publish(ctx, "s.when."+x.name, []byte(x.name), append(x.o, jetstream.WithScheduleTarget("s.to."+x.name))...)
		say("%s: %v", x.name, err)
		if err != nil || x.name == "yearly" {
			continue
		}
		c, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{Name: x.name, AckPolicy: jetstream.AckNonePolicy, FilterSubject: "s.to." + x.name})
		p.check(x.name+": consumer", err)
		m, err := c.Next(jetstream.FetchMaxWait(patience))
		p.check(x.name+": next", err)
		next := m.Headers().Get("Nats-Schedule-Next")
		if at, err := time.Parse(time.RFC3339Nano, next); err == nil {
			_, offset := at.Zone()
			next = fmt.Sprintf("in %d minutes or less, %d nanoseconds, %d seconds from UTC", 1+int(time.Until(at).Minutes()), at.Nanosecond(), offset)
		}
		say("  %s: %s by %s, next %s, ttl %s, rollup %s", m.Subject(), m.Data(), m.Headers().Get("Nats-Scheduler"), next, m.Headers().Get("Nats-TTL"), m.Headers().Get("Nats-Rollup"))
		p.check(x.name+": purge", s.Purge(ctx, jetstream.WithPurgeSubject("s.when."+x.name)))
	}
	return out.String()
}
