// Package segment keeps the messages of one stream in files and finds them again by sequence,
// subject, filter and time: it is a [stream.Log].
//
// # What is where
//
//	<dir>/state       what counts, and up to which commit; replaced as a whole
//	<dir>/<id>.seg    pages of records, each run of pages followed by its index
//	<dir>/<id>.del    deletions of runs whose records stay where they are
//	<dir>/quarantine  what could not be read and is not thrown away
//
// A record waits in the tail, in memory, until a megabyte has come together. Then what of it still
// lives is written as a *run*: pages of 64 KiB and an index, which says where the pages are, which
// sequences they hold, and which records each subject has. When a file is full its runs become one.
// A run does not change; a record of it that is deleted is a bit in a bitmap. A run without living records is
// dropped, and a file without runs removed. A file of which less than a third lives is written anew
// together with its neighbours.
//
// In memory there are a hundred bytes for a run, the tail, and a table of the subjects that were in
// use; everything else is read when it is needed and kept as long as the node's cache has room.
// Nothing is read at the start but the state.
//
// # What is true after a crash
//
// Nothing is synced but by Sync, and nothing counts that the state does not name. The state
// is replaced after everything it names is on the disk, so that the log comes up as it was at a
// commit, the one that Durable returns. What came later it is given again, as often as one likes:
// a record whose sequence was there, a removal of what is not there and a truncation below the first change
// nothing. What was written behind that point is cut off before a file is written on; and because a block that is under write
// when the power fails may become anything, no two syncs share one.
//
// # What rot costs
//
// A flipped bit costs the record it is in, or the page if it is in the page's list of records;
// nothing at all if it is in an index (made anew from the pages), in the deletions or in the
// state (both are there twice). What is lost is in Lost, is reported, and stays where it is: a
// file in which something cannot be read is not written anew. If both copies of the state are
// gone the log is made anew from the pages. That the disk fails in reading the state, or what is needed to do
// that, is neither: the log is not opened then, since the next time it may be there. Everything that is found by searching carries a
// sum with a key that clients do not know.
//
// What the disk does not give is not damaged by that. Nobody takes it for what is not there: a search returns the
// error, and nothing of it is remembered; Next and Prev return what cannot be read as if it were asked for; deletions
// that cannot be read hide their run. A bad sector (EIO) loses the messages in it; any other error is over
// when its cause is, and is a [stream.ErrNotNow].
//
// # What is not here yet
//
// A deleted record is a bit: its bytes stay until the file is written anew or removed. Erasing
// them means to write anew at once, and not to wait for the next state, the files of what was removed: Tidy does
// the first for any group of runs. Pages are not encrypted; a page with a flag that is not known is refused.
//
// # Locks
//
// scrubbing is held while a piece is scrubbed, and nothing is held when it is taken. syncing (one Sync), then writing (one change), then mu, then those of the node. Readers take
// mu only for as long as it takes to look at memory; no file is read or written under it.
package segment
