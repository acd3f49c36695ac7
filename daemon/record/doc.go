// Package record is the record layer of TLS 1.3 as far as a connection needs it once
// its handshake is done: bytes in, bytes out, no i/o.
//
// crypto/tls keeps a session to itself, so that nobody else could go on with it. Here
// all of it is a cipher suite and, in each direction, a traffic secret and a number
// ([Keys]): what has come so far is known from those, and another process that has
// them goes on at the next record.
//
// # What there is
//
// A [Sealer] makes records, an [Opener] takes them apart; each is one direction and has
// one user at a time. The keys come from the secret as RFC 8446, section 7.3 says, the
// nonce of a record from its number (5.3), and the primitives are those of the standard
// library, ChaCha20-Poly1305 of golang.org/x/crypto.
//
// # What a peer may send
//
// Application data, with padding or without any; close_notify, which is io.EOF, and
// user_canceled, which means nothing; and KeyUpdate, in a record of its own. All else
// ends the session, by a [ProtocolError] with the [Alert] that tells the peer.
// An Opener that has failed once fails for ever. This is the accepting side, which has
// asked for nothing after the handshake, so that no other message can come; a
// KeyUpdate of 5 bytes that is spread over records is taken for one.
//
// # Wear
//
// A key is used for 2^24 records at most: below the 2^24.5 that section 5.5 allows
// AES-GCM, and far below the end of the numbers. A Sealer changes its key by itself;
// an Opener whose peer does not says so ([Opener.Worn]), and the peer can be asked to.
package record
