// Package consumer decides what happens in one consumer of a stream: what is delivered next
// and to whom, what is pending, what is delivered again and when, where the floors are. It does
// no i/o and has no clock: time is given, in nanoseconds since 1970.
//
//	requests, acks, interest, time ─► Machine ─► what to deliver, statuses, notices, changes
//	                                     │
//	                                     └─ asks World: which message matches next, how many
//
// Whoever drives a [Machine] goes round one loop:
//
//	for want, ok := m.Next(now); ok; want, ok = m.Next(now) {
//		load the message; if it is gone: m.Missing(want); if it cannot be read: m.Unreadable(want)
//		d, what := m.Deliver(want, size, time of the message, now)
//		if it is Sent: send the message by d, then what m.Statuses and m.Notices return
//		otherwise: send what they return, and leave the loop
//	}
//	sleep until m.Deadline, or until something happens
//
// and writes what [Machine.Changes] returns to the stream's log. Reading the changes again
// ([Machine.Apply]) gives the same machine, but for waiting requests, which
// [Machine.Waiting] and [Machine.Request] carry from one process to the next.
//
// A machine is used by one goroutine at a time.
package consumer
