package system

import (
	"strconv"
	"sync/atomic"
	"time"
)

// firstStats is when the server first tells of its figures. The time to the next
// doubles until it is the configured one.
const firstStats = 250 * time.Millisecond

// tick does what is to be done from time to time, and tells of accounts that change,
// until the service stops.
func (s *Service) tick() {
	o := s.opts.Load()
	pause := min(firstStats, o.StatsInterval)
	stats := time.NewTimer(pause)
	defer stats.Stop()
	heart := time.NewTicker(o.ConnsInterval)
	defer heart.Stop()
	rest := time.NewTimer(0)
	defer rest.Stop()
	var wake <-chan struct{}
	for beats := 1; ; {
		select {
		case <-s.stopping:
			return
		case <-stats.C:
			s.tellStats()
			pause = min(2*pause, s.opts.Load().StatsInterval)
			stats.Reset(pause)
		case now := <-heart.C:
			s.tellAllConns()
			if beats++; beats%3 == 0 {
				s.sweep(now)
			}
		case <-rest.C:
			wake = s.wake
		case <-wake:
			for a := range s.takeChanged() {
				s.tellConns(a)
			}
			wake = nil
			rest.Reset(connsPause)
		}
	}
}

// eventIDs makes ids that are unique: the first half is drawn for each process.
type eventIDs struct {
	prefix string
	last   atomic.Uint64
}

func newEventIDs() *eventIDs { return &eventIDs{prefix: string(random62(nil, 14))} }

func (e *eventIDs) next() string {
	n := strconv.FormatUint(e.last.Add(1), 36)
	return e.prefix + "00000000"[min(len(n), 8):] + n
}

func (s *Service) newEvent(schema string) Event {
	return Event{Schema: schema, ID: s.ids.next(), Time: time.Now().UTC()}
}
