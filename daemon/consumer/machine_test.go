package consumer

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// stream returns a world with messages on the subjects, 10 ms apart.
func stream(subjects ...string) *world {
	w := &world{deaf: map[string]bool{}}
	for i, s := range subjects {
		w.put(s, 1_700_000_000_000*ms+int64(i)*10*ms)
	}
	return w
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestTwoWaitersAreServedInTurn(t *testing.T) {
	c := newTalk(Config{Ack: AckExplicit}, stream("a", "a", "a", "a", "a"))
	c.Request("x", Request{Batch: 2}, c.now)
	c.Request("y", Request{Batch: 3}, c.now)
	expect(t, c.run(), "x<-1/1 #1 left 4", "y<-2/1 #2 left 3", "x<-3/1 #3 left 2", "y<-4/1 #4 left 1", "y<-5/1 #5 left 0")
}

func TestFloorsOfExplicitAcks(t *testing.T) {
	w := stream("a", "b", "a", "b", "a", "b", "a", "b")
	c := newTalk(Config{Ack: AckExplicit, Filters: []string{"b"}}, w)
	c.Request("x", Request{Batch: 4}, c.now)
	c.run()
	floor := func(num, seq uint64) {
		t.Helper()
		if f := c.Info(c.now).Floor; f.Consumer != num || f.Stream != seq {
			t.Fatalf("floor %d, %d; want %d, %d", f.Consumer, f.Stream, num, seq)
		}
	}
	floor(0, 0)
	c.Ack(c.told(2, 1), c.now)
	floor(1, 3) // just below the next that is pending
	c.Ack(c.told(6, 3), c.now)
	floor(1, 3) // 4 is pending
	c.Ack(c.told(4, 2), c.now)
	floor(3, 7)
	c.Ack(c.told(8, 4), c.now)
	floor(4, 8)
	if !c.Ack(c.told(8, 4), c.now) {
		t.Error("an ack that comes again is not answered")
	}
	if c.Ack(c.told(9, 5), c.now) {
		t.Error("an ack of the future is answered")
	}
}

// The floor of a consumer that acks everything below is the number of the first delivery.
func TestAckAllAfterRedelivery(t *testing.T) {
	c := newTalk(Config{Ack: AckAll}, stream("a", "a", "a"))
	c.Request("x", Request{Batch: 3}, c.now)
	c.run()
	c.Nak(c.told(1, 1), 0, false, c.now)
	c.Request("x", Request{Batch: 1}, c.now)
	expect(t, c.run(), "x<-1/2 #4 left 0")
	c.Ack(Told{Stream: 1, Consumer: 4, Times: 2}, c.now)
	i := c.Info(c.now)
	if i.Floor.Consumer != 1 || i.Floor.Stream != 1 || i.AckPending != 2 {
		t.Fatalf("%+v", i)
	}
	c.Ack(c.told(3, 3), c.now)
	if i = c.Info(c.now); i.Floor.Stream != 3 || i.AckPending != 0 {
		t.Fatalf("%+v", i)
	}
}

func TestRedelivery(t *testing.T) {
	c := newTalk(Config{Ack: AckExplicit, MaxDeliver: 3, Backoff: []int64{1000 * ms, 5000 * ms}}, stream("a", "a"))
	c.Request("x", Request{Batch: 10}, c.now)
	expect(t, c.run(), "x<-1/1 #1 left 1", "x<-2/1 #2 left 0")
	c.Ack(c.told(2, 2), c.now)
	expect(t, c.pass(999*ms))
	expect(t, c.pass(2*ms), "x<-1/2 #3 left 0")
	expect(t, c.pass(4990*ms))
	expect(t, c.pass(20*ms), "x<-1/3 #4 left 0")
	c.Notices()
	expect(t, c.pass(5010*ms))
	n := c.Notices()
	if len(n) != 1 || n[0].Kind != NoticeMaxDeliver || n[0].Stream != 1 || n[0].Times != 3 {
		t.Fatalf("%+v", n)
	}
	if i := c.Info(c.now); i.AckPending != 0 || i.Redelivered != 1 {
		t.Fatalf("%+v", i)
	}
	if !c.Pends(1, true) {
		t.Error("a message that was delivered as often as allowed does not stay")
	}
	if c.Pends(2, true) {
		t.Error("an acknowledged message stays")
	}
}

func TestNakWithDelayAndProgress(t *testing.T) {
	c := newTalk(Config{Ack: AckExplicit, AckWait: 1000 * ms}, stream("a", "a"))
	c.Request("x", Request{Batch: 10}, c.now)
	c.run()
	c.Nak(c.told(1, 1), 100*24*3600*1000*ms, true, c.now) // a hundred days
	for range 10 {
		c.pass(500 * ms)
		c.Progress(c.told(2, 2), c.now)
	}
	expect(t, c.run())
	c.Ack(c.told(2, 2), c.now)
	expect(t, c.pass(99*24*3600*1000*ms))
	expect(t, c.pass(24*3600*1000*ms-4500*ms), "x<-1/2 #3 left 0")
}

func TestStatuses(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  Config
		req  Request
		pass int64
		want []string
	}{
		{name: "no wait, nothing", req: Request{NoWait: true}, want: []string{"x<-404 No Messages"}},
		{name: "no wait with expiry", req: Request{NoWait: true, Expires: 50 * ms}, pass: 60 * ms,
			want: []string{"x<-408 Request Timeout (0, 0)"}},
		{name: "timeout", req: Request{Batch: 5, MaxBytes: 1000, Expires: 10 * ms}, pass: 20 * ms,
			want: []string{"x<-408 Request Timeout (5, 1000)"}},
		{name: "heartbeats", req: Request{Batch: 1, Expires: 25 * ms, Heartbeat: 10 * ms}, pass: 30 * ms,
			want: []string{"x<-100 Idle Heartbeat (last 0, 0)", "x<-100 Idle Heartbeat (last 0, 0)", "x<-408 Request Timeout (1, 0)"}},
		{name: "batch too large", cfg: Config{MaxRequestBatch: 3}, req: Request{Batch: 4}, want: []string{"x<-409 Exceeded MaxRequestBatch of 3"}},
		{name: "too long", cfg: Config{MaxRequestTime: 1500 * ms}, req: Request{Expires: 2000 * ms},
			want: []string{"x<-409 Exceeded MaxRequestExpires of 1.5s"}},
		{name: "too many bytes", cfg: Config{MaxRequestBytes: 10}, req: Request{MaxBytes: 11}, want: []string{"x<-409 Exceeded MaxRequestMaxBytes of 10"}},
		{name: "push", cfg: Config{Subject: "p"}, want: []string{"x<-409 Consumer is push based"}},
		{name: "priority", req: Request{Priority: 11}, want: []string{"x<-400 Bad Request - Priority must be between 0 and 9"}},
		{name: "no group", cfg: Config{Priority: PolicyOverflow, Groups: []string{"g"}}, want: []string{"x<-400 Bad Request - Priority Group missing"}},
		{name: "other group", cfg: Config{Priority: PolicyOverflow, Groups: []string{"g"}}, req: Request{Group: "h"},
			want: []string{"x<-400 Bad Request - Invalid Priority Group"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newTalk(test.cfg, stream())
			c.Request("x", test.req, c.now)
			got := c.run()
			if test.pass > 0 {
				got = append(got, c.pass(test.pass)...)
			}
			expect(t, got, test.want...)
		})
	}
}

func TestMaxBytes(t *testing.T) {
	c := newTalk(Config{Ack: AckNone}, stream("a", "a", "a", "a"))
	size := 100 + len("$JS.ACK.S.C.1.1.1.1700000000000000000.3")
	c.Request("x", Request{Batch: 10, MaxBytes: 2*size + 1}, c.now)
	expect(t, c.run(), "x<-1/1 #1 left 3", "x<-2/1 #2 left 2", "x<-409 Message Size Exceeds MaxBytes (8, 1)")
	c.Request("x", Request{Batch: 10, MaxBytes: size}, c.now)
	expect(t, c.run(), "x<-3/1 #3 left 1")
	c.Request("x", Request{Batch: 1, MaxBytes: 5 * size}, c.now)
	got := c.run()
	if len(got) != 2 || got[0] != "x<-4/1 #4 left 0" || !strings.HasPrefix(got[1], "x<-409 Batch Completed (0, ") {
		t.Fatal(got)
	}
}

func TestMaxAckPendingSaysNothing(t *testing.T) {
	c := newTalk(Config{Ack: AckExplicit, MaxAckPending: 1}, stream("a", "a"))
	c.Request("x", Request{Batch: 1}, c.now)
	c.run()
	c.Request("x", Request{Batch: 1, NoWait: true}, c.now)
	expect(t, c.run())
	if why := c.Why(c.now); why.Reason != IdleFull || why.Oldest != 1 {
		t.Error(why)
	}
	c.Ack(c.told(1, 1), c.now)
	expect(t, c.run(), "x<-2/1 #2 left 0")
}

// A heartbeat that is due, or a request that is over, ends those that do not want to wait: max_ack_pending
// keeps them no longer.
func TestMaxAckPendingUntilHeartbeat(t *testing.T) {
	c := newTalk(Config{Ack: AckExplicit, MaxAckPending: 1}, stream("a", "a"))
	c.Request("x", Request{Batch: 2, NoWait: true, Expires: 1000 * ms, Heartbeat: 100 * ms}, c.now)
	expect(t, c.run(), "x<-1/1 #1 left 1")
	expect(t, c.pass(99*ms))
	expect(t, c.pass(1*ms), "x<-404 No Messages")
	c.Request("x", Request{Batch: 1, NoWait: true}, c.now)
	c.Request("y", Request{Batch: 1, Expires: 50 * ms}, c.now)
	expect(t, c.run())
	expect(t, c.pass(50*ms), "x<-404 No Messages", "y<-408 Request Timeout (1, 0)")
}

func TestPauseAndResume(t *testing.T) {
	c := newTalk(Config{Ack: AckExplicit, PausedUntil: 1_800_000_001_000 * ms}, stream("a"))
	c.Request("x", Request{Batch: 1}, c.now)
	expect(t, c.run())
	if why := c.Why(c.now); why.Reason != IdlePaused {
		t.Error(why)
	}
	expect(t, c.pass(999*ms))
	expect(t, c.pass(1*ms), "x<-1/1 #1 left 0")
	c.Pause(c.now+3600_000*ms, c.now)
	c.w.put("a", c.now)
	c.Request("x", Request{Batch: 1}, c.now)
	expect(t, c.run())
	c.Pause(0, c.now) // those who wait are served at once
	expect(t, c.run(), "x<-2/1 #2 left 0")
}

func TestLastPerSubject(t *testing.T) {
	w := stream("a", "b", "a", "c", "b")
	c := newTalk(Config{Ack: AckExplicit, Start: StartLastPerSubject}, w)
	if n := c.NumPending(); n != 3 {
		t.Fatal(n)
	}
	c.Request("x", Request{Batch: 9}, c.now)
	expect(t, c.run(), "x<-3/1 #1 left 2", "x<-4/1 #2 left 1", "x<-5/1 #3 left 0")
	w.put("a", c.now)
	expect(t, c.run(), "x<-6/1 #4 left 0")
	if _, err := c.Reset(4); err == nil {
		t.Error("goes back where it began at no sequence")
	}
	c.Ack(c.told(3, 1), c.now)
	if _, err := c.Reset(0); err != nil {
		t.Fatal(err)
	}
	c.Request("x", Request{Batch: 9}, c.now)
	expect(t, c.run(), "x<-4/1 #1 left 2", "x<-5/1 #2 left 1", "x<-6/1 #3 left 0")

	w.unread = errors.New("cannot be read")
	if m := New(Config{Ack: AckExplicit, Start: StartLastPerSubject}, w, c.now); m.Trouble() != w.unread {
		t.Errorf("begins without knowing where: %v", m.Trouble())
	}
	if _, err := c.Reset(0); err != w.unread || c.Trouble() != nil {
		t.Errorf("begins again without knowing where: %v, %v", err, c.Trouble())
	}
}

func TestPinned(t *testing.T) {
	c := newTalk(Config{Ack: AckNone, Priority: PolicyPinned, Groups: []string{"g"}, PinnedTime: 1000 * ms}, stream("a", "a", "a"))
	c.Request("x", Request{Batch: 1, Group: "g"}, c.now)
	c.Request("y", Request{Batch: 5, Group: "g"}, c.now)
	expect(t, c.run(), "x<-1/1 #1 left 2") // x is pinned, y stands by
	c.Request("z", Request{Batch: 1, Group: "g", ID: "no"}, c.now)
	expect(t, c.run(), "z<-423 Nats-Pin-Id mismatch")
	c.Request("x", Request{Batch: 1, Group: "g", ID: "id1"}, c.now)
	expect(t, c.run(), "x<-2/1 #2 left 1")
	expect(t, c.pass(1001*ms), "y<-3/1 #3 left 0")
	if n := c.Notices(); len(n) != 3 || n[1].Kind != NoticeUnpinned || n[1].Reason != "timeout" || n[2].Pin != "id2" {
		t.Errorf("%+v", n)
	}
}

func TestOverflow(t *testing.T) {
	c := newTalk(Config{Ack: AckExplicit, Priority: PolicyOverflow, Groups: []string{"g"}}, stream("a", "a", "a"))
	c.Request("x", Request{Batch: 9, Group: "g", MinPending: 2}, c.now)
	expect(t, c.run(), "x<-1/1 #1 left 2", "x<-2/1 #2 left 1")
	c.Request("y", Request{Batch: 9, Group: "g", MinAckPending: 2}, c.now)
	expect(t, c.run(), "y<-3/1 #3 left 0")
}

func TestPrioritized(t *testing.T) {
	c := newTalk(Config{Ack: AckNone, Priority: PolicyPrioritized, Groups: []string{"g"}}, stream("a", "a", "a"))
	c.Request("x", Request{Batch: 9, Group: "g", Priority: 2}, c.now)
	c.Request("y", Request{Batch: 2, Group: "g", Priority: 1}, c.now)
	expect(t, c.run(), "y<-1/1 #1 left 2", "y<-2/1 #2 left 1", "x<-3/1 #3 left 0")
}

func TestPushFollowsInterest(t *testing.T) {
	w := stream("a", "a")
	w.deaf["p"] = true
	c := newTalk(Config{Ack: AckNone, Subject: "p", Heartbeat: 1000 * ms, Inactive: 5000 * ms}, w)
	expect(t, c.run())
	if why := c.Why(c.now); why.Reason != IdleNoOne {
		t.Error(why)
	}
	w.deaf["p"] = false
	expect(t, c.run(), "p<-1/1 #1 left 1", "p<-2/1 #2 left 0")
	expect(t, c.pass(1000*ms), "p<-100 Idle Heartbeat (last 2, 2)")
	w.deaf["p"] = true
	c.Tick(c.now)
	c.now += 4999 * ms
	if c.Tick(c.now) {
		t.Error("ended early")
	}
	c.now += 2 * ms
	if !c.Tick(c.now) {
		t.Error("did not end")
	}
}

// Where messages are pushed to and nobody listens, nobody is at work at what was delivered either.
func TestPushEndsWithWorkUndone(t *testing.T) {
	w := stream("a")
	c := newTalk(Config{Ack: AckExplicit, AckWait: 30_000 * ms, Subject: "p", Inactive: 50 * ms}, w)
	expect(t, c.run(), "p<-1/1 #1 left 0")
	w.deaf["p"] = true
	c.Tick(c.now)
	c.now += 49 * ms
	if c.Tick(c.now) {
		t.Error("ended early")
	}
	c.now += 2 * ms
	if !c.Tick(c.now) {
		t.Error("did not end")
	}
}

func TestFlowControl(t *testing.T) {
	w := stream(slices.Repeat([]string{"a"}, 40)...)
	c := newTalk(Config{Ack: AckNone, Subject: "p", Heartbeat: 1000 * ms, FlowControl: true, FlowPrefix: "$JS.FC.S.C."}, w)
	var got []Status
	sent := 0
	deliver := func() {
		for want, ok := c.Next(c.now); ok; want, ok = c.Next(c.now) {
			if _, what := c.Deliver(want, 256<<10, 1, c.now); what == Sent {
				sent++
			}
			got = append(got, c.Statuses()...)
		}
	}
	deliver()
	if sent != 8 || len(got) != 1 || got[0].Reply != "$JS.FC.S.C.id1" {
		t.Fatalf("%d sent, %+v", sent, got)
	}
	if c.Why(c.now).Reason != IdleFlow {
		t.Error(c.Why(c.now))
	}
	c.Answered("$JS.FC.S.C.other", 0, 0, c.now)
	deliver()
	if sent != 8 {
		t.Fatal("an answer to something else counts")
	}
	c.Answered("$JS.FC.S.C.id1", 0, 0, c.now)
	deliver()
	if sent <= 16 { // the window has doubled
		t.Fatal(sent)
	}
}

func TestRateAndOriginal(t *testing.T) {
	c := newTalk(Config{Ack: AckNone, Subject: "p", Original: true}, stream("a", "a", "a"))
	expect(t, c.run(), "p<-1/1 #1 left 2")
	expect(t, c.pass(9*ms))
	expect(t, c.pass(2*ms), "p<-2/1 #2 left 1")
	expect(t, c.pass(10*ms), "p<-3/1 #3 left 0")

	// 4 bit/s: a message of some 140 bytes every 280 seconds.
	c = newTalk(Config{Ack: AckNone, Subject: "p", RateLimit: 4, Burst: 140}, stream("a", "a"))
	expect(t, c.run(), "p<-1/1 #1 left 1")
	expect(t, c.pass(100_000*ms))
	expect(t, c.pass(200_000*ms), "p<-2/1 #2 left 0")
}

// A delivery that was made and not written is forgotten by a crash; its ack is not.
func TestAckOfForgottenDelivery(t *testing.T) {
	c := newTalk(Config{Ack: AckExplicit}, stream("a", "a", "a"))
	c.Request("x", Request{Batch: 1}, c.now)
	c.run()
	written := slices.Clone(c.log)
	c.Request("x", Request{Batch: 1}, c.now)
	expect(t, c.run(), "x<-2/1 #2 left 1")

	m, err := c.again(nil, written)
	if err != nil {
		t.Fatal(err)
	}
	m.Resumed(false)
	c.Machine = m
	if !c.Ack(c.told(2, 2), c.now) {
		t.Fatal("not answered")
	}
	if n := c.NumPending(); n != 1 {
		t.Errorf("%d pending", n)
	}
	c.Request("x", Request{Batch: 9}, c.now)
	got := c.run()
	if len(got) != 1 || !strings.HasPrefix(got[0], "x<-3/1 #4097") {
		t.Fatal(got)
	}
}

func TestDeletedAndPurged(t *testing.T) {
	w := stream("a", "b", "a", "b")
	c := newTalk(Config{Ack: AckExplicit, Filters: []string{"a"}}, w)
	c.Request("x", Request{Batch: 1}, c.now)
	c.run()
	s, _ := w.remove(1)
	c.Removed(1, 1, []byte(s))
	if n := c.Notices(); len(n) != 1 || n[0].Kind != NoticeTerminated || n[0].Reason != "Unacknowledged message was deleted" {
		t.Fatalf("%+v", n)
	}
	s, _ = w.remove(3)
	c.Removed(3, 2, []byte(s))
	if i := c.Info(c.now); i.Pending != 0 || i.AckPending != 0 || i.Floor.Stream != 1 {
		t.Fatalf("%+v", i)
	}
	w.put("a", 1)
	w.msgs = nil
	c.Purged(w.last+1, true)
	if i := c.Info(c.now); i.Pending != 0 || i.Floor.Stream != 5 || i.Delivered.Stream != 5 {
		t.Fatalf("%+v", i)
	}
}

// Word of a removal comes after the stream has changed: what was counted in between is not
// counted off again, nor left on.
func TestRemovalsAreCountedOnce(t *testing.T) {
	w := stream("a", "a", "a", "a")
	c := newTalk(Config{}, w)
	pending := func(want uint64) {
		t.Helper()
		if n := c.Info(c.now).Pending; n != want {
			t.Fatalf("%d messages are pending, not %d", n, want)
		}
	}
	removed := func(seq, n uint64) { c.Removed(seq, n, nil) }
	w.remove(2)
	pending(3) // counted for the first time
	removed(2, 1)
	pending(3)
	w.put("a", 1)
	w.remove(5)
	w.remove(3)
	w.put("a", 1)
	pending(4) // 3 is counted still, 5 never was
	removed(5, 2)
	pending(4)
	removed(3, 3)
	pending(3)
	for n := uint64(4); n < 4*mostSpans; n++ { // nobody tells of what does not matter
		w.gone++
		w.put("a", 1)
		pending(n)
	}
	w.remove(4)
	removed(4, w.gone)
	if len(c.matches.spans) > mostSpans {
		t.Fatalf("%d spans", len(c.matches.spans))
	}
	pending(4*mostSpans - 2)
}

// A purge moves what was delivered, also if the stream's first sequence was noticed before.
func TestPurgeNoticedBefore(t *testing.T) {
	w := stream("a", "a", "a", "a")
	c := newTalk(Config{}, w)
	c.Request("x", Request{Batch: 1}, c.now)
	c.run()
	w.msgs = nil
	c.Info(c.now)
	c.Purged(w.last+1, true)
	if i := c.Info(c.now); i.Delivered.Stream != 4 || i.Floor.Stream != 4 {
		t.Fatalf("%+v", i)
	}
}

func TestResetBelowStartTime(t *testing.T) {
	c := newTalk(Config{Start: StartTime, StartTime: 1 << 62}, stream("a", "a"))
	if _, err := c.Reset(1); err == nil {
		t.Fatal("went back before the time that it was to start at")
	}
	if seq, err := c.Reset(3); seq != 3 || err != nil {
		t.Fatal(seq, err)
	}
}

func TestExpiredBefore(t *testing.T) {
	c := newTalk(Config{}, stream("a"))
	c.Request("x", Request{Batch: 2, Expires: -1}, c.now)
	expect(t, c.run(), "x<-408 Request Timeout (2, 0)")
}

// An update may take away the policy that a client is pinned by, or its group: the pin goes with it.
func TestUpdateTakesThePin(t *testing.T) {
	pinned := Config{Ack: AckExplicit, Priority: PolicyPinned, Groups: []string{"A"}, PinnedTime: 1000 * ms}
	for name, cfg := range map[string]Config{
		"no policy":     {Ack: AckExplicit},
		"another group": {Ack: AckExplicit, Priority: PolicyPinned, Groups: []string{"B"}, PinnedTime: 1000 * ms},
		"overflow":      {Ack: AckExplicit, Priority: PolicyOverflow, Groups: []string{"A"}},
	} {
		c := newTalk(pinned, stream("a"))
		c.Request("x", Request{Batch: 1, Group: "A", Expires: 5000 * ms}, c.now)
		expect(t, c.run(), "x<-1/1 #1 left 0")
		if id, _ := c.Pin(); id == "" {
			t.Fatal("nobody is pinned")
		}
		c.Notices()
		cfg.AckPrefix, cfg.AckWait = c.cfg.AckPrefix, c.cfg.AckWait
		c.Update(cfg, c.now)
		if id, _ := c.Pin(); id != "" {
			t.Errorf("%s: %s is pinned", name, id)
		}
		if n := c.Notices(); len(n) != 1 || n[0].Kind != NoticeUnpinned || n[0].Group != "A" {
			t.Errorf("%s: %+v", name, n)
		}
		c.pass(3000 * ms)
	}
	c := newTalk(pinned, stream("a"))
	c.Request("x", Request{Batch: 1, Group: "A"}, c.now)
	c.run()
	pinned.MaxAckPending, pinned.AckPrefix, pinned.AckWait = 5, c.cfg.AckPrefix, c.cfg.AckWait
	c.Update(pinned, c.now)
	if id, _ := c.Pin(); id == "" {
		t.Error("an update of something else takes the pin")
	}
}

// Why nothing is delivered is said in words, each with the figure that belongs to it.
func TestWhyIdle(t *testing.T) {
	why := func(want string, c *talk) {
		t.Helper()
		c.run()
		if got := c.Info(c.now).Idle.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	c := newTalk(Config{Ack: AckExplicit, MaxAckPending: 1}, stream("a", "a"))
	why("no waiting pull", c)
	c.Request("x", Request{Batch: 9}, c.now)
	why("max_ack_pending reached, the oldest pending is sequence 1", c)
	c.Ack(c.told(1, 1), c.now)
	c.run()
	c.Ack(c.told(2, 2), c.now)
	why("no match after sequence 2", c)
	c.w.put("a", c.now)
	c.Pause(1_900_000_000_000*ms, c.now)
	why("paused until 2030-03-17T17:46:40Z", c)

	w := stream("a")
	w.deaf["p"] = true
	why("no interest", newTalk(Config{Ack: AckNone, Subject: "p"}, w))
	c = newTalk(Config{Ack: AckNone, Subject: "p", RateLimit: 800, Burst: 140}, stream("a", "a"))
	c.run()
	if got := c.Info(c.now).Idle.String(); !strings.HasPrefix(got, "held back by its rate until 2027-01-15T08:00:01.") {
		t.Error(got)
	}

	c = newTalk(Config{Ack: AckExplicit, Priority: PolicyOverflow, Groups: []string{"A"}}, stream("a", "a"))
	c.Request("x", Request{Batch: 1, Group: "A", MinPending: 3}, c.now)
	why("no waiting pull may take it", c)
	c.w.put("a", c.now)
	expect(t, c.run(), "x<-1/1 #1 left 2")
}
