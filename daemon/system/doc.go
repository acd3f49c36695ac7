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
// Requests are handled and messages sent by a service of the room of that name, which
// see. There are three lanes, so that what is slow holds up nothing that is quick: pings
// are answered by a worker of their own, and what other servers tell of themselves comes in
// order through another. The outbox gives each message the server's sequence number, in
// which other servers expect what they are told.
//
// # Compatibility
//
// Subjects, fields, schemas and intervals are those of nats-server 2.15.3, learned by
// asking it; compat_test.go asks again.
package system
