// Package cluster connects servers to each other as routes, in the protocol of
// nats-server 2.15.3 and in both roles: it dials and it is dialled.
//
// Two servers of a cluster have a pool of connections between them. Each account
// belongs to the connection whose index is the FNV-1a hash of its name, modulo the
// size of the pool; the system account has a connection of its own. A server tells
// the other, on that connection, what its own clients are subscribed to, and is told
// the same. Messages go where there is interest, and never further: what came over a
// route is delivered to clients and leaf nodes of this server only, so nothing can go round in a
// circle. Only an answer that this server has asked for in another account's name goes on
// from here, since nobody else knows who waits for it.
//
// What leaf nodes of this server want is told too, and what they publish is sent, but by the
// cluster that they are of, the origin (LS+, LMSG): so nothing goes back to that. See leafs.go.
//
// Between two servers of ours the verb of a message says how it came into its account
// (RMSG: it was published there; RREQ, RANS, RSVC: see [proto.RouteEntry]), and RI+ tells
// how many of those with interest import a stream of the account: those get no requests
// and no answers, and none is sent for their sake.
//
// Who is dialled. Routes that are configured are dialled for ever. When two servers
// become acquainted, each tells the servers it knows already, and those dial the
// newcomer: so that each server is connected to each other one.
//
// The handshake, of which handshake.go has the rules and does no i/o:
//
//	dialled                          dialling
//	INFO ------------------------------>
//	     <------------------------------ CONNECT
//	     <------------------------------ INFO, with the index in the pool
//	RS+ … ----------------------------->
//	     <------------------------------ RS+ …
//
// Where both want compression, an INFO of each side goes in between, by which they
// agree; the second one of who was dialled is the first that is compressed. See
// compress.go. What may cross at all is limited by rules on both sides, see permit.go,
// and accounts may have connections of their own, see pinned.go.
//
// Three kinds of locks, taken in this order: Hub.mu (who is connected), then
// interest.mu (what clients of an account want), then Route.outMu (what is still to
// be told). Route.mu (what the peer wants) is a leaf. None is held across a
// call to the broker or a system call, but Route.outMu, across a write that does not
// block: what a client subscribed to must be told before what it publishes next.
package cluster
