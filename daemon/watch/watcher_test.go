package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) { t.Helper(); do(t, os.MkdirAll(path, 0o755)) }

// never is a polling period that cannot help inotify in a test.
const never = time.Hour

func start(t *testing.T, opts Options, paths ...string) *Watcher {
	t.Helper()
	w := New(opts, logging.Discard())
	t.Cleanup(w.Stop)
	w.Set(paths, time.Now().Add(time.Hour)) // what exists counts as read
	return w
}

// changed waits for a report and checks that it names path.
func changed(t *testing.T, w *Watcher, path string) {
	t.Helper()
	if got := <-w.Changes(); !slices.Contains(got, path) {
		t.Fatalf("reported %v, want %s", got, path)
	}
}

// Each way in which administrators and tools change a file must be seen, by
// inotify alone, and the watch must survive it: every step is done twice.
func TestWaysOfChanging(t *testing.T) {
	tests := []struct {
		name  string
		setup func(t *testing.T, dir string) (path string)
		step  func(t *testing.T, dir, path string, n int)
	}{
		{"written in place", plainFile, func(t *testing.T, _, path string, n int) { write(t, path, fmt.Sprint("v", n, n)) }},
		{"made readable", plainFile, func(t *testing.T, _, path string, n int) { do(t, os.Chmod(path, []os.FileMode{0o640, 0o644}[n%2])) }},
		{"renamed over", plainFile, func(t *testing.T, dir, path string, n int) {
			write(t, filepath.Join(dir, ".swp"), fmt.Sprint("w", n))
			do(t, os.Rename(filepath.Join(dir, ".swp"), path))
		}},
		{"removed and made again", plainFile, func(t *testing.T, _, path string, n int) {
			do(t, os.Remove(path))
			write(t, path, fmt.Sprint("x", n))
		}},
		{"directory renamed away and made again", plainFile, func(t *testing.T, dir, path string, n int) {
			do(t, os.Rename(dir, fmt.Sprint(dir, ".old", n)))
			mkdir(t, dir)
			write(t, path, fmt.Sprint("y", n))
		}},
		{"directory removed and made again", plainFile, func(t *testing.T, dir, path string, n int) {
			do(t, os.RemoveAll(dir))
			mkdir(t, dir)
			write(t, path, fmt.Sprint("z", n))
		}},
		{"link in the path swapped", func(t *testing.T, dir string) string {
			for _, v := range []string{"a", "b", "c"} {
				mkdir(t, filepath.Join(dir, "..v"+v))
				write(t, filepath.Join(dir, "..v"+v, "nats.conf"), v)
			}
			do(t, os.Symlink("..va", filepath.Join(dir, "..data")))
			do(t, os.Symlink("..data/nats.conf", filepath.Join(dir, "nats.conf")))
			return filepath.Join(dir, "nats.conf")
		}, func(t *testing.T, dir, _ string, n int) {
			do(t, os.Symlink("..v"+[]string{"b", "c"}[n], filepath.Join(dir, "..tmp")))
			do(t, os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
		}},
		{"target of an absolute link", func(t *testing.T, dir string) string {
			mkdir(t, filepath.Join(dir, "far"))
			write(t, filepath.Join(dir, "far", "real"), "a")
			do(t, os.Symlink(filepath.Join(dir, "far", "real"), filepath.Join(dir, "nats.conf")))
			return filepath.Join(dir, "nats.conf")
		}, func(t *testing.T, dir, _ string, n int) {
			write(t, filepath.Join(dir, "far", "real"), fmt.Sprint("bb", n))
		}},
		{"comes into being, then a sibling drop-in", func(t *testing.T, dir string) string {
			return filepath.Join(dir, "nats.conf.d")
		}, func(t *testing.T, _, path string, n int) {
			mkdir(t, path)
			write(t, filepath.Join(path, fmt.Sprint(n, ".conf")), "x")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "etc")
			mkdir(t, dir)
			path := tt.setup(t, dir)
			w := start(t, Options{Quiet: 20 * time.Millisecond, Poll: never, BlindPoll: never}, path)
			for n := range 2 {
				tt.step(t, dir, path, n)
				changed(t, w, path)
				settle(t, w, path)
			}
		})
	}
}

func plainFile(t *testing.T, dir string) string {
	path := filepath.Join(dir, "nats.conf")
	write(t, path, "start")
	return path
}

// settle makes the Watcher take what it sees now as read, whatever part of the
// step was still on its way.
func settle(t *testing.T, w *Watcher, path string) {
	t.Helper()
	w.Set([]string{path}, time.Now().Add(time.Hour))
	select {
	case <-w.Changes():
	default:
	}
}

// Writes each within the quiet time of the one before are one report, and what is in the
// same directory but not watched is none.
func TestBurstIsOneReport(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "nats.conf"), filepath.Join(dir, "other")
	const quiet = 500 * time.Millisecond
	burst := func() (w *Watcher, longest time.Duration) {
		write(t, path, "a")
		w = start(t, Options{Quiet: quiet, Longest: time.Minute, Poll: never}, path)
		for last, i := time.Now(), 0; i < 200; i++ {
			write(t, path, strings.Repeat("x", i))
			write(t, other, "y")
			now := time.Now()
			longest, last = max(longest, now.Sub(last)), now
		}
		changed(t, w, path)
		return w, longest
	}
	w, longest := burst()
	for tries := 1; longest > quiet/2; tries++ { // the machine stopped, and so there may be two
		if tries == 30 {
			t.Fatalf("no burst in %d attempts", tries)
		}
		w.Stop()
		w, longest = burst()
	}
	marker := filepath.Join(dir, "marker")
	w.Set([]string{path, marker}, time.Now().Add(time.Hour))
	write(t, marker, "now")
	if got := <-w.Changes(); !slices.Equal(got, []string{marker}) {
		t.Errorf("after the burst: %v, want only the marker", got)
	}
}

// A stream of changes that never pauses must not postpone the report for ever.
func TestEndlessBurst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nats.conf")
	write(t, path, "a")
	w := start(t, Options{Quiet: time.Hour, Longest: 50 * time.Millisecond, Poll: never}, path)
	for i := 0; ; i++ {
		write(t, path, fmt.Sprint(i))
		select {
		case <-w.Changes():
			return
		default:
		}
	}
}

// Where inotify sees nothing, the poll does.
func TestPollFindsChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nats.conf")
	write(t, path, "a")
	w := New(Options{Quiet: never, Longest: never, Poll: 10 * time.Millisecond}, logging.Discard())
	defer w.Stop()
	w.Set([]string{path}, time.Now().Add(time.Hour))
	write(t, path, "changed")
	changed(t, w, path)
}

// A file written while the configuration was being read may not be what was
// read.
func TestChangeWhileReading(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nats.conf")
	began := time.Now()
	write(t, path, "written after reading began")
	w := New(Options{Quiet: time.Millisecond, Poll: never}, logging.Discard())
	defer w.Stop()
	w.Set([]string{path}, began)
	changed(t, w, path)
}

func TestPlaces(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	loop := filepath.Join(dir, "loop")
	do(t, os.Symlink("loop", loop))
	p := placesFor([]string{loop, filepath.Join(dir, "deep", "er", "x.conf")})
	for path, want := range map[string]bool{
		loop: true, filepath.Join(dir, "deep"): true, dir: true,
		filepath.Join(dir, "unrelated"): false, "/dev/null": false,
	} {
		if p.matters(path) != want {
			t.Errorf("matters(%s) = %v", path, !want)
		}
	}
}

// Who has nothing to watch has no inotify either; it comes with the first file.
func TestInotifyComesWithTheFirstFile(t *testing.T) {
	notifiers := func() (n int) {
		entries, err := os.ReadDir("/proc/self/fd")
		do(t, err)
		for _, e := range entries {
			if to, _ := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); to == "anon_inode:inotify" {
				n++
			}
		}
		return n
	}
	before := notifiers()
	w := start(t, Options{Poll: never})
	if n := notifiers(); n != before {
		t.Errorf("%d notifiers more, with nothing to watch", n-before)
	}
	path := filepath.Join(t.TempDir(), "nats.conf")
	write(t, path, "a")
	w.Set([]string{path}, time.Now().Add(time.Hour))
	if n := notifiers(); n != before+1 {
		t.Errorf("%d notifiers more, with a file to watch", n-before)
	}
	write(t, path, "b")
	changed(t, w, path)
}

// quietly checks that nothing is reported before marker is: the Watcher has then seen all that came before.
func quietly(t *testing.T, w *Watcher) {
	t.Helper()
	select {
	case got := <-w.Changes():
		t.Fatalf("reported %v", got)
	case <-time.After(10 * fast.Quiet): // a bound for what must not happen, on a machine that is not busy
	}
}

var fast = Options{Quiet: 20 * time.Millisecond, Longest: 100 * time.Millisecond, Poll: never, BlindPoll: never}

// unleased makes the Watcher go by events alone, as one that does not own the files.
func unleased(t *testing.T) {
	saved := lease
	lease = func(string) (bool, bool) { return false, false }
	t.Cleanup(func() { lease = saved })
}

// What is being written is not reported before it is closed, whatever the writer does meanwhile.
func TestOpenFileIsWaitedFor(t *testing.T) {
	for _, how := range []string{"by the kernel", "by events"} {
		t.Run(how, func(t *testing.T) {
			if how == "by events" {
				unleased(t)
			}
			tests := map[string]func(t *testing.T, dir, path string) *os.File{
				"truncated and written on": func(t *testing.T, _, path string) *os.File {
					f, err := os.Create(path)
					do(t, err)
					return f
				},
				"renamed while open": func(t *testing.T, dir, path string) *os.File {
					f, err := os.Create(filepath.Join(dir, "tmp"))
					do(t, err)
					f.WriteString("half")
					do(t, os.Rename(f.Name(), path))
					return f
				},
				"made anew": func(t *testing.T, _, path string) *os.File {
					do(t, os.Remove(path))
					f, err := os.Create(path)
					do(t, err)
					f.WriteString("half")
					return f
				},
			}
			for name, step := range tests {
				t.Run(name, func(t *testing.T) {
					dir := t.TempDir()
					path := plainFile(t, dir)
					w := start(t, fast, path)
					f := step(t, dir, path)
					quietly(t, w)
					f.WriteString("the other half")
					quietly(t, w)
					do(t, f.Close())
					changed(t, w, path)
				})
			}
			t.Run("new drop-in", func(t *testing.T) {
				dir := t.TempDir()
				w := start(t, fast, dir)
				f, err := os.Create(filepath.Join(dir, "new.conf"))
				do(t, err)
				f.WriteString("half")
				quietly(t, w)
				do(t, f.Close())
				changed(t, w, dir)
			})
		})
	}
}

// Where neither the kernel nor inotify tells, two looks must show the same.
func TestPolledFileIsAtRest(t *testing.T) {
	unleased(t)
	path := plainFile(t, t.TempDir())
	s := &state{w: &Watcher{opts: fast.withDefaults(), log: logging.Discard(), changes: make(chan []string, 1)}, open: newWriting(), opened: true}
	s.replace(set{paths: []string{path}, since: time.Now().Add(time.Hour)})
	write(t, path, "one")
	if s.compare(false) {
		t.Error("reported at the first look")
	}
	write(t, path, "three")
	if s.compare(false) {
		t.Error("reported although it was written on")
	}
	if !s.compare(false) || len(s.w.changes) != 1 {
		t.Error("not reported when it was at rest")
	}
}

// A start waits for a file that is being written, but not for ever.
func TestAwaitRest(t *testing.T) {
	path := plainFile(t, t.TempDir())
	if AwaitRest([]string{path}, time.Minute) {
		t.Error("waited for a file that nobody writes")
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	do(t, err)
	for d := 30 * time.Millisecond; !AwaitRest([]string{path}, d); d *= 2 { // it is over before a look on a machine that stops for so long
		if d > time.Minute {
			t.Fatal("did not wait")
		}
	}
	saved := lease
	t.Cleanup(func() { lease = saved })
	lease = func(path string) (has, known bool) {
		has, known = saved(path)
		f.Close() // when it was seen open
		return has, known
	}
	if !AwaitRest([]string{path}, time.Minute) {
		t.Error("did not wait")
	}
	unleased(t)
	for tries := 1; ; tries++ {
		write(t, path, "just now")
		if AwaitRest([]string{path}, time.Minute) {
			break
		}
		if tries == 10 { // now and then the machine stops between the two
			t.Fatal("did not wait for a file that was written just now")
		}
	}
}

// A drop-in that came while the configuration was read, before its directory was looked after, is reported.
func TestDropInThatCameMeanwhile(t *testing.T) {
	dir := t.TempDir()
	since := time.Now()
	write(t, filepath.Join(dir, "a.conf"), "x")
	w := New(Options{Quiet: time.Millisecond}, logging.Discard())
	defer w.Stop()
	w.Set([]string{dir}, since)
	select {
	case got := <-w.Changes():
		if !slices.Equal(got, []string{dir}) {
			t.Errorf("changed: %v", got)
		}
	case <-time.After(time.Minute):
		t.Error("nothing was reported")
	}
}
