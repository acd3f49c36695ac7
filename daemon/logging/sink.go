package logging

// sink is one place lines go to. The manager calls write and close from many goroutines under its own read lock; a sink
// guards itself. write must not wait for the network; what it cannot write it counts as dropped.
type sink interface {
	// name says what the sink is in messages about it: "stderr", "file /var/log/x", "syslog tcp://h:514".
	name() string
	// start begins work that needs a goroutine. It is called once, when the sink goes into service.
	start()
	// write renders and hands on one record.
	write(r *record)
	// reopen gives up the file and opens it anew; ok is false for sinks that have none.
	reopen() (ok bool, err error)
	// close flushes for a bounded time and gives up every resource. No write follows.
	close() error
	// dropped returns how many records were lost since the sink was made.
	dropped() uint64
}
