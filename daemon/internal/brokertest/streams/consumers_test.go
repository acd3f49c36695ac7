package streams

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// long are stretches of text in rows: %300 is 300 letters.
var long = regexp.MustCompile(`%(\d+)`)

// times are stretches of time in talks: %ms100 is 100 milliseconds, in nanoseconds; more where a talk is held again.
var times = regexp.MustCompile(`%ms(\d+)`)

// TestConsumers holds talks about consumers, written ones and those made from rows.
func TestConsumers(t *testing.T) {
	list := consumerTalks()
	files, err := filepath.Glob("testdata/consumers/*.talk")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, tk := range parseTalks(string(b)) {
			tk.name = strings.TrimSuffix(filepath.Base(f), ".talk") + ": " + tk.name
			list = append(list, tk)
		}
	}
	free := openDesks(t, consumerDesks)
	var held atomic.Int64
	var work sync.WaitGroup
	for i, tk := range list {
		for j, storage := range storages {
			if tk.once && (i+j)%2 == 1 {
				continue
			}
			d := <-free
			// Talks mostly wait: many are held at one time, whatever the number of processors.
			work.Go(func() {
				defer func() { free <- d }()
				t.Run(tk.name+"/"+storage, func(t *testing.T) { discuss(t, d.theirs, d.ours, tk, storage) })
				held.Add(1)
			})
		}
	}
	work.Wait()
	seen := map[int]bool{}
	for range consumerDesks {
		for code := range (<-free).theirs.seen {
			seen[code] = true
		}
	}
	t.Logf("%d conversations; nats-server has sent %d error codes", held.Load(), len(seen))
	checkConsumerCodes(t, seen)
}

// consumerDesks is how many talks are held at one time.
const consumerDesks = 24

// quiets are how long it is waited for what does not come. A talk in which the two differ is held again with more patience:
// on a busy machine what comes late looks as if it did not come.
var quiets = []time.Duration{60 * time.Millisecond, 250 * time.Millisecond, time.Second, 5 * time.Second}

// hurry has a talk about consumers wait for no longer than so: one that differs is held again with more patience.
func (p *peer) hurry(quiet time.Duration) {
	p.quiet, p.wait, p.slower, p.consumers = quiet, min(20*quiet, patience), slower(quiet), true
}

// slower is how many times as long the times are that a talk names, by how much patience there is.
func slower(quiet time.Duration) int { return int(min(quiet/quiets[0], 16)) }

// discuss holds one talk with both and compares.
func discuss(t *testing.T, theirs, ours *peer, tk talk, storage string) {
	theirs.t, ours.t = t, t
	var said, end [2]string
	for _, quiet := range quiets {
		n := int(talks.Add(1))
		steps := expand(t, tk, n, storage, slower(quiet))
		said = inBoth(theirs, ours, func(p *peer) string {
			p.hurry(quiet)
			return p.play(talk{name: tk.name, steps: steps}, storage, n)
		})
		end = inBoth(theirs, ours, (*peer).tidy)
		if said[0] == said[1] && end[0] == end[1] {
			return
		}
	}
	if said[0] != said[1] {
		t.Errorf("%s", diff(said[0], said[1]))
	}
	if end[0] != end[1] {
		t.Errorf("in the end:\n%s", diff(end[0], end[1]))
	}
}

// passing finds consumers without a durable name, which go after five seconds without anybody, if they do not say when. On a busy
// machine that is before the talk is over: they say that they stay, but for some of which the answer is to name those five seconds.
var (
	passing = regexp.MustCompile(`"config":\{"name":"\w"`)
	brief   = regexp.MustCompile(`create (|"deliver_subject":"d")$`)
)

// expand fills in what the steps of a talk leave open.
func expand(t testing.TB, tk talk, n int, storage string, slower int) []string {
	steps := make([]string, len(tk.steps))
	stays := !brief.MatchString(tk.name) && !slices.ContainsFunc(tk.steps, func(s string) bool { return strings.Contains(s, "inactive") })
	for i, s := range tk.steps {
		if stays {
			s = passing.ReplaceAllString(s, `$0,"inactive_threshold":3600000000000`)
		}
		s = strings.ReplaceAll(s, "%s", "s"+strconv.Itoa(n))
		s = strings.ReplaceAll(s, "%kind", storage)
		s = times.ReplaceAllStringFunc(s, func(m string) string {
			ms, err := strconv.Atoi(m[len("%ms"):])
			if err != nil {
				t.Fatal(err)
			}
			return strconv.Itoa(ms * slower * int(time.Millisecond))
		})
		steps[i] = long.ReplaceAllStringFunc(s, func(m string) string {
			k, err := strconv.Atoi(m[1:])
			if err != nil {
				t.Fatal(err)
			}
			return strings.Repeat("x", k)
		})
	}
	return steps
}
