package watch

import (
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nats-broker/nats-broker/daemon/logging"
)

// Options says how patient a Watcher is. The zero value means the defaults.
type Options struct {
	Quiet     time.Duration // a change is reported after this long without another event (250 ms)
	Longest   time.Duration // but at the latest this long after the first (3 s), except that no file may be open for writing
	Poll      time.Duration // signatures are compared this often in any case (30 s)
	BlindPoll time.Duration // and this often when inotify is not to be had (2 s)
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&o.Quiet, 250*time.Millisecond)
	def(&o.Longest, 3*time.Second)
	def(&o.Poll, 30*time.Second)
	def(&o.BlindPoll, 2*time.Second)
	return o
}

// Watcher reports changes to a set of files. Its goroutine runs from New to
// Stop; Set and Stop may be called from any goroutine.
type Watcher struct {
	opts    Options
	log     *logging.Logger
	sets    chan set
	changes chan []string
	quit    chan struct{}
	done    sync.WaitGroup
	once    sync.Once
}

type set struct {
	paths []string
	since time.Time
	taken chan struct{}
}

// New starts a Watcher that watches nothing yet.
func New(opts Options, log *logging.Logger) *Watcher {
	w := &Watcher{
		opts: opts.withDefaults(), log: log,
		sets: make(chan set), changes: make(chan []string, 1), quit: make(chan struct{}),
	}
	w.done.Add(1)
	go w.run() // ends with Stop
	return w
}

// Set replaces the watched paths: files, and directories of drop-ins of which
// the *.conf entries count. Paths need not exist. since is when reading them began: a file written
// after that may not be what was read, and is reported as changed. When Set
// returns, the files have been looked at.
func (w *Watcher) Set(paths []string, since time.Time) {
	s := set{slices.Clone(paths), since, make(chan struct{})}
	select {
	case w.sets <- s:
		<-s.taken
	case <-w.quit:
	}
}

// Changes delivers the paths that changed, one slice for a burst of changes.
// While nobody receives, later changes add to the slice waiting.
func (w *Watcher) Changes() <-chan []string { return w.changes }

// Stop ends the Watcher and waits for its goroutine.
func (w *Watcher) Stop() {
	w.once.Do(func() { close(w.quit) })
	w.done.Wait()
}

// run is the Watcher's goroutine; everything below belongs to it alone.
func (w *Watcher) run() {
	defer w.done.Done()
	st := &state{w: w, open: newWriting()}
	defer st.closeNotify()
	poll := time.NewTimer(st.pollPeriod())
	defer poll.Stop()
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	defer quiet.Stop()
	for {
		select {
		case <-w.quit:
			return
		case s := <-w.sets:
			if st.replace(s) {
				quiet.Reset(w.opts.Quiet)
			}
			poll.Reset(st.pollPeriod())
			close(s.taken)
		case list, ok := <-st.events():
			if !ok {
				st.closeNotify()
				continue
			}
			if st.note(list) {
				quiet.Reset(st.patience())
			}
		case <-quiet.C:
			if !st.compare(st.notify != nil) {
				poll.Reset(st.recheck())
			}
		case <-poll.C:
			if st.compare(false) {
				poll.Reset(st.pollPeriod())
			} else {
				poll.Reset(st.recheck())
			}
		}
	}
}

// state is what the goroutine knows.
type state struct {
	w      *Watcher
	notify *inotify // nil where it is not to be had, and until there is something to watch
	opened bool     // whether inotify has been asked for
	paths  []string
	seen   map[string]signature
	forced map[string]bool      // to be reported at the next comparison whatever it shows
	before map[string]signature // how the changed ones looked at the last poll
	open   *writing
	where  places
	burst  time.Time // first event not yet acted on
	held   time.Time // since when a report waits for a file to be closed
	warned bool      // that a directory cannot be watched
	told   bool      // that a file stays open
}

func (s *state) openNotify() {
	s.opened = true
	n, err := newInotify()
	if err != nil {
		s.w.log.Event(logging.Warn, logging.ConfigWatchFailed, "Watching configuration files by polling: "+err.Error(), logging.Err(err))
		return
	}
	s.notify = n
}

func (s *state) closeNotify() {
	if s.notify != nil {
		s.notify.close()
		s.notify = nil
	}
}

func (s *state) events() <-chan []event {
	if s.notify == nil {
		return nil
	}
	return s.notify.events
}

// note takes events into account and reports whether any concerns a file that
// is watched.
func (s *state) note(list []event) (matters bool) {
	for _, e := range list {
		s.open.note(e)
		if e.has(unix.IN_Q_OVERFLOW) {
			s.w.log.Warn("Watching configuration files: the kernel has dropped events, all files are looked at")
			matters = true
		}
		matters = matters || s.where.matters(e.path)
	}
	return matters
}

func (s *state) pollPeriod() time.Duration {
	if s.notify == nil && s.opened {
		return s.w.opts.BlindPoll
	}
	return s.w.opts.Poll
}

// recheck is when to look again at what is not at rest: a change that a poll
// has found, or a file that is still open, whose close may go unseen.
func (s *state) recheck() time.Duration {
	if s.held.IsZero() {
		return min(s.w.opts.Quiet, s.pollPeriod())
	}
	return min(s.w.opts.BlindPoll, s.pollPeriod())
}

// patience is how long to wait for more events of the same burst.
func (s *state) patience() time.Duration {
	now := time.Now()
	if s.burst.IsZero() {
		s.burst = now
	}
	return max(0, min(s.w.opts.Quiet, s.w.opts.Longest-now.Sub(s.burst)))
}

// replace takes a new set of paths; true when some may have changed already.
func (s *state) replace(n set) bool {
	s.paths = n.paths
	s.seen = make(map[string]signature, len(n.paths))
	s.forced = map[string]bool{}
	if len(s.paths) > 0 && !s.opened {
		s.openNotify()
	}
	s.listen() // before looking: a change in between is then an event
	for _, path := range s.paths {
		sig := sign(path)
		s.seen[path] = sig
		if sig.changedSince(n.since) || sig.directory && enteredSince(path, n.since) {
			s.forced[path] = true
		}
	}
	return len(s.forced) > 0
}

// listen makes inotify watch exactly the directories that matter now. A
// directory may come or a link move while that is being arranged, so it is
// repeated until the answer stays the same.
func (s *state) listen() {
	for range 5 {
		before := s.where
		s.where = placesFor(s.paths)
		s.arrange()
		if before != nil && maps.EqualFunc(before, s.where, maps.Equal) {
			return
		}
	}
}

// arrange adds and removes the watches that s.where asks for.
func (s *state) arrange() {
	if s.notify == nil {
		return
	}
	s.notify.keep(func(dir string) bool { _, wanted := s.where[dir]; return wanted })
	s.open.keep(s.where)
	for dir := range s.where {
		// Adding again is cheap, and renews the watch of a recreated directory.
		if err := s.notify.add(dir); err != nil && !errors.Is(err, os.ErrNotExist) && !s.warned {
			s.warned = true
			s.w.log.Event(logging.Warn, logging.ConfigWatchFailed, "Cannot watch "+dir+", changes there are found by polling: "+err.Error(), logging.Err(err))
		}
	}
}

// compare looks at every path and reports those that differ, when they are at
// rest; false when it has to look again. After a poll nobody knows whether
// they are (rested is false): two looks must then show the same.
func (s *state) compare(rested bool) (done bool) {
	s.burst = time.Time{}
	s.listen()
	var changed []string
	now := map[string]signature{}
	for _, path := range s.paths {
		sig := sign(path)
		if _, twice := now[path]; !twice && (sig != s.seen[path] || s.forced[path]) {
			changed = append(changed, path)
			now[path] = sig
		}
	}
	if changed == nil {
		s.before, s.held, s.told = nil, time.Time{}, false
		return true
	}
	if !rested && !maps.Equal(now, s.before) {
		s.before = now
		return false
	}
	if path := s.open.busy(changed); path != "" {
		s.hold(path)
		return false
	}
	s.before, s.held, s.told = nil, time.Time{}, false
	maps.Copy(s.seen, now)
	clear(s.forced)
	s.report(changed)
	return true
}

// hold waits for a file to be closed, and says so when that takes long.
func (s *state) hold(path string) {
	const long = 10 * time.Second
	if s.held.IsZero() {
		s.held = time.Now()
	}
	if !s.told && time.Since(s.held) > long {
		s.told = true
		s.w.log.Warn(path + " has been changed and is still open for writing: it is read when it is closed, or when a reload asks for it")
	}
}

// report hands over what changed.
func (s *state) report(changed []string) {
	select { // add to what nobody has taken yet
	case waiting := <-s.w.changes:
		for _, path := range waiting {
			if !slices.Contains(changed, path) {
				changed = append(changed, path)
			}
		}
	default:
	}
	s.w.changes <- changed // has room: this goroutine is the only sender
}
