package jetstream

import "sync"

// deliverers are the few goroutines that go rounds with consumers, in the order in which they were woken. They end when
// there is nothing to do.
type deliverers struct {
	mu      sync.Mutex
	line    []*Consumer
	running int
	stopped bool
	done    sync.WaitGroup
}

const maxDeliverers = 4

// put puts a consumer at the end of the line.
func (d *deliverers) put(c *Consumer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	d.line = append(d.line, c)
	if d.running < maxDeliverers {
		d.running++
		d.done.Go(d.run)
	}
}

func (d *deliverers) run() {
	for {
		d.mu.Lock()
		if len(d.line) == 0 || d.stopped {
			d.running--
			d.mu.Unlock()
			return
		}
		c := d.line[0]
		d.line[0] = nil
		d.line = d.line[1:]
		if len(d.line) == 0 {
			d.line = nil
		}
		d.mu.Unlock()
		if c.round() {
			d.put(c)
		}
	}
}

// idle reports whether there is nothing to do.
func (d *deliverers) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.running == 0
}

// stop ends them; a round under way ends first.
func (d *deliverers) stop() {
	d.mu.Lock()
	d.stopped, d.line = true, nil
	d.mu.Unlock()
	d.done.Wait()
}
