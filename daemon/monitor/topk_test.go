package monitor

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A heap of k must give the page that sorting everything would give.
func TestTopKIsAPageOfTheSortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type row struct{ key, id int }
		keys := rapid.SliceOfN(rapid.IntRange(0, 5), 0, 60).Draw(t, "keys")
		offset := rapid.IntRange(0, 70).Draw(t, "offset")
		limit := rapid.IntRange(0, 70).Draw(t, "limit")
		top := topK[row]{k: offset + limit, less: func(a, b *row) bool {
			return cmp.Or(cmp.Compare(b.key, a.key), cmp.Compare(a.id, b.id)) < 0
		}}
		var all []row
		for id, key := range keys {
			r := row{key, id}
			top.offer(&r)
			all = append(all, r)
		}
		slices.SortFunc(all, func(a, b row) int { return cmp.Or(cmp.Compare(b.key, a.key), cmp.Compare(a.id, b.id)) })
		want := all[min(offset, len(all)):min(offset+limit, len(all))]
		var got []row
		for _, r := range top.page(offset) {
			got = append(got, *r)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("page %d+%d of %v: got %v, want %v", offset, limit, keys, got, want)
		}
	})
}
