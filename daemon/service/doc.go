// Package service is how parts of the broker answer requests, and ask, in any account:
// the system account's requests, an authorization callout, the JetStream API.
//
//	client -> broker -> lane -> handler -> outbox -> broker -> client
//
// # Nothing runs on a publisher's goroutine
//
// The broker calls an internal subscriber on the goroutine that reads from the
// publisher. What is subscribed here therefore only copies the request into a [Lane]
// of a [Service], a bounded queue with workers of its own, so that what is slow holds
// up nothing that is quick. A lane that is full drops what comes next; who asked sees a
// timeout, and the log tells how much was dropped. Asking faster than the workers answer
// gains nothing, and a server that is asked so must not run out of memory.
//
// All that is sent goes through an outbox with one goroutine, in order. A worker waits
// for room in it; an event never waits: it is dropped and counted, since it comes from a
// goroutine that serves a client. What nobody listens to is not even made.
//
// # Where
//
// A service is in any number of accounts: [Handlers] are those of one, and move to
// another as a whole. All share the lanes.
//
// # Asking
//
// [Inboxes] are for who asks and waits for answers, in whatever account.
package service
