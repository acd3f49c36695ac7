package streams

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// long are stretches of text in rows: %300 is 300 letters.
var long = regexp.MustCompile(`%(\d+)`)

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

// discuss holds one talk with both and compares.
func discuss(t *testing.T, theirs, ours *peer, tk talk, storage string) {
	theirs.t, ours.t = t, t
	var said, end [2]string
	for _, quiet := range quiets {
		n := int(talks.Add(1))
		steps := expand(t, tk, n, storage)
		said = inBoth(theirs, ours, func(p *peer) string {
			p.quiet, p.consumers = quiet, true
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

// expand fills in what the steps of a talk leave open.
func expand(t testing.TB, tk talk, n int, storage string) []string {
	steps := make([]string, len(tk.steps))
	for i, s := range tk.steps {
		s = strings.ReplaceAll(s, "%s", "s"+strconv.Itoa(n))
		s = strings.ReplaceAll(s, "%kind", storage)
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
