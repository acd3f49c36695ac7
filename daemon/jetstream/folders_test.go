package jetstream

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/logging"
	"github.com/nats-broker/nats-broker/daemon/vfs"
)

// A stream whose folder was taken away, and a folder with messages that no stream has, are told of at the start, as what they are.
// The stream goes on, and the next start has nothing to say.
func TestFoldersThatAreGoneAndOrphans(t *testing.T) {
	dir := t.TempDir()
	n := newNodeIn(t, dir)
	n.stream(jetstream.FileStorage, 30)
	streams := n.server.files.dir.Path("streams")
	folder := n.server.files.folder(n.server.lookup("$G").stream("S").kept.id)
	n.stop()
	if err := os.CopyFS(filepath.Join(streams, "77"), os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	lines := func() (text string, n *node) {
		log := newSaid(t)
		n = newNodeWith(t, vfs.OS, dir, log.logger(), func(*Server) {})
		for _, l := range log.logs.Tail(1000) {
			if l.Level == logging.Error {
				text += l.Message + "\n"
			}
		}
		return text, n
	}
	text, n := lines()
	for _, want := range []string{"lost: stream $G > S: its folder " + folder + " is gone", "orphan: no stream has the folder " + filepath.Join(streams, "77") + ", with 1 segments"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said:\n%s", want, text)
		}
	}
	s := ok(n.js.Stream(n.ctx, "S"))
	before := s.CachedInfo().State
	if a := ok(n.js.Publish(n.ctx, "s.1", nil)); a.Sequence != before.LastSeq+1 {
		t.Errorf("%+v behind %+v", a, before)
	}
	n.stop()
	if text, n = lines(); text != "" {
		t.Errorf("said again:\n%s", text)
	}
	if after := ok(n.js.Stream(n.ctx, "S")).CachedInfo().State; after.Msgs != before.Msgs+1 {
		t.Errorf("%+v, and then %+v", before, after)
	}
}
