// Package leaf connects servers as hub and leaf node, in the protocol of nats-server 2.15.3 and
// in both roles: it accepts connections and it dials.
//
// A leaf node connection serves one account on each side, which need not have the same name. Who
// accepts is the hub, unless who dials says that it is. A hub tells a leaf node all interest of the account: of its own
// clients, of the other servers of its cluster and of other leaf nodes. A leaf node tells
// a hub what its own clients want, and leaf nodes of its own. Messages go where there is interest, and never back over the connection
// that they came by.
//
//	accepting                      dialling
//	INFO ------------------------------>
//	     <------------------------------ INFO     if both want compression
//	INFO, compressed ------------------>
//	     <------------------------------ CONNECT
//	INFO, with the account's rights --->
//	LS+ … ----------------------------->
//	     <------------------------------ LS+ …
//
// Clusters. Interest and messages of a leaf node are known on the other servers of the hub's cluster by the leaf node's own
// cluster, their origin (package cluster), or its name if it is in none: what comes from one member of it does not go back to
// another, and it is not told what it wants itself. Leaf nodes are told where all servers of the hub's cluster are.
//
// Circles. Each server has a subject of its own in each account, $LDS and a random token, in
// which it tells interest over every connection. One that hears its own is in a circle, and ends the connection; who
// has dialled waits for half a minute.
//
// Rights. What the user may publish that a leaf node logs in as is what it may send up, what the user may subscribe
// to is what may come down; the hub tells it by INFO, and both sides look. See permit.go. JetStream of one side is kept
// from the other, unless both are one domain and the system account is shared: see domain.go.
//
// Locks, in this order: Server.mu (who is connected); interest.life; the account's index; interest.mu (who wants what);
// Link.outMu (what is still to be told), which is held over a write that does not block. Link.mu is a leaf. No lock is held across a call to the
// broker but interest.life, across watching the account.
package leaf
