package streams

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// oldBackup is what nats-server 2.11.9 has sent of a stream with messages that were purged, erased and deleted, and two consumers.
func oldBackup(t *testing.T) *backup {
	t.Helper()
	b := new(backup)
	text, err := os.ReadFile("testdata/old/backup.json")
	if err == nil {
		err = json.Unmarshal(text, b)
	}
	if err == nil {
		b.bytes, err = os.ReadFile("testdata/old/stream.tar.s2")
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestOldArchive restores an archive of an older version in both, and compares.
func TestOldArchive(t *testing.T) {
	theirs, ours := pair(t, "")
	b := oldBackup(t)
	held := map[*peer]string{}
	for _, p := range []*peer{theirs, ours} {
		p.t = t
		if said := p.bring("OLD", b.Config, b, 700); strings.Contains(said, "error") {
			t.Fatal(said)
		}
		held[p] = p.held()
	}
	if held[theirs] != held[ours] || !strings.Contains(held[ours], `"messages":29`) {
		t.Error(diff(held[theirs], held[ours]))
	}
	// What is delivered next is the same.
	for _, p := range []*peer{theirs, ours} {
		p.play(talk{steps: []string{`get $JS.API.CONSUMER.MSG.NEXT.OLD.c {"batch":3,"expires":20000000000,"max_bytes":100000}`}}, "file", 1)
		held[p] = p.out.String()
	}
	if held[theirs] != held[ours] {
		t.Error(diff(held[theirs], held[ours]))
	}
	ours.tidy()
	inMemory := bytes.Replace(b.Config, []byte(`"storage": "file"`), []byte(`"storage": "memory"`), 1)
	if said := ours.bring("OLD", inMemory, b, 5000); !strings.Contains(said, `"messages":29`) {
		t.Error(said)
	}
}

// TestDamagedOldArchive cuts such an archive off, turns its bytes, and tells of another state.
func TestDamagedOldArchive(t *testing.T) {
	_, ours := pair(t, "")
	ours.t = t
	b := oldBackup(t)
	try := func(what string, x *backup) {
		if said := ours.bring("OLD", b.Config, x, 1000); !strings.Contains(said, `"err_code":10062`) || len(ours.streams()) > 0 {
			t.Errorf("%s: %s, %v", what, said, ours.streams())
			ours.tidy()
		}
	}
	for _, n := range []int{10, 500, 2000} {
		try("cut off", &backup{State: b.State, bytes: b.bytes[:n]})
	}
	try("turned", &backup{State: b.State, bytes: turned(b.bytes)})
	try("another number of messages", &backup{State: bytes.Replace(b.State, []byte("29"), []byte("28"), 1), bytes: b.bytes})
	try("no state", &backup{State: json.RawMessage("{}"), bytes: b.bytes})
	if _, err := ours.nc.Request("OLD", nil, patience); err != nats.ErrNoResponders {
		t.Error(err)
	}
}
