// Package handover carries what one process leaves for the next: descriptors, and the
// state that belongs to them.
//
// # What is left
//
// A [Parcel] is three descriptors, whatever the number of connections. Two are the ends
// of a pair of connected sockets in which the connections' descriptors are parked: they
// are on their way inside the kernel (SCM_RIGHTS, unix(7)), 253 a message, and stay
// there as long as somebody holds both ends. The third is a sealed file in memory with
// the state (memfd_create(2)), of which nobody can change a byte any more.
//
// So a service manager has three descriptors to keep and not ten thousand, which it
// would compare with each other one by one; and descriptors come out in the order in
// which they went in, so that the first record of the state is that of the first one.
//
// # Where it waits
//
// Under systemd in the descriptor store, from the end of the one process to the start
// of the next. For an upgrade by hand the old process starts the new one and they talk
// over a [Line]: the old one keeps its own copies until the new one says that it
// serves.
//
// # When the next one ends too early
//
// A process takes copies ([Parcel.Take]): what waits goes on waiting for whoever comes
// after it. Before it serves the first connection it makes the parcel void for all who
// have it ([Parcel.Void]), since the state is true no more.
//
// # When nobody comes
//
// Descriptors that wait hold connections open that nobody serves. A parcel therefore
// knows its age: who finds one older than [Patience] closes what is in it.
package handover
