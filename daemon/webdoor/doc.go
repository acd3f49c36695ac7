// Package webdoor lets clients in that come by HTTP and ask for WebSocket: it is the step of a [broker.Door] that reads
// the request, decides on it, answers, and makes frames of what follows. It has no HTTP server: a connection has one
// request, and then is a client's like any other.
package webdoor
