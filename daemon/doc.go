// Package daemon is the process: it makes the subsystems, starts them in order,
// keeps them in step with the configuration, and stops them.
//
// Nothing here knows the protocol, the dialect or HTTP; it is wiring. What it
// owns is order, and the promise that holds over a reload: all or nothing.
//
//	New      read the configuration, or fall back to the last good one
//	Run      log → limits → pid file → core → monitor → control socket → ready
//	          … signals, verbs and changed files ask for reload, drain or stop …
//	         → stop in the opposite order, and the exit code
//
// # Reload
//
// A reload reads and checks the files, asks every subsystem to Prepare for the
// new options (opening what must be opened, changing nothing), and only when
// all agreed commits. Any refusal before that aborts what was prepared; the
// running broker has not changed by a byte, down to its listening sockets. The
// report of each reload says which options changed and what that means.
//
// # Who runs what
//
// One goroutine, Run's, decides: it is the only one that reloads, drains and
// stops, and takes requests for these one at a time from a channel. Signals,
// the control socket and the file watcher only send to it. Everything a verb
// may read while it is busy is published through atomic pointers.
//
// # Adapters
//
// Each subsystem has Options of its own and knows nothing of daemon/config;
// wire_*.go translate, one file for each subsystem.
package daemon
