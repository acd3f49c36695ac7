package confparse

import (
	"reflect"
	"testing"
)

func TestEntriesEndInManyWays(t *testing.T) {
	tree, err := Parse("test.conf", []byte("{a: 1, b = yes; c d\n e {f: [1k, '2' ]}}"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"a": int64(1), "b": true, "c": "d", "e": map[string]any{"f": []any{int64(1000), "2"}}}
	if got := tree.Root.Interface(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}
