package broker

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// TestHeld: what is kept is there for its time, once, and then gone with all that belongs to it.
func TestHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h held[int]
		h.put("slow", 1, time.Minute)
		h.put("quick", 2, time.Second)
		h.put("taken", 3, time.Second)
		if v, ok := h.take("taken"); v != 3 || !ok {
			t.Errorf("taken: %v %v", v, ok)
		}
		if _, ok := h.take("taken"); ok {
			t.Error("taken twice")
		}
		time.Sleep(999 * time.Millisecond)
		if !h.has("quick") {
			t.Error("dropped early")
		}
		time.Sleep(1002 * time.Millisecond) // it is looked every second
		if h.has("quick") || !h.has("slow") {
			t.Error("quick was kept, or slow dropped")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if h.items != nil || h.timer != nil {
			t.Errorf("left: %v", h.items)
		}
		for i := range maxHeld + 1 {
			h.put(strconv.Itoa(i), i, time.Second)
		}
		if h.has(strconv.Itoa(maxHeld)) || !h.has("0") {
			t.Error("it has no bound, or gives up what it has")
		}
		time.Sleep(2 * time.Second)
	})
}
