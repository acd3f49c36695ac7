package config

import "strings"

// Closest returns the candidate that word most probably was meant to be, or "" if none is near. Candidates are in lower case.
func Closest(word string, candidates []string) string { return closest(word, candidates) }

// closest returns the candidate that key most probably was meant to be, or "" if none is near: at most two edits (one
// for short words), where swapping neighbours is one edit.
func closest(key string, candidates []string) string {
	key = strings.ToLower(key)
	limit := 2
	if len(key) <= 4 {
		limit = 1
	}
	best, at := "", limit+1
	for _, c := range candidates {
		if n := edits(key, c, limit); n < at {
			best, at = c, n
		}
	}
	if best == "" {
		// Words in another order or with another separator: max-payload, payload_max, maxPayload.
		for _, c := range candidates {
			if bare(key) == bare(c) {
				return c
			}
		}
	}
	return best
}

func bare(s string) string { return strings.NewReplacer("_", "", "-", "", ".", "").Replace(s) }

// edits counts insertions, deletions, replacements and swaps of neighbours between a and b, up to limit+1.
func edits(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	older, old, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range old {
		old[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(old[j]+1, row[j-1]+1, old[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, old, row = old, row, older
	}
	return old[len(b)]
}
