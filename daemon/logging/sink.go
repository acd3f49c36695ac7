package logging

// sink is one place lines go to. The manager calls write from many goroutines; a sink guards itself. write may wait for
// a local descriptor for a bounded time and never for the network; what it cannot write it counts as lost.
type sink interface {
	// name says what the sink is in messages about it: "stderr", "/var/log/nats.log", "tcp://logs:514".
	name() string
	// start begins work that needs a goroutine. It is called once, when the sink goes into service.
	start()
	// write renders and hands on one record.
	write(r *record)
	// close flushes for a bounded time and gives up every resource. Writes that follow are lost.
	close() error
	// lost returns how many records were not written since the sink was made.
	lost() uint64
}

// discarder is a sink that leaves a trace when it is opened, and can undo it if it never goes into service.
type discarder interface{ discard() }

// reopener is a sink on a file that others may rename.
type reopener interface{ reopen() error }

// teller lets a sink report on itself. The report goes to every sink as a line of the subsystem "logging", after the
// write under way: a sink may call it with its own lock held.
type teller func(lv Level, id MessageID, msg string, fields ...Field)

// lineFormat renders a record as bytes ending in a newline.
type lineFormat interface {
	appendLine(b []byte, r *record) []byte
}

// trimBuffer lets go of a buffer that one huge line has grown.
func trimBuffer(b []byte) []byte {
	if cap(b) > 64<<10 {
		return nil
	}
	return b
}
