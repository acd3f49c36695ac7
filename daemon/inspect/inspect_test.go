package inspect

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-broker/nats-broker/daemon/store"
	"github.com/nats-broker/nats-broker/daemon/vfs"
	"github.com/nats-broker/nats-broker/daemon/vfs/sim"
)

// Stores in testdata were written by brokers of their format and killed: the streams ORDERS (messages 1 to 230, of which 3, 50, 51, 120
// and 210 were deleted; those from 201 on are in the journal alone), WORK (5 of 20 taken), KV_prices, and LATE, of which there
// is no file.
const golden = "testdata/format1.tar.gz"

// eachFile calls fn with the files of a store in testdata.
func eachFile(t testing.TB, name string, fn func(path string, content []byte)) {
	t.Helper()
	f, err := os.Open(name)
	ok(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	ok(t, err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		ok(t, err)
		if h.Typeflag == tar.TypeReg {
			b, err := io.ReadAll(r)
			ok(t, err)
			fn(h.Name, b)
		}
	}
}

// unpack puts a store of testdata into a folder of its own.
func unpack(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	eachFile(t, golden, func(path string, b []byte) {
		path = filepath.Join(dir, path)
		ok(t, os.MkdirAll(filepath.Dir(path), 0o750))
		ok(t, os.WriteFile(path, b, 0o640))
	})
	return dir
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// flip turns a byte of a file over.
func flip(t testing.TB, at int64, path ...string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(path...), os.O_RDWR, 0)
	ok(t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, at)
	ok(t, err)
	b[0] ^= 0xff
	_, err = f.WriteAt(b, at)
	ok(t, err)
}

// contents is all that is in a folder.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	ok(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			all[path] = "folder"
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	}))
	return all
}

func same(t testing.TB, dir string, before map[string]string) {
	t.Helper()
	after := contents(t, dir)
	for path, b := range after {
		if old, there := before[path]; !there || old != b {
			t.Errorf("%s has changed, or is new", path)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d names, there were %d", len(after), len(before))
	}
}

func streamOf(t testing.TB, r *Report, name string) Stream {
	t.Helper()
	for _, s := range r.Streams {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no stream %s in %+v", name, r.Streams)
	return Stream{}
}

func checked(t testing.TB, dir string) *Report {
	t.Helper()
	r, err := Check(dir, nil)
	ok(t, err)
	return r
}

// TestCheckSound looks at a store in which nothing is wrong, written by a broker of an earlier version: all is found, nothing changes.
func TestCheckSound(t *testing.T) {
	dir := unpack(t)
	before := contents(t, dir)
	var done, total int64
	r, err := Check(dir, func(d, of int64) { done, total = d, of })
	ok(t, err)
	if r.Verdict != Note || len(r.Findings) != 0 || r.Format != 1 || len(r.Node) != 32 || len(r.Streams) != 4 {
		t.Fatalf("%+v", r)
	}
	if s := streamOf(t, r, "ORDERS"); s.Messages != 196 || s.First != 1 || s.Last != 200 || s.InJournal != 30 || s.Consumers != 1 || s.LostCount != 0 {
		t.Errorf("%+v", s)
	}
	if s := streamOf(t, r, "LATE"); s.Messages != 0 || s.InJournal != 1 {
		t.Errorf("%+v", s)
	}
	if done == 0 || done < total/2 {
		t.Errorf("read %d of %d", done, total)
	}
	if again := checked(t, filepath.Join(dir, store.Folder)); again.Verdict != Note { // the folder itself is as good
		t.Errorf("%+v", again)
	}
	same(t, dir, before)
}

// TestCheckDamaged damages one thing after the other: how bad it is, where it is, and what repair is told.
func TestCheckDamaged(t *testing.T) {
	for _, c := range []struct {
		name     string
		harm     func(dir string)
		verdict  Severity
		where    string
		text     string
		repair   string
		lost     uint64 // of ORDERS
		repaired Severity
	}{
		{"node, one copy", func(d string) { flip(t, 40, d, "node") }, Damaged, "node", "one of two copies", "node", 0, Note},
		{"node, both", func(d string) { flip(t, 40, d, "node"); flip(t, 4096+40, d, "node") }, Refused, "node", "in both of its copies", "", 0, ""},
		{"node, gone", func(d string) { ok(t, os.Remove(filepath.Join(d, "node"))) }, Refused, "node", "it is missing", "", 0, ""},
		{"catalogue, one copy", func(d string) { flip(t, 4096+300, d, "catalogue") }, Damaged, "catalogue", "one of two copies", "catalogue", 0, Note},
		{"catalogue, cut off", func(d string) { ok(t, os.Truncate(filepath.Join(d, "catalogue"), 4096)) }, Damaged, "catalogue", "one of two copies", "catalogue", 0, Note},
		{"catalogue, an entry in both", func(d string) { flip(t, 100, d, "catalogue"); flip(t, 4096+100, d, "catalogue") }, Lost, "catalogue", "an entry is damaged", "catalogue", 0, ""},
		{"a message", func(d string) { flip(t, 10000, d, "streams/1/0000000000000001.seg") }, Lost, "stream $G > ORDERS", "messages cannot be read: record damaged", "", 1, Lost},
		{"a segment", func(d string) { ok(t, os.Remove(filepath.Join(d, "streams/1/0000000000000001.seg"))) }, Lost, "stream $G > ORDERS", "file does not exist", "", 200, Lost},
		{"a state, one copy", func(d string) { flip(t, 20, d, "streams/1/state") }, Damaged, "stream $G > ORDERS", "one of two copies of the state", "$G > ORDERS", 0, Note},
		{"a state, both", func(d string) { flip(t, 20, d, "streams/1/state"); flip(t, 4096+20, d, "streams/1/state") }, Damaged, "stream $G > ORDERS", "state cannot be read, in both its copies", "$G > ORDERS", 0, Note},
		{"states of consumers, one copy", func(d string) { flip(t, 20, d, "streams/1/consumers") }, Damaged, "stream $G > ORDERS", "states of consumers: one of two", "$G > ORDERS", 0, Note},
		{"states of consumers, both", func(d string) { flip(t, 20, d, "streams/1/consumers"); flip(t, 54+20, d, "streams/1/consumers") }, Lost, "stream $G > ORDERS", "states of consumers: damaged", "", 0, ""},
		{"the journal's files are another's", func(d string) {
			for _, n := range []string{"000001", "000002", "000003"} {
				ok(t, os.WriteFile(filepath.Join(d, "journal", n+".journal"), make([]byte, 1<<20), 0o640))
			}
		}, Refused, "journal", "none of 3 files has a header", "journal", 0, ""},
		{"a folder that nobody knows", func(d string) { ok(t, os.Mkdir(filepath.Join(d, "streams/77"), 0o750)) }, Note, "streams", "no stream has this folder, in which there are no messages", "", 0, ""},
		{"a folder with messages that nobody knows", func(d string) {
			ok(t, os.CopyFS(filepath.Join(d, "streams/77"), os.DirFS(filepath.Join(d, "streams/1"))))
		},
			Damaged, "streams", "orphan: no stream has this folder, with 196 messages in 1 segments", "", 0, ""},
		{"a folder of a stream that is being removed", func(d string) {
			ok(t, os.CopyFS(filepath.Join(d, "streams/77.deleted"), os.DirFS(filepath.Join(d, "streams/1"))))
		},
			Note, "streams", "of a stream that was deleted", "", 0, ""},
		{"the folder of a stream, gone", func(d string) { ok(t, os.RemoveAll(filepath.Join(d, "streams/1"))) }, Lost, "stream $G > ORDERS", "its folder is gone", "", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := unpack(t)
			c.harm(filepath.Join(dir, store.Folder))
			before := contents(t, dir)
			r := checked(t, dir)
			if r.Verdict != c.verdict {
				t.Fatalf("%+v", r)
			}
			found := false
			for _, f := range r.Findings {
				found = found || f.Where == c.where && strings.Contains(f.Text, c.text) && f.Repair == c.repair
			}
			if !found {
				t.Errorf("%+v", r.Findings)
			}
			if c.lost > 0 {
				if s := streamOf(t, r, "ORDERS"); s.LostCount != c.lost {
					t.Errorf("lost %d of %+v", s.LostCount, s)
				}
			}
			same(t, dir, before)
			if c.repaired == "" {
				return
			}
			what := c.repair
			if what == "" {
				what = "ORDERS"
			}
			done, err := Repair(dir, []string{what}, time.Unix(1, 0), nil)
			ok(t, err)
			if r := checked(t, dir); r.Verdict != c.repaired {
				t.Errorf("repaired: %+v", r)
			}
			for path, b := range contents(t, done.Saved) { // the original, as it was
				rel, err := filepath.Rel(done.Saved, path)
				ok(t, err)
				if old := before[filepath.Join(dir, store.Folder, rel)]; old != b && b != "folder" {
					t.Errorf("%s was not saved as it was", rel)
				}
			}
		})
	}
}

// TestRepairOnlyWhatItIsTold names something that is not there: nothing is done, not even what else is named.
func TestRepairOnlyWhatItIsTold(t *testing.T) {
	dir := unpack(t)
	flip(t, 20, dir, store.Folder, "streams/1/state")
	flip(t, 4096+300, dir, store.Folder, "catalogue")
	before := contents(t, dir)
	if _, err := Repair(dir, []string{"catalogue", "NOBODY"}, time.Unix(1, 0), nil); err == nil || !strings.Contains(err.Error(), `no stream "NOBODY"`) {
		t.Fatal(err)
	}
	same(t, dir, before)
	_, err := Repair(dir, []string{"ORDERS"}, time.Unix(1, 0), nil)
	ok(t, err)
	after := contents(t, dir)
	for path, b := range before {
		if changed := after[path] != b; changed && !strings.Contains(path, "streams/1") {
			t.Errorf("%s has changed", path)
		}
	}
	if r := checked(t, dir); r.Verdict != Damaged || len(r.Findings) != 1 || r.Findings[0].Where != "catalogue" {
		t.Errorf("%+v", r)
	}
}

// TestInUse: nothing looks at a store on which a broker runs, and no broker starts while somebody looks.
func TestInUse(t *testing.T) {
	dir := unpack(t)
	d, err := store.Open(vfs.OS, dir, store.Options{})
	ok(t, err)
	_, check := Check(dir, nil)
	_, repair := Repair(dir, []string{"node"}, time.Now(), nil)
	_, dump := Dump(dir, DumpOptions{}, io.Discard)
	_, upgrade := Upgrade(dir)
	for what, err := range map[string]error{"check": check, "repair": repair, "dump": dump, "upgrade": upgrade} {
		if !errors.Is(err, ErrInUse) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ok(t, d.Close())
	if _, err := Check(dir, func(int64, int64) {
		if _, err := store.Open(vfs.OS, dir, store.Options{}); !errors.Is(err, vfs.ErrLocked) {
			t.Errorf("a broker starts: %v", err)
		}
	}); err != nil {
		t.Error(err)
	}
	if _, err := Check(t.TempDir(), nil); !errors.Is(err, store.ErrNoStore) {
		t.Error(err)
	}
}

// TestDump: the outline has all streams and the journal's frames; a stream's messages are those that a broker would serve, and
// what the journal takes out of them.
func TestDump(t *testing.T) {
	dir := unpack(t)
	before := contents(t, dir)
	lines := func(o DumpOptions) map[string][]map[string]any {
		t.Helper()
		var b bytes.Buffer
		damaged, err := Dump(dir, o, &b)
		if err != nil || damaged {
			t.Fatal(damaged, err)
		}
		all := map[string][]map[string]any{}
		for line := range strings.Lines(b.String()) {
			var l map[string]any
			ok(t, json.Unmarshal([]byte(line), &l))
			all[l["type"].(string)] = append(all[l["type"].(string)], l)
		}
		return all
	}
	if all := lines(DumpOptions{}); len(all["stream"]) != 4 || len(all["frame"]) != 290 {
		t.Errorf("%d streams, %d frames", len(all["stream"]), len(all["frame"]))
	}
	all := lines(DumpOptions{Stream: "$G > ORDERS", Payload: true})
	if len(all["message"]) != 226 || len(all["removal"]) != 1 || all["removal"][0]["what"] != "delete 210" {
		t.Fatalf("%d messages, %v", len(all["message"]), all["removal"])
	}
	if m := all["message"][195]; m["seq"] != 200.0 || m["journal"] != nil || m["subject"] != "orders.3" || !strings.HasPrefix(m["payload"].(string), "eyJvcmRlciI6MjAwL") {
		t.Errorf("%v", m)
	}
	if all := lines(DumpOptions{Stream: "ORDERS", From: 225}); len(all["message"]) != 6 || all["message"][0]["payload"] != nil || all["message"][0]["journal"] != true {
		t.Errorf("%v", all["message"])
	}
	same(t, dir, before)

	flip(t, 10000, dir, store.Folder, "streams/1/0000000000000001.seg")
	var b bytes.Buffer
	damaged, err := Dump(dir, DumpOptions{Stream: "ORDERS"}, &b)
	if err != nil || !damaged || !strings.Contains(b.String(), `"type":"damage"`) || strings.Count(b.String(), "\n") != 227 {
		t.Errorf("%v, %v, %s", damaged, err, b.String())
	}
	if _, err := Dump(dir, DumpOptions{Stream: "NOBODY"}, &b); err == nil {
		t.Error("a stream that is not there was dumped")
	}
}

// FuzzCheck changes a store at some places and looks at it: it says that something is wrong, or nothing is, and never more than that.
func FuzzCheck(f *testing.F) {
	var files []string
	var sizes []int64
	disk := simulated(f, func(path string, b []byte) {
		files, sizes = append(files, path), append(sizes, int64(len(b)))
	})
	f.Add([]byte{})
	f.Add([]byte{0, 100, 0, 0, 1, 3, 16, 39, 0, 2})
	f.Fuzz(func(t *testing.T, edits []byte) {
		d := disk.Copy()
		for n := 0; len(edits) >= 5 && n < 32; n, edits = n+1, edits[5:] {
			i := int(edits[0]) % len(files)
			at := int64(edits[1]) | int64(edits[2])<<8 | int64(edits[3])<<16
			ok(t, d.Flip(files[i], at%sizes[i]*8+int64(edits[4]%8)))
		}
		r, err := check(d, "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Findings) == 0 && r.Verdict != Note {
			t.Fatalf("%+v", r)
		}
	})
}

// simulated puts the store of testdata on a simulated disk.
func simulated(t testing.TB, fn func(path string, content []byte)) *sim.Disk {
	t.Helper()
	disk := sim.New(1, sim.Options{Capacity: 64 << 20})
	eachFile(t, golden, func(path string, b []byte) {
		if path = "/" + path; len(b) == 0 {
			return
		}
		fn(path, b)
		ok(t, vfs.MkdirAll(disk, filepath.Dir(path)))
		ok(t, vfs.Replace(disk, path, vfs.Other, b))
	})
	return disk
}

// TestRepairOnAFailingDisk: what the disk does not give of the original is zeros in the copy, and is said; nothing is lost by the repair
// that comes back when the disk gives it again.
func TestRepairOnAFailingDisk(t *testing.T) {
	disk := simulated(t, func(string, []byte) {})
	segment := "/nats-broker/streams/1/0000000000000001.seg"
	whole, err := vfs.ReadFile(disk, segment, vfs.Other, 1<<20)
	ok(t, err)
	disk.Hook(func(o sim.Op) sim.Fault {
		if o.Call == sim.Read && o.Name == segment && o.Off < 12288 && o.Off+o.Len > 8192 {
			return sim.Fault{Err: syscall.EIO}
		}
		return sim.Fault{}
	})
	done, err := repair(disk, "/", []string{"ORDERS", "ORDERS"}, time.Unix(1, 0), nil)
	ok(t, err)
	if done.Unread != 4096 || len(done.Done) != 1 || strings.Contains(done.Done[0], "messages lost: 0") {
		t.Errorf("%+v", done)
	}
	disk.Hook(nil)
	saved, err := vfs.ReadFile(disk, filepath.Join(done.Saved, "streams/1/0000000000000001.seg"), vfs.Other, 1<<20)
	ok(t, err)
	clear(whole[8192:12288])
	if !bytes.Equal(saved, whole) {
		t.Error("the copy is not what the disk gave")
	}
	if r, err := check(disk, "/", nil); err != nil || r.Verdict != Note {
		t.Errorf("%+v, %v", r, err)
	}
}
