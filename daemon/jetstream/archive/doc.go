// Package archive reads and writes what a stream is carried away in: the form of the snapshots that nats-server 2.15 makes,
// beneath their compression.
//
// It begins with eight bytes, [Magic]. Then come entries, each a line of numbers and what they announce:
//
//	uvarint length of the name, varint time, uvarint sequence, uvarint length of the header, uvarint length of the payload
//	name, header, payload
//
// The first is state.json, then those of consumers, then messages, whose name is their subject, in the order of their sequences.
// One of which all is empty ends it: an archive without it was cut off.
package archive
