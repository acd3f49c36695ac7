package handover

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The state is preceded by an envelope of 64 bytes, numbers little-endian:
//
//	 0  magic, 8 bytes
//	 8  version of the writer's format
//	12  oldest version whose readers can read it
//	16  length of the state, 8 bytes
//	24  when it was written: CLOCK_BOOTTIME, nanoseconds, 8 bytes
//	32  number of descriptors that belong to it
//	36  CRC-32C of the state
//	40  zeros
const (
	magic        = "NATSbHO\n"
	envelopeSize = 64
	// Version is the format that is written. It changes with what the state means, not
	// with fields that are added.
	Version = 1
	// oldestReader is the oldest version that can read what is written.
	oldestReader = 1
)

var checksum = crc32.MakeTable(crc32.Castagnoli)

// ErrState wraps all that makes a state unreadable.
var ErrState = errors.New("unusable state")

// writeState makes a sealed file of what write writes. count is how many descriptors
// belong to it.
func writeState(count int, write func(io.Writer) error) (*os.File, error) {
	fd, err := unix.MemfdCreate("nats-broker-state", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "state")
	if err := fillState(f, count, write); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("writing the state: %w", err)
	}
	return f, nil
}

// seals are what makes a state trustworthy: it can be mapped without fear.
const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

func fillState(f *os.File, count int, write func(io.Writer) error) error {
	var head [envelopeSize]byte
	if _, err := f.Write(head[:]); err != nil {
		return err
	}
	sum := &summed{w: f}
	out := bufio.NewWriterSize(sum, 256<<10)
	if err := write(out); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	copy(head[:], magic)
	binary.LittleEndian.PutUint32(head[8:], Version)
	binary.LittleEndian.PutUint32(head[12:], oldestReader)
	binary.LittleEndian.PutUint64(head[16:], uint64(sum.n))
	binary.LittleEndian.PutUint64(head[24:], uint64(sinceBoot()))
	binary.LittleEndian.PutUint32(head[32:], uint32(count))
	binary.LittleEndian.PutUint32(head[36:], sum.sum)
	if _, err := f.WriteAt(head[:], 0); err != nil {
		return err
	}
	fd, err := descriptor(f)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	}
	return err
}

// summed counts and sums up what is written.
type summed struct {
	w   io.Writer
	n   int64
	sum uint32
}

func (s *summed) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.n += int64(n)
	s.sum = crc32.Update(s.sum, checksum, p[:n])
	return n, err
}

// state is one that was read: its bytes are mapped until close.
type state struct {
	mapped  []byte
	body    []byte
	count   int
	written time.Duration // since boot
}

func (s *state) close() {
	if s.mapped != nil {
		_ = unix.Munmap(s.mapped)
		s.mapped, s.body = nil, nil
	}
}

// readState maps a state and checks it.
func readState(f *os.File) (*state, error) {
	fd, err := descriptor(f)
	if err != nil {
		return nil, err
	}
	has, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || has&seals != seals {
		return nil, fmt.Errorf("%w: not a sealed file in memory", ErrState)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < envelopeSize || info.Size() > 1<<40 {
		return nil, fmt.Errorf("%w: %d bytes", ErrState, info.Size())
	}
	b, err := unix.Mmap(fd, 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	_ = unix.Madvise(b, unix.MADV_DONTDUMP) // there are secrets in it
	s, err := parseState(b)
	if err != nil {
		_ = unix.Munmap(b)
		return nil, err
	}
	s.mapped = b
	return s, nil
}

// parseState checks the envelope of a state.
func parseState(b []byte) (*state, error) {
	if len(b) < envelopeSize || string(b[:8]) != magic {
		return nil, fmt.Errorf("%w: it is something else", ErrState)
	}
	version, oldest := binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
	if oldest > Version || version == 0 {
		return nil, fmt.Errorf("%w: written in format %d, of which this program reads up to %d", ErrState, version, Version)
	}
	s := &state{body: b[envelopeSize:], count: int(binary.LittleEndian.Uint32(b[32:]))}
	s.written = time.Duration(binary.LittleEndian.Uint64(b[24:]))
	if n := binary.LittleEndian.Uint64(b[16:]); n != uint64(len(s.body)) {
		return nil, fmt.Errorf("%w: %d bytes instead of %d", ErrState, len(s.body), n)
	}
	if crc32.Checksum(s.body, checksum) != binary.LittleEndian.Uint32(b[36:]) {
		return nil, fmt.Errorf("%w: wrong checksum", ErrState)
	}
	return s, nil
}

// sinceBoot is a clock that all processes share and nobody sets.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
