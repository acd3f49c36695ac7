// Package broker is the messaging core: accounts, client connections, and the
// delivery of messages from the ones to the others.
//
// # A message's way
//
// A [Client] is the handler of one transport connection. It parses what arrives in
// place; for a message it asks its sender, which looks the subject up in a cache of
// delivery plans. A plan is made on a miss from the account's subscription index:
// may this connection publish here, and who receives. What is absent in a plan (a
// permission, a queue group, a mapping) costs nothing afterwards. The message is
// copied once, from the input buffer into what is staged for its receiver; the
// transport flushes what is staged at the end of the batch.
//
// # Who owns what
//
// A Broker has accounts and listeners; an account has an index of subscriptions
// and its clients; a client has its subscriptions. Each client's goroutine makes,
// serves and tears down that client; others reach into it only under its lock, or
// through its outbound queue.
//
// # Locks
//
// In the order in which they may be taken: Broker.coming, Broker.mu, Account.mu,
// Client.mu, Account.interestMu, the writers' lock of an index, the lock of an outbound
// queue. None is taken for a
// message that is published and delivered, but the last, once a batch.
package broker
