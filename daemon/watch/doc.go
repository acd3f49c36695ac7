// Package watch notices that files changed: the configuration's main file, its
// includes and drop-ins, certificates, keys, password files.
//
// A file is not watched itself: editors write a new file and rename it over the
// old one, configuration managers delete and recreate directories, and
// Kubernetes swaps a symbolic link ("..data") several directories up. What is
// watched is every directory on the way in which a change could make the path
// mean something else, links followed component by component, and the parents
// of those directories (a deleted directory takes its watch with it). Each
// event only says "look again": then the signatures (inode, size, times, link
// targets) of all files are compared with those seen before, so a missed or a
// duplicate event costs nothing.
//
// A burst of events is one change: the Watcher waits until it has been quiet
// for a moment, but not for ever. A file that somebody has open for writing is
// not reported before it is closed, however long that takes: what is in it
// until then is nobody's intention. The kernel knows whether a file has a
// writer, but tells only its owner and root; for others a file is open from the
// first change that was seen to the close that follows, also when it is renamed
// meanwhile. Where inotify sees nothing (network and FUSE
// file systems, exhausted inotify limits) a slow poll of the same signatures
// finds the change. inotify(7).
package watch
