// Package sysd is the broker's side of the contract with systemd: what the
// service manager hands to a process, and what a process tells it.
//
// The contract is small and entirely made of environment variables, inherited
// file descriptors and datagrams, so nothing here needs D-Bus or libsystemd:
//
//   - Environment reads what the manager left for this process (the notify
//     socket, sockets passed by socket activation, the watchdog period, the
//     directories of the unit, the credentials directory). It is read once, at
//     start, and taken out of the process environment so that no child
//     inherits a promise that was made to us.
//   - Notifier sends state: READY=1, STATUS=, RELOADING=1, STOPPING=1,
//     WATCHDOG=1 and so on (sd_notify(3)). Outside systemd every method is a
//     successful no-op; callers never ask whether they run under systemd.
//   - Sockets are the listening sockets of socket activation, taken by the
//     name given with FileDescriptorName= (systemd.socket(5)).
//
// Facts come from sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3),
// systemd.exec(5) and systemd.socket(5).
//
// The package starts no goroutine and keeps no state beyond what it is given.
package sysd
