// Package sim is a disk with a file system in memory, made from a seed, that does whatever a disk
// and a file system may do.
//
// What is written is seen at once and kept apart from what is on the disk. At a [Disk.Cut] each
// sector that was written and not synced is there, or is not, and a block of 4 KiB in which
// one of them lies may become anything, also where it had been synced before. To cut a file off within a block
// is to write that block. Names behave
// alike: each change that was not synced with its folder has happened or has not, by itself, or
// in order, as in a file system that keeps a journal of its names.
//
// [Disk.Hook] is asked before each call what becomes of it: an error, a piece of a write, the end
// of the power. It may also wait, which is a disk that is slow or hangs. A sync that fails has
// written some of what it was for, and the rest is clean: it is read until the memory is
// wanted for something else, and never written.
//
// A disk does the same things for the same calls in the same order. It may be used by several
// goroutines; then the order is theirs.
package sim
