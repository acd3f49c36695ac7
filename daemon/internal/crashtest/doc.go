// Package crashtest drives a store of messages through crashes and compares what it holds
// afterwards with what it promised. It knows no store: whoever keeps messages in streams says
// how he is opened, given messages and read ([Store]), and is driven by one goroutine and one
// seed on a simulated disk ([Run]), or by many on a real one, whose power somebody else cuts
// ([History]).
package crashtest
