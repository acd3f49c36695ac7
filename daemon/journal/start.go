package journal

import "time"

// Start makes the goroutines that commit what is appended and that make files. They end with
// Close. A journal that is not started commits when it is told to.
func (j *Journal) Start() {
	j.wake, j.keep, j.quit = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
	j.over.Add(2)
	go j.commitLoop()
	go j.tidyLoop()
	j.signal() // for what was appended before
	j.tidySoon()
}

func (j *Journal) tidyLoop() {
	defer j.over.Done()
	for {
		select {
		case <-j.quit:
			return
		case <-j.keep:
			j.tidy()
		}
	}
}

// commitLoop commits. When nothing has been committed for a while it vouches for the last
// commit, and in the mode of an interval it syncs at its end; then it sleeps until somebody
// commits again.
func (j *Journal) commitLoop() {
	defer j.over.Done()
	quiet, interval := time.NewTimer(j.opts.Quiet), time.NewTimer(j.opts.Interval)
	defer quiet.Stop()
	defer interval.Stop()
	j.armed.Store(true)
	var seen uint64 // commits when quiet was set
	syncing := true
	for {
		select {
		case <-j.quit:
			return
		case <-interval.C:
			syncing = false
			j.enter()
			j.syncWritten()
			j.leave()
			continue
		case <-quiet.C:
			n := j.Stats().Commits
			if n == seen {
				j.armed.Store(false)
				j.enter()
				j.vouch(0)
				j.leave()
				seen = j.Stats().Commits
				continue
			}
			seen = n
			quiet.Reset(j.opts.Quiet)
			continue
		case <-j.wake:
		}
		j.enter()
		for j.gather() && j.round() {
		}
		ahead := j.written != j.durable
		j.leave()
		if !j.armed.Swap(true) {
			quiet.Reset(j.opts.Quiet)
		}
		if ahead && !syncing {
			syncing = true
			interval.Reset(j.opts.Interval)
		}
	}
}

// gather waits for as many frames as the last commit had, where that pays. It reports whether
// any wait.
func (j *Journal) gather() bool {
	frames, most := j.pace.gather()
	if frames < 2 {
		return j.waiting() > 0
	}
	t := time.NewTimer(most)
	defer t.Stop()
	for {
		if n := j.waiting(); n == 0 || n >= frames {
			return n > 0
		}
		select {
		case <-j.wake:
		case <-t.C:
			return true
		}
	}
}

func (j *Journal) waiting() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.queue.frames
}
