package logging

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// journalSink sends entries with their fields to journald's native socket.
// https://systemd.io/JOURNAL_NATIVE_PROTOCOL
//
// The sending is ours, since that of go-systemd waits for as long as journald hangs, puts what is too large for a datagram
// into a file below /dev/shm, which a sandbox may not have, and has room for few entries in a burst.
//
// An entry that journald does not take (it is being restarted, it hangs) falls back to standard error, which is the
// journal's stream and keeps the line, if not its fields.
type journalSink struct {
	socket     string
	identifier string
	fallback   *stderrSink

	dropped atomic.Uint64

	mu    sync.Mutex // guards what follows
	fd    int        // -1: none
	buf   []byte
	stuck bool // the last send ran into its time limit: do not wait again until one succeeds
}

// openJournal connects to the native socket; where there is none, the caller writes lines to the stream instead.
func openJournal(o Options, tell teller) (*journalSink, error) {
	s := &journalSink{socket: o.seams.journalSocket, identifier: o.Identifier, fallback: newStderrSink(o, tell), fd: -1}
	// journald stamps lines itself and reads their weight from the prefix.
	s.fallback.format = streamFormat{o.text(false)}
	if err := s.connect(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *journalSink) connect() error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: s.socket}); err != nil {
		unix.Close(fd)
		return fmt.Errorf("journal socket %s: %w", s.socket, err)
	}
	// Room for some bursts; the kernel caps it at net.core.wmem_max, and without it there is less room.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 8<<20)
	s.disconnect()
	s.fd = fd
	return nil
}

func (s *journalSink) disconnect() {
	if s.fd >= 0 {
		unix.Close(s.fd)
		s.fd = -1
	}
}

func (s *journalSink) name() string { return "journal" }
func (s *journalSink) start()       {}
func (s *journalSink) lost() uint64 { return s.dropped.Load() + s.fallback.lost() }

func (s *journalSink) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disconnect()
	return nil
}

func (s *journalSink) write(r *record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = s.appendEntry(s.buf[:0], r)
	if err := s.send(s.buf); err != nil {
		s.fallback.write(r)
	}
	s.buf = trimBuffer(s.buf)
}

// send hands on one entry, connecting anew once if journald has been restarted.
func (s *journalSink) send(entry []byte) error {
	err := s.sendOnce(entry)
	switch err {
	case nil, unix.EAGAIN:
		return err
	}
	if err := s.connect(); err != nil {
		return err
	}
	return s.sendOnce(entry)
}

func (s *journalSink) sendOnce(entry []byte) error {
	if s.fd < 0 {
		return unix.ENOTCONN
	}
	err := s.sendmsg(entry, nil)
	if err != unix.EMSGSIZE && err != unix.ENOBUFS {
		return err
	}
	// Too large for a datagram: the entry goes into a sealed memory file whose descriptor is sent.
	f, err := memfile(entry)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.sendmsg(nil, unix.UnixRights(int(f.Fd())))
}

func (s *journalSink) sendmsg(b, rights []byte) error {
	for {
		err := unix.Sendmsg(s.fd, b, rights, nil, unix.MSG_NOSIGNAL)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN && !s.stuck:
			if awaitWritable(s.fd, localWait) == nil {
				continue
			}
			s.stuck = true
		case err == nil:
			s.stuck = false
		}
		return err
	}
}

// memfile returns a sealed memory file with the given contents.
func memfile(b []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("nats-broker-journal", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "journal entry")
	if _, err = f.Write(b); err == nil {
		const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// journalPriority maps levels to syslog(3) priorities. Trace and Debug share the lightest; NATS_LEVEL tells them apart.
var journalPriority = [numLevels]byte{'7', '7', '6', '4', '3', '2'}

// facilityDaemon is syslog's number for system daemons.
const facilityDaemon = 3

func (s *journalSink) appendEntry(b []byte, r *record) []byte {
	b = append(b, "PRIORITY="...)
	b = append(b, journalPriority[r.weight()], '\n')
	b = appendJournalField(b, "MESSAGE", []byte(trimNewlines(r.message)))
	b = append(b, "SYSLOG_FACILITY="...)
	b = strconv.AppendInt(b, facilityDaemon, 10)
	b = append(b, '\n')
	b = appendJournalField(b, "SYSLOG_IDENTIFIER", []byte(s.identifier))
	b = appendJournalField(b, FieldSubsystem, []byte(r.subsystem))
	b = appendJournalField(b, "NATS_LEVEL", []byte(r.level.String()))
	if r.id.valid() {
		b = appendJournalField(b, "MESSAGE_ID", []byte(r.id.UUID()))
	}
	var value []byte
	for _, f := range r.fields {
		if f.absent() || !validJournalName(f.key) {
			continue
		}
		value = f.appendValue(value[:0])
		b = appendJournalField(b, f.key, value)
		if no, ok := f.errno(); ok {
			b = append(b, FieldErrno+"="...)
			b = strconv.AppendInt(b, int64(no), 10)
			b = append(b, '\n')
		}
	}
	if at, ok := r.caller(); ok {
		b = appendJournalField(b, "CODE_FILE", []byte(at.File))
		b = appendJournalField(b, "CODE_LINE", strconv.AppendInt(nil, int64(at.Line), 10))
		b = appendJournalField(b, "CODE_FUNC", []byte(at.Function))
	}
	return b
}

// appendJournalField writes NAME=value, or the binary form with a length for a value that holds a newline.
func appendJournalField(b []byte, name string, value []byte) []byte {
	b = append(b, name...)
	if bytes.IndexByte(value, '\n') < 0 {
		b = append(b, '=')
	} else {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	}
	b = append(b, value...)
	return append(b, '\n')
}

// validJournalName reports what journald takes from a program: capitals, digits and underscores, not beginning with an
// underscore (those are journald's own) or a digit, at most 64 bytes.
func validJournalName(name string) bool {
	if name == "" || len(name) > 64 || name[0] < 'A' || name[0] > 'Z' {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

func trimNewlines(s string) string {
	for len(s) > 0 && s[len(s)-1] == '\n' {
		s = s[:len(s)-1]
	}
	return s
}

// streamFormat renders a line for the journal's stream: "<PRIORITY>" and the bare line (sd-daemon(3)).
type streamFormat struct{ text textFormat }

func (f streamFormat) appendLine(b []byte, r *record) []byte {
	b = append(b, '<', journalPriority[r.weight()], '>')
	f.text.time = false
	return f.text.appendLine(b, r)
}
