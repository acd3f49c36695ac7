package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/control"
	"github.com/nats-broker/nats-broker/daemon/logging"
)

// reporter says one file of a report, by a name of its own.
type reporter string

func (r reporter) Control(context.Context, control.Request, control.Peer) control.Response {
	return control.Response{OK: true, Status: &control.Status{}, Follow: func(_ context.Context, say func(any) error) {
		_ = say(control.ReportFile{Name: string(r), Text: "x"})
	}}
}

// Whoever answers on the socket does not choose where files come to lie when the archive is unpacked.
func TestReportTakesNoPaths(t *testing.T) {
	for name, code := range map[string]int{"figures.json": exitOK, "../../../etc/cron.d/x.txt": exitFail, "/x.txt": exitFail, "a/b.txt": exitFail, "a\x1b[2J.txt": exitFail, "": exitFail} {
		dir := t.TempDir()
		socket, file := filepath.Join(dir, "s"), filepath.Join(dir, "report.tar.gz")
		s, err := control.Listen(socket, reporter(name), logging.Discard())
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		got := runReport([]string{"--no-journal", "--socket", socket, file}, strings.NewReader(""), io.Discard, &said)
		s.Stop()
		if _, err := os.Stat(file); got != code || (err == nil) != (code == exitOK) {
			t.Errorf("%q: exit status %d, want %d; %v\n%s", name, got, code, err, said.String())
		}
	}
}
