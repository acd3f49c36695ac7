package handover

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// A process with threads pays for each growth of its table of descriptors with an RCU
// grace period, some 10 ms in which whoever receives descriptors sleeps (expand_fdtable
// in Linux' fs/file.c). The table doubles: taking 1,000 connections out of a parking
// place met that five times. Asking for a high number makes it grow once, and while the
// process has other things to do.

// besides is how many descriptors a process may have besides the connections.
const besides = 128

// MakeRoom makes the process's table of descriptors large enough for n connections and
// what else there is, as far as the limit of open files goes. It may sleep for some 10 ms,
// and may be called from any goroutine.
func MakeRoom(n int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	defer unix.Close(fd)
	last := min(uint64(max(n, 0)+besides), limit.Cur-1)
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, int(last))
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	return unix.Close(high)
}

// Expect makes room for a parcel that was found, while the caller gets ready to open
// it. Take waits for it.
func (p *Parcel) Expect() {
	n := p.announced()
	if n == 0 {
		return
	}
	p.room = make(chan struct{})
	go func() { // ends with the system call; Close waits for it
		defer close(p.room)
		_ = MakeRoom(n) // without, Take is slower
	}()
}

// announced is how many descriptors the state speaks of, which nobody has checked yet;
// 0 if it does not.
func (p *Parcel) announced() int {
	var head [envelopeSize]byte
	if p.State == nil {
		return 0
	}
	if _, err := p.State.ReadAt(head[:], 0); err != nil || string(head[:8]) != magic {
		return 0
	}
	return int(binary.LittleEndian.Uint32(head[32:]))
}

// awaitRoom waits for what Expect has begun.
func (p *Parcel) awaitRoom() {
	if p.room != nil {
		<-p.room
		p.room = nil
	}
}
