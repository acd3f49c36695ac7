package logging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

func sampleRecords() []*record {
	return []*record{
		{level: Info, subsystem: "broker", message: "Server is ready"},
		{level: Warn, subsystem: "process", id: ReloadRefused, message: "Reload refused",
			fields: []Field{String(FieldConfigFile, "/etc/nats/nats.conf"), String(FieldReason, `unknown field "prot"`)}},
		{level: Error, subsystem: "broker", id: FilesExhausted, message: "accept: too many open files",
			fields: []Field{Err(fmt.Errorf("accept: %w", syscall.EMFILE)), Uint(FieldClientID, 1<<63), Int(FieldCount, -1)}},
		{level: Debug, subsystem: "broker", message: "a name with\nforged [INF] line,\x1b[31m colour, \u009b and é 世", fields: []Field{String(FieldSubject, "a]\"\\b\nc")}},
		{level: Trace, subsystem: "broker", message: "<<- [PING]\n", fields: []Field{Err(nil)}},
		{level: Fatal, subsystem: "process", message: "broken: \xff\xfe bytes \x7f"},
	}
}

// TestFormats pins what every sink's rendering looks like; the text format is compared with the original below.
func TestFormats(t *testing.T) {
	o := Options{Time: true, UTC: true, Identifier: "nats-broker", Version: "1.2.3"}
	o.seams = seams{pid: 42, hostname: "host.example", location: time.UTC}
	bare := o
	bare.Time = false
	colored := o.text(true)
	for name, render := range map[string]func(b []byte, r *record) []byte{
		"text":          o.text(false).appendLine,
		"text-colored":  colored.appendLine,
		"text-bare":     bare.text(false).appendLine,
		"json":          newJSONFormat(o).appendLine,
		"json-bare":     newJSONFormat(bare).appendLine,
		"stream":        streamFormat{o.text(false)}.appendLine,
		"rfc5424":       counted(newRFC5424(o)),
		"rfc3164":       lined(newRFC3164(o, false)),
		"rfc3164-local": lined(newRFC3164(o, true)),
		"journal":       (&journalSink{identifier: "nats-broker"}).appendEntry,
	} {
		t.Run(name, func(t *testing.T) {
			var out []byte
			for _, r := range sampleRecords() {
				r.time = at
				out = render(out, r)
				if strings.HasPrefix(name, "json") {
					line := out[bytes.LastIndexByte(out[:len(out)-1], '\n')+1:]
					if !json.Valid(line) {
						t.Errorf("not JSON: %s", line)
					}
				}
			}
			golden(t, name+".golden", out)
		})
	}
}

func counted(f syslogFormat) func(b []byte, r *record) []byte {
	return func(b []byte, r *record) []byte {
		return append(frameCounted.appendFrame(b, f.appendMessage(nil, r)), '\n')
	}
}

func lined(f syslogFormat) func(b []byte, r *record) []byte {
	return func(b []byte, r *record) []byte { return frameLine.appendFrame(b, f.appendMessage(nil, r)) }
}

// TestLinesAreNatsServers runs the original and renders its own messages: the result must be its bytes, but for pid and
// time. It would catch a label, a space or a time layout that log processors of today do not know.
func TestLinesAreNatsServers(t *testing.T) {
	bin := brokertest.NATSServer(t)
	for _, c := range []struct {
		args []string
		time bool
	}{{[]string{"-DV"}, true}, {[]string{"-DV", "-T=false"}, false}} {
		out := originalLog(t, bin, c.args)
		line := regexp.MustCompile(`^\[(\d+)\] (?:(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6}) )?\[([A-Z]{3})\] (.*)$`)
		levels := map[string]Level{"TRC": Trace, "DBG": Debug, "INF": Info, "WRN": Warn, "ERR": Error}
		seen := 0
		for l := range strings.Lines(out) {
			l = strings.TrimSuffix(l, "\n")
			p := line.FindStringSubmatch(l)
			if p == nil {
				t.Fatalf("a line of another shape: %q", l)
			}
			f := textFormat{time: c.time, location: time.Local}
			fmt.Sscan(p[1], &f.pid)
			r := &record{level: levels[p[3]], message: p[4]}
			if c.time {
				var err error
				if r.time, err = time.ParseInLocation("2006/01/02 15:04:05.000000", p[2], time.Local); err != nil {
					t.Fatal(err)
				}
			}
			if got := string(f.appendLine(nil, r)); got != l+"\n" {
				t.Errorf("rendered %q, nats-server wrote %q", got, l)
			}
			seen++
		}
		if seen < 10 {
			t.Errorf("only %d lines seen:\n%s", seen, out)
		}
	}
}

func TestColorOnlyOnTerminal(t *testing.T) {
	o, _ := stderrPipe(t)
	if newStderrSink(o, nil).format.(textFormat).colored {
		t.Error("a pipe is coloured")
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	o.seams.stderr = null
	if newStderrSink(o, nil).format.(textFormat).colored {
		t.Error("/dev/null is coloured")
	}
	tty := openPTY(t)
	o.seams.stderr = tty
	if !newStderrSink(o, nil).format.(textFormat).colored {
		t.Error("a terminal is not coloured")
	}
	o.FromEnvironment(func(name string) string { return map[string]string{"NO_COLOR": "1"}[name] })
	if newStderrSink(o, nil).format.(textFormat).colored {
		t.Error("a terminal is coloured in spite of NO_COLOR")
	}
}

// originalLog runs nats-server with one client and returns what it wrote.
func originalLog(t *testing.T, bin string, args []string) string {
	t.Helper()
	s := brokertest.Start(t, brokertest.Options{Binary: bin, Args: args})
	c := s.Dial(t)
	c.Frame()
	c.Send("CONNECT {\"verbose\":false}\r\nPUB a 5\r\nhello\r\n")
	c.Sync()
	s.Stop()
	return s.Logs()
}

// openPTY returns the terminal side of a new pseudo terminal.
func openPTY(t *testing.T) *os.File {
	t.Helper()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo terminals here:", err)
	}
	t.Cleanup(func() { ptmx.Close() })
	if err := unix.IoctlSetPointerInt(int(ptmx.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip(err)
	}
	n, err := unix.IoctlGetInt(int(ptmx.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { tty.Close() })
	return tty
}
