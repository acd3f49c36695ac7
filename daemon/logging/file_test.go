package logging

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fileManager logs into a file of a temporary directory.
func fileManager(t *testing.T, adjust func(*Options)) (m *Manager, path string, o Options, stderr *bufio.Reader) {
	t.Helper()
	o, stderr = stderrPipe(t)
	path = filepath.Join(t.TempDir(), "nats.log")
	o.File = path
	if adjust != nil {
		adjust(&o)
	}
	return newManager(t, o), path, o, stderr
}

func backups(t *testing.T, path string) []string {
	t.Helper()
	names, err := filepath.Glob(path + ".*")
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestFileModeAndLine(t *testing.T) {
	m, path, _, _ := fileManager(t, nil)
	m.Logger("broker").Info("Server is ready")
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm()&^0o640 != 0 {
		t.Errorf("mode %v, want at most 0640", st.Mode())
	}
	want := `^\[42\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} \[INF\] Server is ready\n$`
	if got := readFile(t, path); !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("file holds %q", got)
	}
}

// TestRotationLosesNoLine writes from several goroutines through many rotations and counts.
func TestRotationLosesNoLine(t *testing.T) {
	m, path, _, _ := fileManager(t, func(o *Options) { o.FileLimit = 2000 })
	var wg sync.WaitGroup
	const writers, lines = 4, 200
	for w := range writers {
		wg.Go(func() {
			log := m.Logger("broker")
			for i := range lines {
				log.Info(fmt.Sprintf("line %d-%d", w, i))
			}
		})
	}
	wg.Wait()
	names := backups(t, path)
	if len(names) < 5 {
		t.Errorf("only %d backups", len(names))
	}
	name := regexp.MustCompile(`nats\.log\.\d{4}\.\d\d\.\d\d\.\d\d\.\d\d\.\d\d\.\d{9}$`)
	all := ""
	for _, n := range append(names, path) {
		if n != path && !name.MatchString(n) {
			t.Errorf("backup is called %s", n)
		}
		text := readFile(t, n)
		if len(text) > 2000+200 {
			t.Errorf("%s has %d bytes", n, len(text))
		}
		all += text
	}
	for w := range writers {
		for i := range lines {
			if n := strings.Count(all, fmt.Sprintf(" line %d-%d\n", w, i)); n != 1 {
				t.Errorf("line %d-%d is there %d times", w, i, n)
			}
		}
	}
	if n := strings.Count(all, "[INF] Rotated log, backup saved as \""); n != len(names) {
		t.Errorf("%d rotations are noted, %d happened", n, len(names))
	}
}

// TestRotationKeepsAsManyAsAsked checks that the oldest go, that other files stay, and that the current one counts.
func TestRotationKeepsAsManyAsAsked(t *testing.T) {
	m, path, _, _ := fileManager(t, func(o *Options) { o.FileLimit, o.FileMax = 300, 3 })
	others := []string{path + ".2026.11.22", path + ".1.gz", filepath.Join(filepath.Dir(path), "nats.logs")}
	for _, f := range others {
		if err := os.WriteFile(f, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log := m.Logger("broker")
	for i := range 40 {
		log.Info(fmt.Sprintf("line %d", i))
	}
	var kept []string
	for _, n := range backups(t, path) {
		if n != others[0] && n != others[1] {
			kept = append(kept, n)
		}
	}
	if len(kept) != 2 {
		t.Errorf("kept %v, want 2 backups", kept)
	}
	for _, f := range others {
		if _, err := os.Stat(f); err != nil {
			t.Errorf("a file that is no backup was removed: %v", err)
		}
	}
	all := readFile(t, kept[0]) + readFile(t, kept[1]) + readFile(t, path)
	if !strings.Contains(all, "line 39\n") || strings.Contains(all, "line 0\n") {
		t.Errorf("not the newest were kept:\n%s", all)
	}
	if !strings.Contains(all, "Purged log file \"nats.log.") {
		t.Errorf("the purge is not noted:\n%s", all)
	}
}

// TestFailedRotationGoesOnWriting takes the directory's write permission away (or, for root, makes renaming fail by a
// directory in the way is not possible): the line must still be written and the trouble reported.
func TestFailedRotationGoesOnWriting(t *testing.T) {
	m, path, _, stderr := fileManager(t, func(o *Options) { o.FileLimit = 10 })
	// The file is gone and its directory too: renaming fails, whoever we are.
	log := m.Logger("broker")
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	log.Info("first line")
	if line := readLine(t, stderr); !strings.Contains(line, "[ERR] Unable to rotate the log file") {
		t.Errorf("standard error shows %q", line)
	}
	if got := m.Tail(10); len(got) != 2 || got[1].Event != "log-rotation-failed" {
		t.Errorf("tail %+v", got)
	}
	if d := m.Drops()[path]; d != 0 {
		t.Errorf("%d lines lost", d)
	}
}

// TestRotationLeavesWhatIsNoFileOfOurs: a link stays a link and its target is rotated; what is no regular file, and what
// the path would lead to whatever its name, is never renamed.
func TestRotationLeavesWhatIsNoFileOfOurs(t *testing.T) {
	t.Run("link", func(t *testing.T) {
		dir := t.TempDir()
		real, link := filepath.Join(dir, "real.log"), filepath.Join(dir, "link.log")
		if err := os.Symlink("real.log", link); err != nil {
			t.Fatal(err)
		}
		m, _, _, _ := fileManager(t, func(o *Options) { o.File, o.FileLimit, o.FileMax = link, 100, 2 })
		for i := range 20 {
			m.Logger("broker").Info(fmt.Sprintf("line %d", i))
		}
		if to, err := os.Readlink(link); err != nil || to != "real.log" {
			t.Errorf("the link leads to %q, %v", to, err)
		}
		if n := backups(t, real); len(n) != 1 || len(backups(t, link)) != 0 {
			t.Errorf("backups %v, of the link %v", n, backups(t, link))
		}
	})
	t.Run("pipe", func(t *testing.T) {
		pipe := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
		reader, err := os.OpenFile(pipe, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		m, _, _, _ := fileManager(t, func(o *Options) { o.File, o.FileLimit = pipe, 10 })
		m.Logger("broker").Info("a line that is longer than the limit")
		if st, err := os.Lstat(pipe); err != nil || st.Mode()&os.ModeNamedPipe == 0 || len(backups(t, pipe)) != 0 {
			t.Errorf("the pipe is %v, %v; backups %v", st, err, backups(t, pipe))
		}
	})
	t.Run("standard output", func(t *testing.T) {
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		m, _, _, _ := fileManager(t, func(o *Options) { o.File, o.FileLimit = fmt.Sprintf("/proc/self/fd/%d", out.Fd()), 10 })
		for range 3 {
			m.Logger("broker").Info("a line that is longer than the limit")
		}
		if n := backups(t, out.Name()); len(n) != 0 {
			t.Errorf("renamed: %v", n)
		}
		if got := readFile(t, out.Name()); strings.Count(got, "longer than the limit") != 3 {
			t.Errorf("the file holds %q", got)
		}
	})
}

// TestReopenAfterRename is logrotate with a postrotate signal.
func TestReopenAfterRename(t *testing.T) {
	m, path, _, _ := fileManager(t, nil)
	log := m.Logger("broker")
	log.Info("before")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	log.Info("between")
	if err := m.Reopen(); err != nil {
		t.Fatal(err)
	}
	log.Info("after")
	if old := readFile(t, path+".1"); !strings.Contains(old, "before") || !strings.Contains(old, "between") {
		t.Errorf("old file: %q", old)
	}
	now := readFile(t, path)
	if !strings.Contains(now, "[INF] File log re-opened\n") || !strings.Contains(now, "after") || strings.Contains(now, "before") {
		t.Errorf("new file: %q", now)
	}
}

func TestReopenThatFailsKeepsTheFile(t *testing.T) {
	m, path, _, _ := fileManager(t, nil)
	moved := filepath.Join(t.TempDir(), "moved.log")
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := m.Reopen(); err == nil {
		t.Error("a directory was opened as a log file")
	}
	m.Logger("broker").Info("still here")
	if got := readFile(t, moved); !strings.Contains(got, "still here") || !strings.Contains(got, "[ERR] File log could not be re-opened") {
		t.Errorf("the open file was given up: %q", got)
	}
}

func TestReopenWithoutFile(t *testing.T) {
	o, stderr := stderrPipe(t)
	m := newManager(t, o)
	if err := m.Reopen(); err != nil {
		t.Fatal(err)
	}
	if line := readLine(t, stderr); !strings.HasSuffix(line, "[INF] File log re-open ignored, not a file logger") {
		t.Errorf("%q", line)
	}
}

// TestFileFollowsLogrotateWithoutSignal covers `create` and `copytruncate` when nobody sends SIGUSR1.
func TestFileFollowsLogrotateWithoutSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := stderrPipe(t)
		path := filepath.Join(t.TempDir(), "nats.log")
		o.File, o.FileLimit = path, 1000
		m := newManager(t, o)
		log := m.Logger("broker")
		log.Info("one")

		// create: renamed, and the successor is made by another hand a little later.
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(fileCheck)
		log.Info("two") // sees nothing at the path, and leaves it at that
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Fatal("the file was created while its successor may still come")
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(fileCheck)
		log.Info("three")
		if got := readFile(t, path); !strings.HasSuffix(got, "three\n") || strings.Contains(got, "two") {
			t.Errorf("new file %q", got)
		}

		// nocreate: nobody makes a successor.
		if err := os.Rename(path, path+".2"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(fileCheck)
		log.Info("four")
		time.Sleep(fileCheck)
		log.Info("five")
		if got := readFile(t, path); !strings.HasSuffix(got, "five\n") {
			t.Errorf("new file %q", got)
		}

		// copytruncate: the size begins anew, so that the limit is not reached by lines that are gone.
		log.Info(strings.Repeat("x", 800))
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(fileCheck)
		log.Info(strings.Repeat("y", 800))
		for _, n := range backups(t, path) {
			if n != path+".1" && n != path+".2" {
				t.Errorf("rotated by a size that was truncated away: %s", n)
			}
		}
	})
}

// A file system that is full (/dev/full gives the same error): lines lost are counted, reported on standard error, and
// the end is reported too.
func TestUnwritableFileIsReportedOnceAndCounted(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Fatal(err)
	}
	o, stderr := stderrPipe(t)
	o.File = path
	m := newManager(t, o)
	log := m.Logger("broker")
	for i := range 5 {
		log.Info(fmt.Sprintf("lost %d", i))
	}
	// The report on the trouble cannot be written to the file either, hence one more.
	if d := m.Drops()[path]; d != 6 {
		t.Errorf("%d lines counted as lost, want 6", d)
	}
	if line := readLine(t, stderr); !strings.Contains(line, "cannot be written") || !strings.Contains(line, "no space left") {
		t.Errorf("standard error shows %q", line)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	m.Reopen()
	log.Info("back")
	if line := readLine(t, stderr); !strings.Contains(line, "[WRN] 6 lines could not be written to log file") {
		t.Errorf("standard error shows %q", line)
	}
	if got := readFile(t, path); !strings.Contains(got, "back") {
		t.Errorf("the file holds %q", got)
	}
}

// TestStderrReaderGone runs a child whose standard error's reader closes: it must live on.
func TestStderrReaderGone(t *testing.T) {
	if os.Getenv("LOGGING_CHILD") == "1" {
		m, err := New(DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		m.Logger("broker").Info("Server is ready")
		io.Copy(io.Discard, os.Stdin) // until the parent has closed our standard error
		m.Logger("broker").Info("into nowhere")
		fmt.Printf("alive, lost %d\n", m.Drops()["stderr"])
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestStderrReaderGone$")
	cmd.Env = append(os.Environ(), "LOGGING_CHILD=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	readLine(t, bufio.NewReader(stderr))
	stderr.Close()
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the process died: %v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "alive, lost 1\n") {
		t.Errorf("child said %q", out.String())
	}
}

// TestStderrNotRead fills a pipe that nobody reads: lines are lost, and the one who logs is not held for longer than
// once the time limit.
func TestStderrNotRead(t *testing.T) {
	o, stderr := stderrPipe(t)
	o.NoRepeatLimit = true
	m := newManager(t, o)
	log := m.Logger("broker")
	line := strings.Repeat("x", 1000)
	for range 200 {
		log.Info(line) // a pipe holds 64 KiB
	}
	lost := m.Drops()["stderr"]
	if lost == 0 || lost > 190 {
		t.Errorf("%d lines lost", lost)
	}
	for range 20 {
		readLine(t, stderr)
	}
	log.Info("back")
	for {
		l := readLine(t, stderr)
		if strings.HasSuffix(l, "lines could not be written to standard error") {
			if !strings.Contains(l, fmt.Sprintf("[WRN] %d lines", lost)) {
				t.Errorf("%q, but %d were lost", l, lost)
			}
			return
		}
	}
}

// A pipe that nobody has opened, or nobody reads, holds up nobody: neither the start, nor who logs, nor the opening anew;
// lines beyond what it holds are counted, and a reader that comes late finds the others.
func TestPipeNotRead(t *testing.T) {
	o, _ := stderrPipe(t)
	o.NoRepeatLimit = true
	o.File = filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(o.File, 0o600); err != nil {
		t.Fatal(err)
	}
	o.FileLimit = 1 // it is not rotated
	m := newManager(t, o)
	log := m.Logger("broker")
	line := strings.Repeat("x", 1000)
	for range 200 {
		log.Info(line) // a pipe holds 64 KiB
	}
	lost := m.Drops()[o.File]
	if lost == 0 || lost > 190 {
		t.Errorf("%d lines lost", lost)
	}
	m.Reopen() // does not wait either
	reader, err := os.OpenFile(o.File, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	r := bufio.NewReader(reader)
	until := func(want string) {
		t.Helper()
		for {
			l, err := r.ReadString('\n')
			if err != nil {
				t.Fatalf("waiting for %q: %v", want, err)
			}
			if strings.Contains(l, want) {
				return
			}
		}
	}
	until(line) // what came before is there still
	for range 20 {
		until(line)
	}
	log.Info("after")
	until("after")
	until("lines could not be written")
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestUnusableFileIsRefused(t *testing.T) {
	o, _ := stderrPipe(t)
	o.File = filepath.Join(t.TempDir(), "no", "such", "dir", "log")
	if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "error opening file: ") {
		t.Errorf("got %v", err)
	}
}
