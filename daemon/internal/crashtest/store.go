package crashtest

import "github.com/nats-broker/nats-broker/daemon/vfs"

// Store keeps messages. When it is driven by a seed everything is called by one goroutine.
type Store interface {
	// Put hands over messages of a stream, which take sequences one behind the other. done is
	// called when they are acknowledged, with the sequence of the first; perhaps before Put
	// returns, perhaps in Flush. weak says that the end of the power may take them away.
	Put(stream uint64, bodies [][]byte, done func(first uint64, weak bool, err error))
	// Remove takes a message out, which then never comes back. done is called like that of Put.
	Remove(stream, seq uint64, done func(err error))
	// Flush works off what was handed over.
	Flush()
	// Sync brings to the disk what was acknowledged weakly.
	Sync() error
	// Checkpoint does what a store does from time to time so that its journal may forget.
	Checkpoint() error
	// Contents returns what it holds.
	Contents() (Contents, error)
	// Lost reports whether the store says that a message was lost.
	Lost(stream, seq uint64) bool
	Close() error
}

// Opener opens a store on a disk; what it finds there is in the store when it returns.
type Opener func(fs vfs.FS) (Store, error)
