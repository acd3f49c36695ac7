package confparse

import (
	"reflect"
	"testing"
)

func TestMerge(t *testing.T) {
	weak := mustParse(t, "port: 1\nlimits { a: 1, b: 2 }\nroutes: [x, y]\ndefs { p: 1 }\nuse: $defs\nm { x: 1 }").Root
	before := weak.Interface()
	strong := mustParse(t, "limits { b: 3, c: 4 }\nroutes: [z]\nhost: h\ndefs { q: 2 }\nm: 5").Root
	got := Merge(weak, strong)
	want := mustParse(t, "port: 1\nlimits { a: 1, b: 3, c: 4 }\nroutes: [z]\ndefs { p: 1, q: 2 }\nuse {p: 1}\nm: 5\nhost: h").Root
	if !reflect.DeepEqual(got.Interface(), want.Interface()) {
		t.Errorf("got  %v\nwant %v", got.Interface(), want.Interface())
	}
	if !reflect.DeepEqual(weak.Interface(), before) {
		t.Error("merging changed the weaker tree")
	}
	f := got.Fields()
	if !f.Get("defs").Value.UsedAsVariable() {
		t.Error("a merged definition is no longer known as one")
	}
	if e := f.Get("limits").Value.Fields().Get("b"); e.KeySpan.Source() != strong.Span().Source() || len(e.Shadows) != 1 {
		t.Errorf("limits.b is from %s, shadows %v", e.KeySpan, e.Shadows)
	}
	if e := f.Get("limits").Value.Fields().Get("a"); e.KeySpan.Source() != weak.Span().Source() {
		t.Errorf("limits.a is from %s", e.KeySpan)
	}
	if Merge(nil, strong) != strong || Merge(weak, nil) != weak {
		t.Error("a missing tree is not neutral")
	}
}
