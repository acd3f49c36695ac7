package journal

import (
	"fmt"
	"slices"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/vfs"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// testKey is the key of a store in tests, salts where its salts come from.
var (
	testKey = [16]byte{1, 2, 3}
	salts   = &Chance{}
)

// got is what a recovery gave, frame by frame.
type got struct {
	Recovery
	frames []string
	commit map[string]uint64
}

// recovered opens the journal that lies on a disk and returns what is in it.
func recovered(v vfs.FS, o Options) (got, *Journal, error) {
	o.Rand = salts
	j, err := Open(v, "/journal", testKey, o)
	if err != nil {
		return got{}, nil, err
	}
	g := got{commit: map[string]uint64{}}
	g.Recovery, err = j.Recover(func(commit uint64, f *Frame) error {
		s := fmt.Sprintf("%d/%d", f.Stream, f.First)
		switch {
		case f.Kind == Unknown:
			s = "?"
		case f.Lost:
			s += " lost"
		}
		g.frames = append(g.frames, s)
		g.commit[s] = commit
		return nil
	})
	return g, j, err
}

// place is a commit on the disk.
type placedCommit struct {
	file   string
	at     int64
	head   head
	frames []string
}

// sample makes a disk with a journal of two files and several commits of several frames. closed
// says that a closing commit stands at the end.
func sample(t *testing.T, vouched bool) (*sim.Disk, []placedCommit) {
	t.Helper()
	d := sim.New(1, sim.Options{Capacity: 100 << 20})
	_, j, err := recovered(d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var list []placedCommit
	seq := map[uint64]uint64{}
	commit := func(frames, size int) {
		at := placedCommit{}
		for i := range frames {
			s := uint64(i%3 + 1)
			seq[s]++
			j.Append(&Frame{Kind: 9, Stream: s, First: seq[s], Count: 1, Body: [][]byte{slices.Repeat([]byte{byte(s)}, size+i)}})
		}
		for s := uint64(1); s <= 3; s++ { // a commit takes the lanes in turn
			for i := range frames {
				if uint64(i%3+1) == s {
					n := seq[s] - uint64((frames-1-i)/3)
					at.frames = append(at.frames, fmt.Sprintf("%d/%d", s, n))
				}
			}
		}
		before := j.current()
		j.Flush()
		f := j.current()
		if f != before && len(list) > 0 {
			list[len(list)-1].file = before.name
		}
		at.file = f.name
		h := lastHead(t, f)
		at.at, at.head = int64(h.place), h
		list = append(list, at)
	}
	commit(1, 100)
	commit(5, 100)
	commit(1, 1020000) // nearly fills the file
	commit(4, 20000)   // in the next one
	commit(2, 3000)
	commit(1, 10)
	if vouched {
		if err := j.Vouch(); err != nil {
			t.Fatal(err)
		}
	}
	if list[2].file == list[3].file {
		t.Fatal("all lie in one file")
	}
	d.Restart()
	return d, list
}

// lastHead returns the head of the last commit in a file.
func lastHead(t *testing.T, f *file) head {
	t.Helper()
	w := walker{f: f, w: window{f: f.f, size: f.size}}
	for at := f.at - Block; at >= Block; at -= Block {
		if h, ok, _ := w.headAt(at); ok {
			return h
		}
	}
	t.Fatal("no commit")
	return head{}
}

func all(list []placedCommit) (out []string) {
	for _, c := range list {
		out = append(out, c.frames...)
	}
	return out
}

// TestFlips turns over bits at every kind of place and asks what is lost: never more than what is
// under them, and never silently.
func TestFlips(t *testing.T) {
	d, list := sample(t, true)
	sound, _, err := recovered(d.Copy(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(sound.frames, all(list)) {
		t.Fatalf("%v, want %v", sound.frames, all(list))
	}
	flip := func(what, file string, at int64, want []string) {
		t.Helper()
		f := d.Copy()
		if err := f.Flip(file, at*8+at%8); err != nil {
			t.Fatal(err)
		}
		g, _, err := recovered(f, Options{})
		if err != nil {
			t.Errorf("%s, byte %d of %s: %v", what, at, file, err)
			return
		}
		if !slices.Equal(g.frames, want) {
			t.Errorf("%s, byte %d of %s: %v\nwant %v", what, at, file, g.frames, want)
		}
		if damaged := !slices.Equal(want, all(list)); damaged != (len(g.Lost) > 0) {
			t.Errorf("%s, byte %d of %s: reported %v", what, at, file, g.Lost)
		}
	}
	for i, c := range list {
		name := fmt.Sprintf("commit %d", i)
		table := c.at + headSize
		bodies := table + int64(c.head.frames)*entrySize
		end := c.at + int64(c.head.bytes)
		for at := c.at; at < bodies; at += 5 {
			flip(name+": head or table", c.file, at, all(list))
		}
		for at := end - tailSize; at < end; at += 5 {
			flip(name+": parity or tail", c.file, at, all(list))
		}
		if pad := bodies + int64(c.head.bodies); pad < end-tailSize {
			flip(name+": padding", c.file, pad, all(list))
			flip(name+": padding", c.file, end-tailSize-1, all(list))
		}
		at := bodies
		for k := range c.frames {
			want := all(list)
			want[slices.Index(want, c.frames[k])] += " lost"
			size := int64(c.head.bodies)/int64(len(c.frames)) - int64(len(c.frames)) // nearly
			flip(name+": body", c.file, at+size/2, want)
			flip(name+": body", c.file, at, want)
			at += bodySize(t, d, c, k)
		}
	}
	for _, c := range []placedCommit{list[0], list[3]} {
		for _, at := range []int64{0, 9, 30, 100, (1 << 20) - Block, (1 << 20) - Block + 100} {
			flip("header", c.file, at, all(list))
		}
	}
}

// bodySize returns the length of a body.
func bodySize(t *testing.T, d *sim.Disk, c placedCommit, k int) int64 {
	t.Helper()
	b := make([]byte, entrySize)
	(*sim.Peeker)(d).Peek(c.file, b, c.at+headSize+int64(k*entrySize))
	var e entry
	if !e.parse(b) {
		t.Fatal("no entry")
	}
	return int64(e.length)
}

// TestRottenBlocks damages more than one bit.
func TestRottenBlocks(t *testing.T) {
	d, list := sample(t, true)
	unknown := func(i int) []string {
		want := all(list[:i])
		want = append(want, "?")
		return append(want, all(list[i+1:])...)
	}
	for _, c := range []struct {
		what   string
		commit int
		flips  []int64 // in the commit; negative: from its end
		want   []string
	}{
		{"head and tail", 1, []int64{20, -20}, unknown(1)},
		{"head and tail of the first in a file", 3, []int64{20, -20}, unknown(3)},
		{"head and tail of the last", 5, []int64{20, -20}, unknown(5)},
		{"two entries of five", 1, []int64{headSize + 10, headSize + 2*entrySize + 10},
			append(append(all(list[:1]), "?", list[1].frames[1]+" lost", "?", list[1].frames[3], list[1].frames[4]), all(list[2:])...)},
		{"an entry and the parity", 1, []int64{headSize + entrySize + 10, -tailSize + 3},
			append(append(all(list[:1]), list[1].frames[0], "?", list[1].frames[2], list[1].frames[3], list[1].frames[4]), all(list[2:])...)},
	} {
		f := d.Copy()
		p := list[c.commit]
		for _, at := range c.flips {
			if at < 0 {
				at += int64(p.head.bytes)
			}
			if err := f.Flip(p.file, (p.at+at)*8); err != nil {
				t.Fatal(err)
			}
		}
		g, j, err := recovered(f, Options{})
		if err != nil || !slices.Equal(g.frames, c.want) {
			t.Errorf("%s: %v %v\nwant %v", c.what, err, g.frames, c.want)
			continue
		}
		if len(g.Lost) == 0 || g.Clean {
			t.Errorf("%s: nothing was reported", c.what)
		}
		// The file is kept when it is not needed any more.
		j.Append(&Frame{Kind: 9, Stream: 1, Body: [][]byte{make([]byte, 900000)}})
		j.Flush()
		j.Append(&Frame{Kind: 9, Stream: 1, Body: [][]byte{make([]byte, 900000)}})
		j.Flush()
		j.Release(j.Position())
		for range 6 {
			j.Append(&Frame{Kind: 9, Stream: 1, Body: [][]byte{make([]byte, 900000)}})
			j.Flush()
			j.Release(j.Position())
			j.Flush()
		}
		if list, err := f.ReadDir("/journal/quarantine"); err != nil || len(list) != 1 {
			t.Errorf("%s: in quarantine: %v %v", c.what, list, err)
		}
	}
}

// TestTornAndRottenLookAlikeAtTheEnd shows the one case in which they do: the last commit, when
// nothing behind it vouches. Its head may be damaged, the body not.
func TestTornAndRottenLookAlikeAtTheEnd(t *testing.T) {
	d, list := sample(t, false)
	last := list[len(list)-1]
	f := d.Copy()
	if err := f.Flip(last.file, (last.at+headSize+entrySize+3)*8); err != nil {
		t.Fatal(err)
	}
	g, _, err := recovered(f, Options{})
	if err != nil || !slices.Equal(g.frames, all(list[:len(list)-1])) || len(g.Lost) > 0 {
		t.Errorf("%v %v %v", g.frames, g.Lost, err)
	}
	f = d.Copy()
	if err := f.Flip(last.file, (last.at+3)*8); err != nil {
		t.Fatal(err)
	}
	if g, _, err := recovered(f, Options{}); err != nil || !slices.Equal(g.frames, all(list)) {
		t.Errorf("%v %v", g.frames, err)
	}
}
