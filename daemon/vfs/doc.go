// Package vfs is the one door to a disk: what the store keeps is read and written through an
// [FS], of which there are two. [OS] is the machine's. Package sim has one from a seed, that
// forgets what was not synced when its power is cut, fails, fills up, hangs and rots.
//
// # What an FS promises
//
// It promises what Linux does, and no more. A write is seen by every reader at once and is on the
// disk when [File.Sync] has returned nil. Names are apart from what is in files: a created,
// renamed, linked or removed name lasts when [FS.SyncDir] of its folder has returned nil. A sync
// that fails says that some of what was written is lost: the kernel may call the pages clean
// afterwards, so that the next sync returns nil without them. So a failed sync is never
// repeated; what it was for is written to another file.
//
// Calls block for as long as the disk does, in a system call that the Go scheduler knows of.
// They have no deadline: nobody can take a write back from a disk that hangs. Who must not
// wait does not call from its own goroutine.
//
// # What is counted
//
// Who opens a file says what [Kind] it is of; [Count] wraps an FS in one that counts calls and
// bytes by kind.
package vfs
