package stream

import (
	"bytes"
	"testing"
)

// FuzzHeaders reads conditions in any bytes: values are parts of the header, and a header that has no name of ours has none.
func FuzzHeaders(f *testing.F) {
	for _, s := range []string{
		"NATS/1.0\r\nNats-Msg-Id: a\r\n\r\n", "NATS/1.0\r\nA: b\r\nNats-Rollup:sub\r\nNats-Rollup: all\r\n\r\n", "Nats-Msg-Id: a\r\n", "\r\nNats-TTL", "\r\nNats-TTL:\r\n",
		"NATS/1.0\r\nX-Nats-Msg-Id: a\r\nNats-Expected-Last-Subject-Sequence-Subject: >\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, h []byte) {
		var c conditions
		found := c.read(h)
		if !bytes.Contains(h, []byte("\r\nNats-")) && found {
			t.Fatal("conditions out of nothing")
		}
		for _, v := range [][]byte{c.id, c.lastID, c.stream, c.last, c.lastSubject, c.lastSubjectOf, c.rollup, c.ttl, c.incr, c.source, c.schedule, c.scheduler, c.scheduleNext} {
			if len(v) > 0 && !bytes.Contains(h, v) || bytes.Contains(v, crlf) {
				t.Fatalf("%q of %q", v, h)
			}
		}
		_ = validTTL(c.ttl)
		_ = parseRollup(c.rollup)
	})
}

// FuzzChange reads any bytes as a change.
func FuzzChange(f *testing.F) {
	f.Add(AppendChange(nil, Change{Kind: Purge, Seq: 300, Keep: 2, Filter: "a.*"}))
	f.Add(AppendChange(nil, Change{Kind: Skip, Seq: 3, Time: 4, Filter: "a", scheduler: "b", next: 5}))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseChange(b)
		if err != nil {
			return
		}
		again, err := ParseChange(AppendChange(nil, c))
		if err != nil || again.Kind != c.Kind || again.Seq != c.Seq || again.Keep != c.Keep || again.Filter != c.Filter ||
			again.scheduler != c.scheduler || again.next != c.next {
			t.Fatalf("%+v: %+v, %v", c, again, err)
		}
	})
}
