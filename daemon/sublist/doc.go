// Package sublist is the subscription index: it answers which subscriptions a
// message on a subject reaches.
//
// # Shape
//
// Patterns without wildcards, nearly all of them in practice, lie in one hash
// table keyed by the whole subject. Patterns with wildcards lie in a tree of
// tokens, so that a lookup costs one probe of the table and, only if the index
// holds wildcards, a walk over the branches that fit.
//
// Both end in a [Node], one for each distinct pattern. It holds the members that
// subscribed to it: one directly, more of them in an immutable [List]. Of very many a
// list is made only when somebody looks, so that each of them comes and goes in the
// same time.
//
// # Concurrency
//
// Readers take no lock: tables, nodes and lists are reached through atomic
// pointers, and what a reader has seen of a list never changes. Writers (Insert,
// Remove) exclude one another by one mutex, which is held across no call out of
// the package but the watcher's (see [Index.Watch]).
//
// # Caches above
//
// What was found may be kept for as long as its [Stamp] is current. The index
// counts changes in 256 shards by the first token of the pattern, and in one more
// counter for patterns that begin with a wildcard, so that one client
// subscribing to a fresh inbox for each request does not empty everybody's cache.
package sublist
