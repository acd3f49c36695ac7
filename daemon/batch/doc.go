// Package batch stages bytes by destination. Whoever works on a buffer of input, a
// reader as a rule, collects what it sends in a [Batch], in one [Lane] for each
// [Destination]; at the end of the input each destination is given its lane, once.
// So a destination has one lock and one system call for all the messages of a batch.
//
// What a destination is, is not known here: the queue of a socket is one, what stores
// messages is another. It is given pieces of counted memory, and keeps of them what it
// likes.
//
// # Buffers
//
// Bytes live in reference-counted [Block]s from pools. A block that several
// destinations send from, or that a large payload was read into, is shared, not
// copied.
package batch
