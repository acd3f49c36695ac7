package streams

import (
	"os"
	"testing"

	"github.com/nats-broker/nats-broker/daemon/internal/brokertest"
)

// TestRetentionOutlives plays the talks of work queues and interest, and looks whether streams and consumers are as they were after
// the process was killed, and after it has ended by itself.
func TestRetentionOutlives(t *testing.T) {
	s := brokertest.Start(t, brokertest.Options{Config: config(t, "")})
	for _, file := range []string{"workqueue", "interest"} {
		text, err := os.ReadFile("testdata/" + file + ".talk")
		if err != nil {
			t.Fatal(err)
		}
		for _, tk := range parseTalks(string(text)) {
			p := newPeer(t, s)
			n := int(talks.Add(1))
			p.play(tk, "file", n)
			// Deliveries leave before they are written: an answer that waits for the disk comes after them.
			_, err := p.nc.Request("$JS.API.STREAM.CREATE.Z", []byte(`{"name":"Z"}`), patience)
			p.must(err)
			want := p.held()
			for how, end := range map[string]func(){"killed": s.Kill, "stopped": func() { s.Stop() }} {
				end()
				s.Restart()
				p = newPeer(t, s)
				if got := p.held(); got != want {
					t.Errorf("%s: %s, %s:\n%s", file, tk.name, how, diff(want, got))
				}
			}
			p.tidy()
			p.nc.Close()
		}
	}
}
