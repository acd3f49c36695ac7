// Package system is the broker's side of the system account: it answers the requests
// below $SYS.REQ, publishes the events below $SYS, and keeps track of the other
// servers of the cluster by theirs. Operators' tools (`nats server …`, `nats account
// …`) speak to nothing else.
//
// # Parts
//
// A [Service] subscribes in the system account. Whoever answers requests registers a
// [Handler] for a pattern by [Service.Handle], before or after the start; whoever has
// news publishes it by [Service.Emit] or [Service.Publish].
//
//	client -> broker -> lane -> handler -> outbox -> broker -> client
//
// # Nothing runs on a publisher's goroutine
//
// The broker calls an internal subscriber on the goroutine that reads from the
// publisher. What is subscribed here therefore only copies the request into a lane
// (lane.go), a bounded queue with one worker. There are three, so that what is slow
// holds up nothing that is quick: pings are answered by a worker of their own, and
// what other servers tell of themselves comes in order through another. A lane that
// is full drops what comes next; who asked sees a timeout, and the log tells how much
// was dropped. Asking faster than one worker answers gains nothing, and a server that
// is asked so must not run out of memory.
//
// All that is sent goes through the outbox (outbox.go), whose one goroutine gives it
// the server's sequence number, in which other servers expect what they are told. A
// worker waits for room in it; an event never waits: it is dropped and counted, since
// it comes from a goroutine that serves a client. An event that nobody listens to is
// not even made.
//
// # Compatibility
//
// Subjects, fields, schemas and intervals are those of nats-server 2.15.3, learned by
// asking it; compat_test.go asks again.
package system
