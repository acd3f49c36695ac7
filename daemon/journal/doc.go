// Package journal is the one log of a node through which everything goes that must last. Whoever
// has something to keep appends a [Frame]; one committer takes what waits, of all streams,
// writes it as one commit, syncs once, and tells each frame's [Waiter]. Later the owners bring
// their frames to files of their own and say so ([Journal.Release]); then the journal's file is
// used again.
//
// # What is on the disk
//
// A folder of files, made with zeros once and used again and again, since a file that grows
// makes each sync commit the file system's own journal too. A file begins with a header in its
// first block and ends with the same in its last one; between them lie commits.
//
//	commit   head | table | bodies | zeros | parity | tail      from one 4 KiB block to another
//	head     number, place, bytes, the number and sum of the commit before, and the number of
//	         the last commit that is known to be on the disk; 64 bits of keyed sum
//	table    for each frame: kind, stream, first, count, time, length, its sum and the body's
//	parity   all entries of the table, xor'ed: one that is damaged is made of it
//	tail     the head again
//
// No commit shares a block with another one, since a block under write may become anything.
// What can be found by scanning, headers and heads and tails, carries a sum with a key of the
// store and of the use of the file, so that no bytes of a client can ever be taken for it, and
// nothing that the file held before it was used again.
//
// # Torn or rotten
//
// A commit that does not verify was never finished, or has been damaged since. It is *rotten*
// if something behind it says that it was on the disk: the head of a later commit, or the
// header of the next file. Then its readable frames are used, and what is missing is given to
// the owner as lost, by stream and sequences as far as they can be known. Else it is *torn*: it
// was never acknowledged as durable, and neither it nor what stands behind it is ever read
// again. Some time after the last commit a closing one is written, that vouches for it.
//
// A start reads, and never writes on in a file that it read. It takes another file, raises the
// generation, and says in its header up to which commit of which sum it believes. Commit
// numbers are not used twice: a start goes on far behind the last one that it saw, so that
// files which an owner synced before the journal are not taken for newer than they are.
//
// # What goes wrong
//
// A failed write or sync is final for the file. What was in the commit is still in memory, has
// been acknowledged to nobody, and goes whole into the next file, whose header says that the one
// before ends earlier. If that fails too the journal is read-only until the next start: frames
// whose fate is unknown end with [ErrUnknown], the others with [ErrReadOnly].
//
// # Neighbours
//
// As long as others wait, a stream adds to a commit what the disk writes in the time of one
// flush, in turn; a larger frame goes in numbered parts, and counts from its end. See queue.go.
package journal
