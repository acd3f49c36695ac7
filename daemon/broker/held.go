package broker

import (
	"sync"
	"time"
)

// maxHeld bounds a held table: what is more is not taken.
const maxHeld = 1 << 16

// held is things by name that somebody will ask for once, or forget: each stays for its
// own time at least, and is then dropped. The zero table is ready. Its methods may be
// called from any goroutine.
type held[T any] struct {
	mu    sync.Mutex // a leaf
	items map[string]heldItem[T]
	timer *time.Timer // nil while there are none
	every time.Duration
}

type heldItem[T any] struct {
	v     T
	until time.Time
}

// put keeps v for d, unless there is no room.
func (h *held[T]) put(name string, v T, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.items) >= maxHeld {
		return
	}
	if h.items == nil {
		h.items = make(map[string]heldItem[T])
	}
	h.items[name] = heldItem[T]{v, time.Now().Add(d)}
	switch {
	case h.timer == nil:
		h.every, h.timer = d, time.AfterFunc(d, h.sweep)
	case d < h.every:
		h.every = d
		h.timer.Reset(d)
	}
}

// take returns what is kept under a name, which is then kept no more.
func (h *held[T]) take(name string) (v T, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i, ok := h.items[name]
	delete(h.items, name)
	return i.v, ok
}

// has reports whether something is kept under a name.
func (h *held[T]) has(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.items[name]
	return ok
}

// sweep drops what nobody has asked for. It runs until there is nothing left.
func (h *held[T]) sweep() {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	for name, i := range h.items {
		if !now.Before(i.until) {
			delete(h.items, name)
		}
	}
	if len(h.items) == 0 {
		h.items, h.timer = nil, nil // gives back what a burst took
		return
	}
	h.timer.Reset(h.every)
}
