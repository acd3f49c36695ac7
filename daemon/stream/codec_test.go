package stream

import (
	"slices"
	"testing"
)

func TestChangeCodec(t *testing.T) {
	for _, c := range []Change{
		{Kind: Purge}, {Kind: Purge, Seq: 1 << 63, Filter: "a.*"}, {Kind: Purge, Keep: 5, Filter: ">"}, {Kind: Delete, Seq: 7}, {Kind: Truncate, Seq: 300},
		{Kind: Remove, Seqs: []uint64{1, 2, 1 << 40}}, {Kind: Skip, Seq: 9, Time: 1 << 60}, {Kind: Skip, Seq: 9, Time: 5, Filter: "a.b", rollup: rollupSubject},
		{Kind: Skip, Seq: 9, Time: 5, Filter: "a.b", rollup: rollupSubject, scheduler: "a.c", next: over}, {Kind: Skip, Seq: 9, scheduler: "a.c", next: 1 << 60},
	} {
		b := AppendChange(nil, c)
		got, err := ParseChange(b)
		if err != nil || got.Kind != c.Kind || got.Seq != c.Seq || got.Keep != c.Keep || got.Filter != c.Filter || got.Time != c.Time ||
			got.rollup != c.rollup || got.scheduler != c.scheduler || got.next != c.next || !slices.Equal(got.Seqs, c.Seqs) {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
	}
	for _, b := range []string{"", "\x02", "\x01\x00\x00", "\x09\x00\x00", "\x02\xff\xff", "\x02\x00\xff", "\x05\x02\x01", "\x05\x01\x00", "\x05\x01\x01\x01",
		"\x05\xff\xff\xff\xff\x7f", "\x05\x02\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x06\x01\x01\x03", "\x06\x01\x01\x04", "\x06\x01\x01\x04\x01\x05a", "\x06\x01\x01\x04\x00\x00", "\x06\x01\x01"} {
		if _, err := ParseChange([]byte(b)); err == nil {
			t.Errorf("%q is taken", b)
		}
	}
}
