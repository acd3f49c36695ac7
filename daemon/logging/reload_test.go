package logging

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestChangeOfSinksLosesNoLine swaps the file while others write: each line is in exactly one of the two files.
func TestChangeOfSinksLosesNoLine(t *testing.T) {
	o, _ := stderrPipe(t)
	dir := t.TempDir()
	files := [2]string{filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log")}
	o.File = files[0]
	m := newManager(t, o)
	var wg sync.WaitGroup
	const writers, lines = 4, 300
	for w := range writers {
		wg.Go(func() {
			log := m.Logger("broker")
			for i := range lines {
				log.Info(fmt.Sprintf("line %d-%d", w, i))
			}
		})
	}
	for i := range 50 {
		o.File = files[(i+1)%2]
		change(t, m, o)
	}
	wg.Wait()
	all := readFile(t, files[0]) + readFile(t, files[1])
	for w := range writers {
		for i := range lines {
			if n := strings.Count(all, fmt.Sprintf(" line %d-%d\n", w, i)); n != 1 {
				t.Errorf("line %d-%d is there %d times", w, i, n)
			}
		}
	}
}

// TestRefusedChangeChangesNothing: neither the sinks in service, nor the levels, nor the file system.
func TestRefusedChangeChangesNothing(t *testing.T) {
	o, stderr := stderrPipe(t)
	m := newManager(t, o)
	dir := t.TempDir()
	bad := o
	bad.File, bad.Remote, bad.Debug = filepath.Join(dir, "new.log"), "gopher://host", true
	if _, err := m.Prepare(bad); err == nil {
		t.Fatal("a bad receiver was accepted")
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("the refused change left %v", files)
	}
	log := m.Logger("broker")
	if log.Enabled(Debug) {
		t.Error("the refused change took effect")
	}
	log.Info("still on stderr")
	readLine(t, stderr)

	// Prepared, but another subsystem refuses: never committed.
	good := o
	good.File, good.Debug = filepath.Join(dir, "good.log"), true
	commit, err := m.Prepare(good)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("still on stderr")
	readLine(t, stderr)
	change(t, m, o)
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("the abandoned change left %v", files)
	}
	commit() // a commit that comes late has no effect
	if log.Enabled(Debug) {
		t.Error("an abandoned change was committed")
	}
}

// TestSinksCombine: all that are named get the line, standard error only when asked or alone.
func TestSinksCombine(t *testing.T) {
	o, stderr := stderrPipe(t)
	dir := t.TempDir()
	o.File = filepath.Join(dir, "log")
	m := newManager(t, o)
	log := m.Logger("broker")
	log.Info("file only")
	o.Stderr, o.Format = true, FormatJSON
	change(t, m, o)
	log.Info("both")
	if line := readLine(t, stderr); !strings.Contains(line, `"message":"both"`) {
		t.Errorf("standard error: %q", line)
	}
	if got := readFile(t, o.File); !strings.Contains(got, "file only\n") || !strings.Contains(got, `"message":"both"`) {
		t.Errorf("file: %q", got)
	}
}

func TestSwitchesForTheBroker(t *testing.T) {
	o, _ := stderrPipe(t)
	m := newManager(t, o)
	o.TraceVerbose, o.TraceHeaders, o.MaxTracedLen = true, true, 10
	change(t, m, o)
	if !m.TraceVerbose() || !m.TraceHeaders() || m.MaxTracedLen() != 10 {
		t.Error("the switches did not arrive")
	}
}

func TestTail(t *testing.T) {
	o, _ := stderrPipe(t)
	o.File, o.TailLines = filepath.Join(t.TempDir(), "log"), 5
	m := newManager(t, o)
	log := m.Logger("broker")
	lines, cancel := m.Subscribe(2)
	for i := range 12 {
		log.Info(fmt.Sprint(i), Int(FieldCount, int64(i)))
	}
	log.Debug("off")
	var got []string
	for _, l := range m.Tail(3) {
		got = append(got, fmt.Sprintf("%d:%s:%s", l.Seq, l.Message, l.Fields[0].Value()))
	}
	if s := strings.Join(got, " "); s != "10:9:9 11:10:10 12:11:11" {
		t.Errorf("tail %s", s)
	}
	if all := m.Tail(1000); len(all) != 5 || all[0].Seq != 8 {
		t.Errorf("the whole tail: %v", all)
	}
	if first, second := <-lines, <-lines; first.Seq != 1 || second.Seq != 2 {
		t.Errorf("subscription began with %d, %d", first.Seq, second.Seq)
	}
	log.Info(strings.Repeat("é", tailMessage))
	if l := <-lines; l.Seq != 13 || len(l.Message) > tailMessage+len("…") {
		t.Errorf("line %d with %d bytes, after a gap", l.Seq, len(l.Message))
	}
	cancel()
	cancel()
	if _, open := <-lines; open {
		t.Error("the cancelled subscription is open")
	}
	rest, _ := m.Subscribe(1)
	m.Close()
	if _, open := <-rest; open {
		t.Error("a subscription outlives the manager")
	}
}
