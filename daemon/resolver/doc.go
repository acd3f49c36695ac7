// Package resolver keeps the JWTs of accounts, or knows where they are.
//
// A [Memory] holds what the configuration lists. A [URL] asks an account server. A [Directory] is a directory with one
// file for each account, and a [Node] makes it one copy of many: it answers the requests below $SYS.REQ by which JWTs
// are pushed, listed and deleted, asks other servers for accounts it does not have, and compares its directory with
// theirs from time to time. The layout of the directory and the requests are nats-server's, so that a directory can be
// moved from it as it is, and both kinds of servers can share accounts in one cluster.
//
// # What is in the directory
//
// <public key>.jwt for each account, and <public key>.jwt.deleted for each that was deleted. A file is never written in
// place: what is new is written beside it, synced, renamed, and the directory synced. So whenever the power fails, each
// file is a whole JWT, the old or the new one, and what was answered with "jwt updated" is there. Files that hold
// something else, as a crash of another program can leave them, are reported and treated as missing.
//
// # Which JWT is newer
//
// Of two for one account, the one issued later. A push replaces whatever is there; what comes from other servers only
// what is older. That a JWT is signed by the operator is checked by whoever uses it, when it is used: the store takes
// any that is in itself right.
package resolver
