// Package peer is what connections between servers have in common, whether they are routes
// or leaf nodes: where a server is found, how two servers agree on compression, how what they say in JSON becomes a
// frame, and what the end of a connection is called.
package peer
