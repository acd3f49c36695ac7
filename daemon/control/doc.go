// Package control is the conversation between a running broker and the verbs
// of its command line (reload, status, stop, drain, health, log-level and others).
//
// A verb connects to a unix socket, sends one Request and gets one Response
// when the outcome is known: a signal can only ask, this can answer. Each is a
// single line of JSON, so `socat` can hold the conversation too:
//
//	$ echo '{"verb":"status"}' | socat - UNIX:/run/nats-broker/control.sock
//
// A verb that shows what happens, such as watch, is sent further lines of JSON
// behind the response, until it hangs up.
//
// The socket has mode 0660, and beyond that the kernel's word on who is calling
// (SO_PEERCRED, SO_PEERGROUPS) decides: root, the user the broker runs as, and
// members of the group that owns the socket may speak. unix(7).
//
// Server owns one goroutine that accepts and one per conversation; Stop ends
// them all. The package knows nothing about brokers: what a verb does is the
// Handler's business.
package control
