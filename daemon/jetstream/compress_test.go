package jetstream

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/nats-broker/nats-broker/daemon/store"
)

// A stream that is to be compressed takes less on the disk, shows that it is, counts for as much as before, can be told otherwise, and the
// store says which version it takes to read it; one without such a stream says nothing of that.
func TestCompression(t *testing.T) {
	dir := t.TempDir()
	n := newNodeIn(t, dir)
	cfg := jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, Storage: jetstream.FileStorage}
	s := ok(n.js.CreateStream(n.ctx, cfg))
	if f := n.server.files.dir.Format(); f != store.FormatFirst {
		t.Errorf("format %d before anything is compressed", f)
	}
	written := func() int {
		t.Helper()
		size := 0
		for _, name := range ok(filepath.Glob(filepath.Join(dir, "nats-broker", "streams", "*", "*.seg"))) {
			size += len(ok(os.ReadFile(name)))
		}
		return size
	}
	// round publishes, and says how many bytes came to the disk.
	round := func() int {
		t.Helper()
		before := written()
		for i := range 100 {
			ok(n.js.Publish(n.ctx, fmt.Sprintf("s.%d", i%3), []byte(strings.Repeat("compress me ", 30))))
		}
		n.stop()
		n = newNodeIn(t, dir)
		s = ok(n.js.Stream(n.ctx, "S"))
		return written() - before
	}
	plain := round()
	cfg.Compression = jetstream.S2Compression
	s = ok(n.js.UpdateStream(n.ctx, cfg))
	if c := s.CachedInfo().Config.Compression; c != jetstream.S2Compression {
		t.Errorf("compression is %v", c)
	}
	if f := n.server.files.dir.Format(); f != store.FormatPacked {
		t.Errorf("format %d", f)
	}
	first := ok(s.Info(n.ctx)).State.Bytes
	packed := round()
	if packed > plain/3 {
		t.Errorf("%d bytes compressed, %d plain", packed, plain)
	}
	if i := ok(s.Info(n.ctx)); i.State.Bytes != 2*first || i.Config.Compression != jetstream.S2Compression {
		t.Errorf("%d bytes, they were %d; %v", i.State.Bytes, first, i.Config.Compression)
	}
	cfg.Compression = jetstream.NoCompression
	ok(n.js.UpdateStream(n.ctx, cfg))
	if again := round(); again < plain/2 {
		t.Errorf("%d bytes, though it is not to be compressed any more", again)
	}
	for seq := uint64(1); seq <= 300; seq++ {
		if m := ok(s.GetMsg(n.ctx, seq)); string(m.Data) != strings.Repeat("compress me ", 30) {
			t.Fatalf("message %d is %q", seq, m.Data)
		}
	}
	n.stop()
}
