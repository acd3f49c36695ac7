// Package brokertest drives broker processes from outside, for tests.
//
// It builds the product once ([Ours]) or the pinned nats-server
// ([NATSServer]), starts it on a free port of 127.0.0.1 ([Start]), waits
// until it serves, and stops it when the test ends; a test that fails prints
// what the process said. A process that panicked or raced fails its test
// even when every assertion held.
//
//	s := brokertest.Start(t, brokertest.Options{Config: "max_payload: 1024"})
//	nc, err := nats.Connect(s.URL())
//
// On top of that stand the byte scripts: a [Script] names connections, says
// what each sends and holds what came back from nats-server. [Play] plays it
// to any server, and the two transcripts, with server-specific values masked,
// have to be equal. The scripts themselves are in differential/testdata.
//
// Nothing here imports the broker: whatever is found with this package can be
// found by a user with a socket.
package brokertest
