package daemon

import "runtime/debug"

// gitRevision is the commit this was built from, as nats-server prints it, or
// "not set".
func gitRevision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "not set"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 7 {
			return s.Value[:7]
		}
	}
	return "not set"
}
