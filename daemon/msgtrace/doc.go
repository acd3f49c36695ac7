// Package msgtrace tells who asks for it which way a message went: what asks in a
// message's header, and the report that each server on the way makes of it, in the form
// of nats-server 2.15.3.
//
// A [Trail] collects what one server does with one message. It does no i/o and has no
// clock of its own. Who delivers the message adds what happens, in order; who has added
// the last thing ([Trail.Done]) publishes [Trail.Report] where the message asks for it.
//
// Only messages with a header can ask, so [Asks] is all that others with a header pay.
package msgtrace
