package monitor

import (
	"fmt"
	"net/http"
	"slices"
)

// examineRemotes looks whether each remote of a leaf node that is not disabled is connected. It reports whether to go on.
func (r *Reporter) examineRemotes(f *findings) bool {
	if r.src.Leafs == nil {
		return true
	}
	var away []string
	for _, l := range r.src.Leafs.LeafRemotes() {
		if !l.Connected && !l.Disabled {
			away = append(away, fmt.Sprintf("leafnode remote for account %q (urls=%q) is not connected", l.Account, l.Addresses))
		}
	}
	slices.Sort(away)
	for _, text := range away {
		f.add(http.StatusServiceUnavailable, unavailable, HealthzError{Type: aboutConnection, Error: text})
	}
	return len(away) == 0
}
