package logging

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeJournal is a native journal socket.
type fakeJournal struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func listenJournal(t *testing.T, path string) *fakeJournal {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &fakeJournal{t, path, conn}
}

// entry receives one entry, by datagram or by memory file, and parses it as the protocol's description says.
func (j *fakeJournal) entry() map[string]string {
	j.t.Helper()
	buf, oob := make([]byte, 1<<20), make([]byte, 256)
	n, oobn, _, _, err := j.conn.ReadMsgUnix(buf, oob)
	if err != nil {
		j.t.Fatal(err)
	}
	data := buf[:n]
	if oobn > 0 {
		data = j.fromDescriptor(oob[:oobn])
	}
	fields := map[string]string{}
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			j.t.Fatalf("entry does not end in a newline: %.100q", data)
		}
		name, value, ok := strings.Cut(string(data[:end]), "=")
		data = data[end+1:]
		if !ok {
			size := binary.LittleEndian.Uint64(data)
			value, data = string(data[8:8+size]), data[8+size+1:]
		}
		if _, twice := fields[name]; twice {
			j.t.Errorf("field %s twice", name)
		}
		fields[name] = value
	}
	return fields
}

func (j *fakeJournal) fromDescriptor(oob []byte) []byte {
	j.t.Helper()
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		j.t.Fatal(err)
	}
	fds, err := syscall.ParseUnixRights(&msgs[0])
	if err != nil || len(fds) != 1 {
		j.t.Fatal(fds, err)
	}
	f := os.NewFile(uintptr(fds[0]), "entry")
	defer f.Close()
	seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	if want := unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE; err != nil || seals&want != want {
		j.t.Errorf("journald refuses a memory file with seals %x (%v)", seals, err)
	}
	data, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	if err != nil {
		j.t.Fatal(err)
	}
	return data
}

// journalOptions returns Options whose standard error is the journal's stream.
func journalOptions(t *testing.T) (Options, *fakeJournal) {
	t.Helper()
	o, _ := stderrPipe(t)
	path := filepath.Join(t.TempDir(), "socket")
	o.seams.journalSocket = path
	o.Journal = true
	return o, listenJournal(t, path)
}

func TestJournalEntry(t *testing.T) {
	o, journal := journalOptions(t)
	log := newManager(t, o).Logger("broker").With(Uint(FieldClientID, 42))
	log.Event(Warn, SlowConsumer, "Slow Consumer", String(FieldRemote, "[::1]:5"), Err(fmt.Errorf("write: %w", syscall.EPIPE)),
		String("_PID", "1"), String("lower", "x"), String("NATS_NAME", "two\nlines"))
	got := journal.entry()
	for name, want := range map[string]string{
		"MESSAGE": "Slow Consumer", "PRIORITY": "4", "MESSAGE_ID": SlowConsumer.UUID(), "SYSLOG_IDENTIFIER": "nats-broker",
		"SYSLOG_FACILITY": "3", "NATS_CLIENT_ID": "42", "NATS_REMOTE": "[::1]:5", "NATS_SUBSYSTEM": "broker",
		"NATS_ERROR": "write: broken pipe", "ERRNO": "32", "NATS_NAME": "two\nlines", "NATS_LEVEL": "warn",
		"CODE_FUNC": "github.com/nats-broker/nats-broker/daemon/logging.TestJournalEntry",
	} {
		if got[name] != want {
			t.Errorf("%s=%q, want %q", name, got[name], want)
		}
	}
	if !strings.HasSuffix(got["CODE_FILE"], "/journal_test.go") || got["CODE_LINE"] == "" {
		t.Errorf("place %s:%s", got["CODE_FILE"], got["CODE_LINE"])
	}
	for _, name := range []string{"_PID", "lower"} {
		if _, ok := got[name]; ok {
			t.Errorf("field %s, which journald would drop or another could forge", name)
		}
	}
}

// TestJournalLargeEntry sends more than a datagram holds.
func TestJournalLargeEntry(t *testing.T) {
	o, journal := journalOptions(t)
	m := newManager(t, o)
	big := strings.Repeat("payload ", 20<<20/8)
	m.Logger("broker").Info("large", String("NATS_PAYLOAD", big))
	if got := journal.entry(); got["NATS_PAYLOAD"] != big || got["MESSAGE"] != "large" {
		t.Errorf("the large entry arrived with %d bytes", len(got["NATS_PAYLOAD"]))
	}
}

// TestJournalRestart takes the socket away and brings a new one: the line meanwhile goes to the stream with its
// weight, the next one to the new socket.
func TestJournalRestart(t *testing.T) {
	o, stderr := stderrPipe(t)
	path := filepath.Join(t.TempDir(), "socket")
	o.seams.journalSocket = path
	o.Journal = true
	first := listenJournal(t, path)
	m := newManager(t, o)
	log := m.Logger("broker")
	log.Info("one")
	if got := first.entry()["MESSAGE"]; got != "one" {
		t.Errorf("first socket got %q", got)
	}
	first.conn.Close()
	os.Remove(path)
	log.Warn("two")
	if line := readLine(t, stderr); line != "<4>[42] [WRN] two" {
		t.Errorf("stream got %q", line)
	}
	second := listenJournal(t, path)
	log.Info("three")
	if got := second.entry()["MESSAGE"]; got != "three" {
		t.Errorf("second socket got %q", got)
	}
	if d := m.Drops()["journal"]; d != 0 {
		t.Errorf("%d lines lost", d)
	}
}

// TestJournalHangs: a journald that does not read fills the socket; from then on lines go to the stream, and the time
// limit is waited for once and not for each line.
func TestJournalHangs(t *testing.T) {
	o, stderr := stderrPipe(t)
	o.seams.journalSocket = filepath.Join(t.TempDir(), "socket")
	o.Journal = true
	journal := listenJournal(t, o.seams.journalSocket)
	m := newManager(t, o)
	log := m.Logger("broker")
	const lines = 600 // more than net.unix.max_dgram_qlen
	for i := range lines {
		log.Info(fmt.Sprintf("line %d", i))
	}
	seen := map[string]bool{}
	for !seen[fmt.Sprintf("line %d", lines-1)] {
		_, msg, _ := strings.Cut(readLine(t, stderr), "[INF] ")
		seen[msg] = true
	}
	for i := range lines - len(seen) {
		if got := journal.entry()["MESSAGE"]; seen[got] {
			t.Errorf("entry %d, %q, is in the stream too", i, got)
		} else {
			seen[got] = true
		}
	}
	if len(seen) != lines || m.Drops()["journal"] != 0 {
		t.Errorf("%d of %d lines arrived, %d counted as lost", len(seen), lines, m.Drops()["journal"])
	}
	log.Info("journald reads again")
	if got := journal.entry()["MESSAGE"]; got != "journald reads again" {
		t.Errorf("got %q", got)
	}
}

// TestStreamWithoutSocket is a service with a root directory of its own, without journald's socket.
func TestStreamWithoutSocket(t *testing.T) {
	o, stderr := stderrPipe(t)
	o.seams.journalSocket = filepath.Join(t.TempDir(), "none")
	o.Journal = true
	newManager(t, o).Logger("broker").Error("trouble")
	if line := readLine(t, stderr); line != "<3>[42] [ERR] trouble" {
		t.Errorf("stream got %q", line)
	}
}
