package streams

import "regexp"

// What is said of consumers, and differs between two runs.
func init() {
	for re, to := range map[string]string{`"last_active":"2[^"]*"`: `"last_active":"<time>"`, `,"idle":"[^"]*"`: ``} {
		masks = append(masks, struct {
			re *regexp.Regexp
			to string
		}{regexp.MustCompile(re), to})
	}
}
