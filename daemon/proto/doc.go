// Package proto knows the frames of the NATS client protocol: it finds them in a
// buffer and appends them to one. It is pure: bytes in, fields out; it knows no
// connection, and keeps no state between calls, so that a frame of which only a
// part has arrived is simply looked at again with more bytes behind it.
//
// What a client may send is described at
// https://docs.nats.io/reference/reference-protocols/nats-protocol; where that is
// silent, nats-server 2.15.3 was asked over a socket. Verbs are read in either
// case, fields may be separated by any number of blanks and tabs, and a line ends
// at a line feed, with or without a carriage return.
package proto
