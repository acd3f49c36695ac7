package daemon_test

import (
	"fmt"
	"strings"
	"testing"
)

// How much may be stored grows with a reload, and does not shrink: that is refused, as nats-server refuses it.
func TestReloadRaisesStorage(t *testing.T) {
	dir := t.TempDir()
	block := func(limits string) string { return fmt.Sprintf("jetstream { store_dir: %q, %s }\n", dir, limits) }
	s, socket := controlled(t, block("max_file_store: 10MB, max_memory_store: 10MB"))
	r := rewriting(t, s, socket)
	nc := connect(t, s.URL())
	for _, tt := range []struct{ limits, refused string }{
		{"max_file_store: 5MB, max_memory_store: 10MB", "decreasing jetstream max memory and store: max_file_store from 10485760 to 5242880 bytes"},
		{"max_file_store: 10MB, max_memory_store: 5MB", "decreasing jetstream max memory and store: max_memory_store"},
		{"max_memory_store: 10MB", "jetstream max memory and max store: max_file_store"},
		{"max_file_store: 20MB, max_memory_store: 10MB", ""},
	} {
		r.set(block(tt.limits))
		code, out := verb(t, socket, "reload")
		if tt.refused == "" && code != 0 || tt.refused != "" && (code == 0 || !strings.Contains(out, tt.refused)) {
			t.Errorf("%s: %d, %s", tt.limits, code, out)
		}
	}
	request(t, nc, "$JS.API.STREAM.CREATE.S", `{"name":"S","max_bytes":15728640}`)
}
