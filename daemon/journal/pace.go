package journal

import "time"

// pace measures the disk and says what follows from it. It is pure: times are given.
type pace struct {
	flush time.Duration // what writing and syncing a small commit takes, levelled
	last  int           // frames in the last commit
}

const (
	smallCommit = 64 << 10
	minShare    = 64 << 10
	maxShare    = 1 << 20

	// Of 64 KiB at a flush of 0.3 ms and 1 MiB at 5 ms, with which neighbours of a stream that
	// writes all the time were measured.
	shareRate = 200 << 20 // bytes a second

	gatherFrom = time.Millisecond
	gatherMost = 64
)

// took says how long a commit took.
func (p *pace) took(d time.Duration, bytes int64, frames int) {
	p.last = frames
	if bytes > smallCommit {
		return
	}
	if p.flush == 0 {
		p.flush = d
		return
	}
	p.flush += (d - p.flush) / 8
}

// share is what a stream may add to a commit while others wait.
func (p *pace) share() int64 {
	return max(minShare, min(maxShare, int64(p.flush.Seconds()*shareRate)))
}

// gather says for how many frames a commit should wait, and how long at most: as many as were in
// the last one, half a flush. Where a flush is short this costs more than it saves.
func (p *pace) gather() (frames int, most time.Duration) {
	if p.flush < gatherFrom {
		return 0, 0
	}
	return min(p.last, gatherMost), p.flush / 2
}
