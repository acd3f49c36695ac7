package daemon

import (
	"cmp"
	"runtime/debug"
	"strings"
)

// unversioned is the version of a build that nothing is known of.
const unversioned = "0.0.0-dev"

// Build is what a program was built from.
type Build struct {
	Version string // without a v
	Commit  string // abbreviated; empty: not known
}

// ThisBuild is what this program was built from: version and commit as the linker was told, and where it was told nothing
// what the go command has noted. It notes a version if a tagged one was built (go install …@v1.2.3), or else one made of
// the time and commit of the checkout, with "+dirty" if that had changes.
func ThisBuild(version, commit string) Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return buildOf(version, commit, info)
}

func buildOf(version, commit string, info *debug.BuildInfo) Build {
	if version == "" && strings.HasPrefix(info.Main.Version, "v") {
		version = info.Main.Version[1:]
	}
	for _, s := range info.Settings {
		if commit == "" && s.Key == "vcs.revision" && len(s.Value) >= 7 {
			commit = s.Value[:7]
		}
	}
	return Build{Version: cmp.Or(version, unversioned), Commit: commit}
}
