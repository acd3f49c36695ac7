package daemon

import (
	"cmp"
	"runtime/debug"
)

// gitRevision is the commit this was built from, as nats-server prints it, or
// "not set".
func gitRevision() string { return cmp.Or(gitCommit(), "not set") }

// gitCommit is the commit this was built from; empty if it is not known.
func gitCommit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 7 {
			return s.Value[:7]
		}
	}
	return ""
}
