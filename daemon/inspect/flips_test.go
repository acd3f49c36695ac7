package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
	"github.com/nats-broker/nats-broker/daemon/vfs"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// pageRecords is how many messages of the streams of [everyKind] a page has at most: 64 KiB, and none is smaller than this.
const pageRecords = 64<<10/everyPayload + 1

const everyPayload = 600

// everyKind has a broker write a store with all that there is: streams that are compressed and that are not, deletions, consumers,
// and what only the journal has. The broker was killed, and another one that was killed has vouched for what it left.
func everyKind(t *testing.T) *sim.Disk {
	t.Helper()
	dir := t.TempDir()
	s := brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf("jetstream { store_dir: %q }\n", dir)})
	ctx := t.Context()
	client := func() jetstream.JetStream {
		nc, err := nats.Connect(s.URL(), nats.Timeout(brokertest.Patience))
		ok(t, err)
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(brokertest.Patience))
		ok(t, err)
		return js
	}
	js := client()
	rng := rand.New(rand.NewPCG(1, 2))
	publish := func(name string, n int, together bool) {
		for i := range n {
			text := []byte(strings.Repeat(fmt.Sprintf("%s %d;", name, i), everyPayload))[:everyPayload+rng.IntN(200)]
			for at := range text[:200] { // so that a compressed page holds about what another one holds
				text[at] = byte(rng.Uint32())
			}
			subject := fmt.Sprintf("%s.%d", name, i%7)
			_, err := js.PublishAsync(subject, text)
			ok(t, err)
			if !together || i == n-1 { // each in a frame of the journal of its own
				<-js.PublishAsyncComplete()
			}
		}
	}
	remove := func(name string, first, n uint64) {
		stream, err := js.Stream(ctx, name)
		ok(t, err)
		for seq := first; seq < first+n; seq++ {
			ok(t, stream.DeleteMsg(ctx, seq*3))
		}
	}
	consume := func(n int) {
		c, err := js.Consumer(ctx, "WORK", "w")
		ok(t, err)
		for range n {
			m, err := c.Next(jetstream.FetchMaxWait(brokertest.Patience))
			ok(t, err)
			ok(t, m.DoubleAck(ctx))
		}
	}
	for name, c := range map[string]jetstream.StreamConfig{
		"PLAIN": {}, "PACKED": {Compression: jetstream.S2Compression}, "WORK": {Retention: jetstream.WorkQueuePolicy},
	} {
		c.Name, c.Subjects = name, []string{name + ".>"}
		_, err := js.CreateStream(ctx, c)
		ok(t, err)
		_, err = js.CreateConsumer(ctx, name, jetstream.ConsumerConfig{Durable: "w", AckPolicy: jetstream.AckExplicitPolicy})
		ok(t, err)
		publish(name, 300, true)
	}
	again := func() { // what there is goes into files
		s.Stop()
		s.Restart()
		js = client()
	}
	again()
	remove("PLAIN", 1, 40)
	remove("PACKED", 1, 40)
	consume(20)
	again()
	publish("PLAIN", 80, false)
	publish("PACKED", 80, false)
	remove("PLAIN", 50, 5)
	consume(10)
	s.Kill()
	s.Restart()
	s.Kill()

	disk := sim.New(1, sim.Options{Capacity: 1 << 30})
	ok(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil || len(b) == 0 {
			return err
		}
		to := "/" + strings.TrimPrefix(path, dir+"/")
		if err := vfs.MkdirAll(disk, filepath.Dir(to)); err != nil {
			return err
		}
		return vfs.Replace(disk, to, vfs.Other, b)
	}))
	return disk
}

// messagesOf reads all messages of all streams, as a dump has them: by stream and sequence, and the rest of the lines.
func messagesOf(t *testing.T, v vfs.FS) (messages map[string]map[uint64]string, rest int) {
	t.Helper()
	var b bytes.Buffer
	d := dumping{v: vfs.ReadOnly(v), out: json.NewEncoder(&b), o: DumpOptions{Payload: true}}
	ok(t, d.open("/"))
	messages = map[string]map[uint64]string{}
	for i := range d.list {
		k := &d.list[i]
		d.o.Stream = title(k.Account, k.Name)
		b.Reset()
		if err := d.messages(); err != nil {
			t.Fatalf("%s: %v", d.o.Stream, err)
		}
		all := map[uint64]string{}
		for line := range strings.Lines(b.String()) {
			var seq uint64
			if text, is := strings.CutPrefix(line, `{"type":"message","seq":`); !is {
				rest++
			} else if _, err := fmt.Sscanf(text, "%d", &seq); err != nil {
				t.Fatal(line)
			} else {
				all[seq] = line
			}
		}
		messages[k.Name] = all
	}
	return messages, rest
}

// place is a file of the store, and where in it something is.
type place struct {
	path  string
	kind  string
	spans [][2]int64 // between zeros
}

func placesOf(t *testing.T, disk *sim.Disk) (list []place) {
	t.Helper()
	var walk func(dir string)
	walk = func(dir string) {
		entries, err := disk.ReadDir(dir)
		ok(t, err)
		for _, e := range entries {
			p := place{path: filepath.Join(dir, e.Name)}
			if e.Dir {
				walk(p.path)
				continue
			}
			if p.kind = strings.TrimPrefix(filepath.Ext(e.Name), "."); p.kind == "" {
				p.kind = e.Name
			}
			b, err := vfs.ReadFile(disk, p.path, vfs.Other, 1<<30)
			ok(t, err)
			for at := int64(0); at < int64(len(b)); at += 512 {
				piece := b[at:min(at+512, int64(len(b)))]
				if end := int64(len(bytes.TrimRight(piece, "\x00"))); end > 0 {
					p.spans = append(p.spans, [2]int64{at, at + end})
				}
			}
			list = append(list, p)
		}
	}
	walk("/nats-broker")
	return list
}

// TestFlips turns over a bit at a time in a store of every kind. What is lost is never more than the page or the record under it, and is
// always said; every message that is given is as it was; the store can be used; and a repair of what is said to be in need of one
// loses nothing more. With STORE_FLIPS=NUMBER it does so that often, at other places each time.
func TestFlips(t *testing.T) {
	disk := everyKind(t)
	want, rest := messagesOf(t, disk)
	if r, err := check(disk, "/", nil); err != nil || r.Verdict != Note || len(want["PLAIN"]) != 380-40 || len(want["PACKED"]) != 380-40 || len(want["WORK"]) == 0 {
		t.Fatalf("%+v, %v, %d messages", r, err, len(want["PLAIN"]))
	}
	kinds := map[string][]place{}
	for _, p := range placesOf(t, disk) {
		if len(p.spans) > 0 {
			kinds[p.kind] = append(kinds[p.kind], p)
		}
	}
	flips, seed := 36, uint64(1)
	text := os.Getenv("STORE_FLIPS")
	long := text != ""
	if long {
		var err error
		flips, err = strconv.Atoi(text)
		ok(t, err)
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	names := []string{"seg", "journal", "del", "state", "consumers", "catalogue", "node"}
	hits, costs := map[string]int{}, map[string]int{}
	for i := range flips {
		kind := names[i%2] // most of what is stored is in these
		if i%12 < len(names) {
			kind = names[i%12]
		}
		if len(kinds[kind]) == 0 {
			t.Fatalf("the store has no %s", kind)
		}
		p := kinds[kind][rng.IntN(len(kinds[kind]))]
		span := p.spans[rng.IntN(len(p.spans))]
		at := span[0] + rng.Int64N(span[1]-span[0])
		d := disk.Copy()
		ok(t, d.Flip(p.path, at*8+rng.Int64N(8)))
		name := fmt.Sprintf("seed %d, byte %d of %s", seed, at, p.path)
		lost, found := lostBy(t, name, d, want, rest)
		if found {
			hits[kind]++
		}
		costs[kind] = max(costs[kind], lost)
		most := map[string]int{"seg": pageRecords, "journal": 1}[kind]
		if lost > most {
			t.Errorf("%s: %d messages are lost", name, lost)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("found: %v, most messages lost by a flip: %v", hits, costs)
	for _, kind := range names {
		if hits[kind] == 0 && (long || kind != "journal") { // most of a journal is not needed any more
			t.Errorf("no flip in a file of the kind %s was found", kind)
		}
	}
	if costs["seg"] == 0 || long && costs["journal"] == 0 {
		t.Errorf("no flip has cost anything: %v", costs)
	}
}

// lostBy looks at a store after a flip, and repairs it. It returns how many messages are lost, and whether anything was said.
func lostBy(t *testing.T, name string, d *sim.Disk, want map[string]map[uint64]string, rest int) (lost int, found bool) {
	t.Helper()
	r, err := check(d, "/", nil)
	if err != nil || r.Verdict == Refused {
		t.Fatalf("%s: a broker would not start: %v %+v", name, err, r)
	}
	got, others := messagesOf(t, d)
	var repair []string
	for _, f := range r.Findings {
		if f.Repair != "" && !slices.Contains(repair, f.Repair) {
			repair = append(repair, f.Repair)
		}
	}
	for i := range r.Streams {
		s := &r.Streams[i]
		for seq, line := range want[s.Name] {
			switch text, there := got[s.Name][seq]; {
			case there && text != line:
				t.Errorf("%s: message %d of %s is %s, and was %s", name, seq, s.Name, text, line)
			case !there:
				lost++
				if !slices.ContainsFunc(s.Lost, func(g Range) bool { return g.From <= seq && seq <= g.To }) {
					t.Errorf("%s: message %d of %s is lost, and that is not said: %v %+v", name, seq, s.Name, s.Lost, r.Findings)
				}
			}
		}
		for seq := range got[s.Name] {
			if _, was := want[s.Name][seq]; !was {
				t.Errorf("%s: message %d of %s is back", name, seq, s.Name)
			}
		}
	}
	if len(r.Streams) != len(want) {
		t.Errorf("%s: %d streams", name, len(r.Streams))
	}
	switch {
	case lost > 0 && r.Verdict != Lost, others != rest && r.Verdict == Note:
		t.Errorf("%s: %d messages are lost, and the verdict is %s", name, lost, r.Verdict)
	case len(repair) > 0:
		repaired(t, name, d, repair, got)
	}
	return lost, r.Verdict != Note
}

// repaired repairs what was said to be in need of it: nothing more is lost then, and nothing more is in need.
func repaired(t *testing.T, name string, d *sim.Disk, what []string, before map[string]map[uint64]string) {
	t.Helper()
	if _, err := repair(d, "/", what, time.Unix(1, 0), nil); err != nil {
		t.Fatalf("%s: repair of %q: %v", name, what, err)
	}
	after, _ := messagesOf(t, d)
	for stream, messages := range before {
		for seq, line := range messages {
			if after[stream][seq] != line {
				t.Errorf("%s: the repair of %q has changed message %d of %s to %q", name, what, seq, stream, after[stream][seq])
			}
		}
	}
	r, err := check(d, "/", nil)
	ok(t, err)
	for _, f := range r.Findings {
		if f.Repair != "" {
			t.Errorf("%s: repaired, and %+v", name, f)
		}
	}
}
