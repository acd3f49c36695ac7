package stream

import "testing"

func TestChangeCodec(t *testing.T) {
	for _, c := range []Change{
		{Kind: Purge}, {Kind: Purge, Seq: 1 << 63, Filter: "a.*"}, {Kind: Purge, Keep: 5, Filter: ">"}, {Kind: Delete, Seq: 7}, {Kind: Truncate, Seq: 300},
	} {
		b := AppendChange(nil, c)
		got, err := ParseChange(b)
		if err != nil || got.Kind != c.Kind || got.Seq != c.Seq || got.Keep != c.Keep || got.Filter != c.Filter {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
	}
	for _, b := range []string{"", "\x02", "\x01\x00\x00", "\x09\x00\x00", "\x02\xff\xff", "\x02\x00\xff"} {
		if _, err := ParseChange([]byte(b)); err == nil {
			t.Errorf("%q is taken", b)
		}
	}
}
