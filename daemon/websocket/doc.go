// Package websocket is the protocol of RFC 6455 and of its extension permessage-deflate (RFC 7692) as far as it needs no
// connection: frames taken apart and written, what a close frame says, what is agreed on in the upgrade. It does no i/o,
// keeps no buffer of its callers, and its memory does not depend on what a peer announces.
//
// The frames of a peer are a byte stream here: where one message ends and the next begins means nothing to NATS. A
// [Reader] unmasks the payloads and puts them together; what is no data (pings, a close) it hands out as it comes.
package websocket
