package jetstream

import (
	"math"

	"github.com/nats-broker/nats-broker/daemon/journal"
	"github.com/nats-broker/nats-broker/daemon/stream"
)

// When a schedule that repeats is next stands in the message that it has sent, which goes through the journal. That message may
// be gone before the schedule is next; so at a checkpoint the times are written beside the states of consumers (consumer_states.go).

// schedulesID is their place there.
const schedulesID = math.MaxUint64 - 1

// schedules returns them as they are kept; nil: there are none.
func (s *Stream) schedules() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.Schedules()
}

// resumeSchedules takes what the process before has kept, or who had the stream before: nobody uses it yet.
func (s *Stream) resumeSchedules() {
	k := s.kept
	if was := k.stream; was != nil {
		k.schedules = was.schedules()
	}
	s.machine.ResumeSchedules(k.schedules)
	s.consumersChanged.Store(s.consumersChanged.Load() || k.rescheduled)
	k.schedules, k.rescheduled = nil, false
}

// keepSchedules has those of a stream that nobody has taken written with the states of its consumers.
func (k *kept) keepSchedules() {
	if len(k.schedules) > 0 {
		k.consumers.states[schedulesID] = consumerState{state: k.schedules}
	} else {
		delete(k.consumers.states, schedulesID)
	}
	k.rescheduled = false
}

// noteSchedules takes from a frame what it says of schedules, where the messages are in files: what is written of schedules may be
// older.
func (k *kept) noteSchedules(fr *journal.Frame) error {
	if fr.Lost || !k.machine.Config().Schedules {
		return nil
	}
	k.rescheduled = true
	switch fr.Kind {
	case frameRecords, frameBatch:
		return k.eachRecord(fr, func(c stream.Change) error {
			k.machine.Note(c)
			return nil
		})
	case frameChange:
		c, err := stream.ParseChange(join(fr.Body))
		if err != nil {
			return err
		}
		k.machine.Note(c)
	}
	return nil
}
