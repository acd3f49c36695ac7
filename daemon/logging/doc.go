// Package logging writes the daemon's lines: to standard error in nats-server's format, to a file, to syslog near and
// far, and to journald with structured fields.
//
// # Writing
//
// A [Manager] owns sinks and levels; each subsystem asks it once for a [Logger] by name. The message is the line as
// nats-server would print it behind "[INF] "; what a machine may want to know goes into fields:
//
//	log.Info("Listening for client connections on "+addr, logging.String(logging.FieldListener, addr))
//
// States that an operator has to act on carry a [MessageID] of the message catalogue, from which
// systemd/nats-broker.catalog is generated; `journalctl -x` explains them.
//
// # One line's way
//
// Logger checks the subsystem's level (one atomic load; a line that is off costs nothing else), builds a record and
// hands it to the manager, which holds back floods of the same line, remembers it for the log tail and gives it to each
// sink. Sinks that write to a local descriptor do so at once; the remote syslog sink queues and never waits.
//
// # Changing
//
// Prepare opens what a new configuration asks for beside what is in service; commit swaps. Reopen follows SIGUSR1.
// Levels change live, per subsystem.
package logging
