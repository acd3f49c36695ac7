package consumer

import "testing"

// move makes the machine of the process that follows.
func move(t *testing.T, m *Machine, cfg Config, w World, now int64) *Machine {
	t.Helper()
	next := Reopen(cfg, w, now)
	if err := next.Restore(m.State()); err != nil {
		t.Fatal(err)
	}
	next.Resumed(true)
	next.Relive(m.Live(), now)
	m.Waiting(now, func(to string, r Request) { next.Restored(to, r, now) })
	return next
}

// A request goes on with what is left of its messages, bytes and time.
func TestRequestsMove(t *testing.T) {
	w := &endless{last: 2}
	cfg := Config{Ack: AckExplicit, AckWait: 1000 * ms, AckPrefix: "a."}
	m := New(cfg, w, 1)
	m.Request("x", Request{Batch: 5, MaxBytes: 1000, Expires: 60_000 * ms, Heartbeat: 100 * ms}, 1)
	for want, ok := m.Next(1); ok; want, ok = m.Next(1) {
		m.Deliver(want, 10, 1, 1)
	}
	m.Statuses()
	m = move(t, m, cfg, w, 20_000*ms)
	w.last = 3
	want, ok := m.Next(20_000 * ms)
	if !ok || want.Times != 2 { // of a wait that is over
		t.Fatalf("%+v, %v", want, ok)
	}
	var left []Request
	m.Waiting(20_000*ms, func(_ string, r Request) { left = append(left, r) })
	if len(left) != 1 || left[0].Batch != 3 || left[0].Delivered != 2 || left[0].Expires != 40_000*ms+1 || left[0].MaxBytes >= 990 {
		t.Errorf("%+v", left)
	}
	d, what := m.Deliver(want, 10, 1, 20_000*ms)
	if what != Sent || d.To != "x" || d.Num != 3 {
		t.Errorf("%+v, %v", d, what)
	}
	m.Tick(60_002 * ms)
	if s := m.Statuses(); len(s) == 0 || s[len(s)-1].Line != "408 Request Timeout" {
		t.Errorf("%+v", s)
	}
}

// Whoever is pinned stays so.
func TestPinsMove(t *testing.T) {
	w := &endless{last: 2}
	cfg := Config{Ack: AckExplicit, AckWait: 1e6 * ms, Priority: PolicyPinned, Groups: []string{"g"}, PinnedTime: 1000 * ms}
	m := New(cfg, w, 1)
	m.Request("x", Request{Batch: 1, Group: "g"}, 1)
	want, _ := m.Next(1)
	m.Deliver(want, 10, 1, 1)
	id, since := m.Pin()
	m = move(t, m, cfg, w, 500*ms)
	if now, at := m.Pin(); now != id || at != since || id == "" {
		t.Errorf("%q since %d", now, at)
	}
	other := cfg
	other.MaxAckPending = 5
	if m.Update(other, 500*ms); !pinned(m) {
		t.Error("an update of something else takes the pin")
	}
	m.Request("y", Request{Batch: 1, Group: "g", ID: "another"}, 500*ms)
	if s := m.Statuses(); len(s) != 1 || s[0].Line != "423 Nats-Pin-Id mismatch" {
		t.Errorf("%+v", s)
	}
	m.Next(1002 * ms)
	if now, _ := m.Pin(); now != "" {
		t.Error("it is pinned for ever")
	}
	if n := m.Notices(); len(n) == 0 || n[len(n)-1].Kind != NoticeUnpinned || n[len(n)-1].Group != "g" {
		t.Errorf("%+v", n)
	}

	cfg.PinnedTime = never
	m = New(cfg, w, 1)
	m.Request("x", Request{Batch: 1, Group: "g"}, 1)
	want, _ = m.Next(1)
	m.Deliver(want, 10, 1, 1)
	if m = move(t, m, cfg, w, 500*ms); m.Tick(1002*ms) || !pinned(m) {
		t.Error("it was to be pinned for ever")
	}
}

func pinned(m *Machine) bool {
	id, _ := m.Pin()
	return id != ""
}

// The window of flow control stays as large as it was, with what is under way, and the answer to what was asked counts.
func TestWindowsMove(t *testing.T) {
	w := &endless{last: 1 << 20}
	cfg := Config{Subject: "x", FlowControl: true, Heartbeat: 1000 * ms, FlowPrefix: "fc."}
	m := New(cfg, w, 1)
	fill := func(now int64) (sent int) {
		for want, ok := m.Next(now); ok; want, ok = m.Next(now) {
			m.Deliver(want, 1<<18, 1, now)
			sent++
		}
		return sent
	}
	first := fill(1)
	m.Answered("fc.id", 0, 0, 1)
	fill(1)
	if s := m.Statuses(); len(s) == 0 || s[len(s)-1].Reply != "fc.id" {
		t.Fatalf("%+v", s)
	}
	m = move(t, m, cfg, w, 500*ms)
	if n := fill(500 * ms); n != 0 {
		t.Errorf("%d messages beyond the window", n)
	}
	m.Answered("fc.other", 0, 0, 500*ms)
	if n := fill(500 * ms); n != 0 {
		t.Errorf("%d messages for an answer to something else", n)
	}
	m.Answered("fc.id", 0, 0, 500*ms)
	if n := fill(500 * ms); n < first {
		t.Errorf("%d messages; the first window was %d", n, first)
	}
}
