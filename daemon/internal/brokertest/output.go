package brokertest

import (
	"bytes"
	"strings"
	"sync"
)

// output collects what a process writes and wakes those who wait for a text.
// It is safe for concurrent use.
type output struct {
	mu    sync.Mutex // leaf lock: nothing is called while it is held
	buf   bytes.Buffer
	grown chan struct{} // closed and replaced at every write
}

func newOutput() *output { return &output{grown: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.buf.Write(p)
	close(o.grown)
	o.grown = make(chan struct{})
	return n, err
}

// find returns the place behind the first text at or after from, or -1 and a
// channel that is closed when more has been written.
func (o *output) find(text string, from int) (int, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := strings.Index(o.buf.String()[from:], text); i >= 0 {
		return from + i + len(text), nil
	}
	return -1, o.grown
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func (o *output) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Len()
}
