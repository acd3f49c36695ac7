package consumer

import "testing"

// Whatever stands in a file gives a machine that works, or an error.
func FuzzRestore(f *testing.F) {
	c := newTalk(Config{Ack: AckExplicit, MaxDeliver: 2}, stream("a", "b", "a"))
	c.Request("x", Request{Batch: 2}, c.now)
	c.run()
	c.Nak(c.told(1, 1), 0, false, c.now)
	f.Add(c.State(), c.log)
	f.Add([]byte{stateForm, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, []byte{opDeliver, 5, 5, 1, 2, opSpend, 5, 1})
	f.Fuzz(func(t *testing.T, state, changes []byte) {
		w := stream("a", "b", "a")
		m := Reopen(Config{Ack: AckExplicit, AckWait: 1000 * ms, MaxDeliver: 2}, w, 1)
		if m.Restore(state) != nil || m.Apply(changes) != nil {
			return
		}
		m.Resumed(false)
		talk := &talk{Machine: m, w: w, now: 1_800_000_000_000 * ms}
		m.Request("x", Request{Batch: 5}, talk.now)
		talk.run()
		m.Info(talk.now)
		if err := Reopen(m.cfg, w, talk.now).Restore(m.State()); err != nil {
			t.Fatal("a state of its own is not read:", err)
		}
	})
}
