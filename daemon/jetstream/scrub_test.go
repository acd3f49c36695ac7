package jetstream

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/stream"
)

// A scrub finds what has rotted: it is lost from then on, and found once. One runs at a time, and none when the storage ends.
func TestScrub(t *testing.T) {
	dir := t.TempDir()
	n := newNodeIn(t, dir)
	n.stream(jetstream.FileStorage, 50)
	n.stop()
	name := filepath.Join(dir, "nats-broker", "streams", "1", "0000000000000001.seg")
	b := ok(os.ReadFile(name))
	at := bytes.Index(b, []byte("s.")) // the subject of a message
	b[at] ^= 1

	n = newNodeIn(t, dir)
	ok(0, os.WriteFile(name, b, 0o640)) // after the start has looked for ids of messages
	for i, lost := range []uint64{1, 0} {
		r, err := n.server.Scrub(context.Background(), 1<<40)
		if err != nil || r.Lost != lost || r.Streams != 1 || r.Bytes < 900 {
			t.Errorf("scrub %d: %+v, %v", i, r, err)
		}
	}
	if f := n.server.lookup("$G").stream("S").Figures(); f.Lost != 1 {
		t.Errorf("%+v", f)
	}
	if r, _ := n.server.Storage(); r.Scrubbed == 0 || r.ScrubEnd.IsZero() {
		t.Errorf("%+v", r)
	}
	n.server.files.scrubber.one.Lock()
	if _, err := n.server.Scrub(context.Background(), 0); !errors.Is(err, errScrubbing) {
		t.Error(err)
	}
	n.server.files.scrubber.one.Unlock()

	// At a byte a second it would take an hour: it ends with its context, and with the storage.
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { _, err := n.server.Scrub(ctx, 1); ended <- err }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	read := &n.server.files.scrubber.bytes
	before := read.Load()
	go func() { _, err := n.server.Scrub(context.Background(), 1); ended <- err }()
	n.await("a scrub that runs", func() bool { return read.Load() > before })
	n.stop()
	if err := <-ended; !errors.Is(err, errEnding) {
		t.Error(err)
	}
}

// What was lost before a scrub may go while it runs, and more may be found: what is found is counted, and never less than nothing.
func TestFoundByScrub(t *testing.T) {
	type ranges = []stream.Range
	for _, c := range []struct {
		before, now ranges
		want        uint64
	}{
		{nil, nil, 0},
		{nil, ranges{{From: 5, To: 6}}, 2},
		{ranges{{From: 1, To: 9}}, nil, 0},
		{ranges{{From: 1, To: 9}}, ranges{{From: 5, To: 9}}, 0},
		{ranges{{From: 1, To: 9}, {From: 20, To: 20}}, ranges{{From: 5, To: 21}, {From: 30, To: 39}}, 21},
	} {
		if got := found(c.before, c.now); got != c.want {
			t.Errorf("before %v, now %v: %d, want %d", c.before, c.now, got, c.want)
		}
	}
}
