package resolver

import (
	"errors"
	"fmt"
	"strings"
)

// Servers send each other JWTs as lines "<account>|<JWT>".

// packed is one account in that form; empty if it is gone meanwhile.
func (d *Directory) packed(id string) string {
	text, err := d.Load(id)
	if err != nil {
		return ""
	}
	return id + "|" + text
}

// Merge stores what another server sent, where it is newer, and returns the accounts that changed. It ends at the first
// line that cannot be stored.
func (d *Directory) Merge(pack string) (changed []string, err error) {
	for line := range strings.SplitSeq(pack, "\n") {
		if line == "" {
			continue
		}
		id, text, ok := strings.Cut(line, "|")
		if !ok || strings.Contains(text, "|") {
			return changed, errors.New("line in package didn't contain 2 entries")
		}
		is, err := d.SaveNewer(id, text)
		if err != nil {
			return changed, fmt.Errorf("account %.60q: %w", id, err)
		}
		if is {
			changed = append(changed, id)
		}
	}
	return changed, nil
}
