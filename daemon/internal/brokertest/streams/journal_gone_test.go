package streams

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestJournalIsGone takes the files of the journal away from a store at rest, as somebody may who takes them for leavings: the
// next start says so, and what is acknowledged from then on outlives a kill.
func TestJournalIsGone(t *testing.T) {
	dir := t.TempDir()
	s := brokertest.Start(t, brokertest.Options{Config: fmt.Sprintf("jetstream { store_dir: %q }\n", dir)})
	create(t, s, `{"name":"S","subjects":["S"]}`)
	publish := func(from, to int) {
		p := newPeer(t, s)
		for i := from; i <= to; i++ {
			if r, err := p.nc.Request("S", fmt.Appendf(nil, "%d", i), patience); err != nil || !strings.Contains(string(r.Data), fmt.Sprintf(`"seq":%d`, i)) {
				t.Fatal(i, err)
			}
		}
	}
	publish(1, 50)
	s.Stop()
	s.Restart() // by now what the files of the stream are true up to is far
	publish(51, 60)
	s.Stop()
	removed := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".journal") {
			removed++
			err = os.Remove(path)
		}
		return err
	})
	if err != nil || removed == 0 {
		t.Fatal(removed, err)
	}
	if out, err := exec.Command(brokertest.Ours(t), "store", "check", dir).CombinedOutput(); err == nil || !strings.Contains(string(out), "no file of the journal is there") {
		t.Errorf("check: %v: %s", err, out)
	}
	s.Restart()
	if !strings.Contains(s.Logs(), "the files of the journal are gone") {
		t.Error("nothing is said")
	}
	publish(61, 90)
	s.Kill()
	s.Restart()
	publish(91, 91)
	r, err := newPeer(t, s).nc.Request("$JS.API.STREAM.INFO.S", nil, patience)
	if err != nil || !strings.Contains(string(r.Data), `"messages":91,`) {
		t.Errorf("%v: %s", err, r.Data)
	}
}
