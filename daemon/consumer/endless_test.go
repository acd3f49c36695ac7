package consumer

import "github.com/nats-broker/nats-broker/daemon/subjects"

// endless is a stream that has every sequence up to last, all on one subject.
type endless struct{ last uint64 }

func (w *endless) Bounds() (uint64, uint64) { return 1, w.last }

func (w *endless) Next(from uint64, _ *subjects.Filter) (uint64, bool) { return from, from <= w.last }

func (w *endless) Prev(from uint64, _ *subjects.Filter) (uint64, bool) {
	return min(from, w.last), w.last > 0
}

func (w *endless) Count(_ *subjects.Filter, from, upTo uint64) uint64 { return upTo + 1 - from }

func (w *endless) AtTime(int64) (uint64, bool) { return 1, w.last > 0 }

func (w *endless) LastPerSubject(*subjects.Filter) []uint64 { return nil }

func (w *endless) Interested(string, string) bool { return true }

func (w *endless) NewID() string { return "id" }

func (*endless) Removals() uint64 { return 0 }
