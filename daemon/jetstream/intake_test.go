package jetstream

import (
	"strings"
	"testing"
)

// What waits for a stream is bounded: beyond, messages are refused, and what was taken is stored when the stream goes on.
func TestTooMuchWaits(t *testing.T) {
	n := newNode(t)
	o := *n.server.options()
	o.MaxBufferedBy = 10_000
	n.server.opts.Store(&o)
	if _, err := n.nc.Request("$JS.API.STREAM.CREATE.S", []byte(`{"name":"S","storage":"memory"}`), patience); err != nil {
		t.Fatal(err)
	}
	s := n.server.lookup("$G").stream("S")
	s.mu.Lock() // as one who brings it to the disk
	sub, err := n.nc.SubscribeSync("answers")
	if err != nil {
		t.Fatal(err)
	}
	const all = 100
	for range all {
		if err := n.nc.PublishRequest("S", "answers", make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		if err := n.nc.Flush(); err != nil { // a batch of its own
			t.Fatal(err)
		}
	}
	if q := s.queued.Load(); q > 10_000 {
		t.Errorf("%d bytes wait", q)
	}
	s.unlock()
	refused := 0
	for range all {
		m, err := sub.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(m.Data), `"err_code":10167`) && m.Header.Get("Status") == "429" {
			refused++
		}
	}
	if stored := s.log.State().Msgs; stored+uint64(refused) != all || stored == 0 || refused == 0 {
		t.Errorf("%d stored, %d refused", stored, refused)
	}
	if q := s.queued.Load(); q != 0 {
		t.Errorf("%d bytes wait in the end", q)
	}
}
