// Package auth says who a connection is and what it may do.
//
// It decides; it does not know connections. [Authenticator.Authenticate] takes what a client said in CONNECT, what TLS
// knows of it and where it comes from, and answers with an [Identity] or a refusal. The identity holds [Permissions]:
// an immutable answer to "may it publish there, subscribe there, be given this message". The messaging core asks these
// when it makes a plan for a subject and not for each message, so that permissions cost nothing on the way of a message.
//
// # Credentials
//
// One user with a password, one token, a list of users with passwords, nkeys that sign a nonce, names from a client
// certificate, and a user for those who name none. Passwords are plain or bcrypt hashes. Refusals take the same work
// whether or not a user exists, what kind of password it has and how much of it is right; where an address has failed too
// often, nothing is computed for users that do not exist, and the answer waits instead. Hashes are computed a bounded
// number at a time ([pool]), so that a storm of connections leaves the processors to the messages, in an order in which
// those who send wrong passwords do not keep others waiting ([queue]); a password that was right once is remembered as
// long as its hash is configured, so that a reconnecting fleet is in at once.
//
// # Failures
//
// Who fails again and again gets its answers later and later, by address ([throttle]). Clients at other addresses do
// not notice, and valid credentials from the same address are never refused.
//
// # Changing
//
// Prepare builds the new tables beside those in use, commit swaps them. [Authenticator.Review] then tells for each
// connection whether it stays, with which permissions, and it asks for no password again that has not changed.
package auth
