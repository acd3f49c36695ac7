// Package jetstream keeps streams for the accounts of a server: it answers $JS.API, takes what is published into
// streams, and hands out what they hold.
//
// # A message's way into a stream
//
// A stream is a destination of the batches of those who publish (see package batch): the plan of a subject that it
// captures has a step that writes the message down in the lane, once, with subject, reply and header (record.go). At the
// end of the batch the stream is given the lane. Whoever finds the stream free decides about all that has come
// (intake.go): the machine of package stream accepts, refuses or asks to wait; what is accepted becomes one frame of the
// ledger. When the frame is committed the changes are applied, and republished messages and acks leave by the stream's own
// publisher, in the order of sequences (outgoing.go).
//
// Nobody waits for a stream: who finds it busy leaves the lane in its inbox, and who is busy with it looks there again.
//
// # Requests
//
// Requests of an account wait in one queue, and one goroutine answers them in their order (requests.go), so that who asks for an
// info sees what was asked for before. Direct gets and gets of messages read beside them (direct.go).
//
// # What others see
//
// Committed messages only: reading goes to the log, and a message gets there when its frame is committed.
package jetstream
