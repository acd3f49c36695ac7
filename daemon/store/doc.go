// Package store is the folder in which a node keeps what must last: who may use it (one process,
// by a lock that can be handed over), whose it is (an identity and keys, made once), what is in
// it (the catalogue) and whether the disk has room. The journal and the streams' files lie in
// it too; they have rooms of their own.
//
//	<store_dir>/nats-broker/
//	  lock          held by the process that uses the folder
//	  node          identity, format, keys
//	  catalogue     accounts, streams, consumers, and what is known of each without opening it
//	  journal/      package journal
//	  streams/      package segment
//
// Beside it may lie <store_dir>/jetstream, a store of nats-server. It is never touched, so that
// there is a way back; and if it lies there and ours does not, somebody expects his messages
// to be served, so that starting empty takes a word.
//
// Whatever is not rewritten often is kept twice in its file, in blocks of their own: one damaged
// bit costs nothing.
package store
