package daemon

import (
	"cmp"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
)

// CompatVersion is the nats-server release whose behaviour we have, and what
// is told to clients and to tools that drive nats-server.
const CompatVersion = "2.15.3"

// The names a broker's process goes by: ours, and nats-server's when started
// through a symbolic link of that name.
const (
	ownName    = "nats-broker"
	compatName = "nats-server"
)

func isBrokerName(name string) bool { return slices.Contains([]string{ownName, compatName}, name) }

// Identity is the name under which the broker presents itself.
type Identity struct {
	Name    string // "nats-broker", or "nats-server" when started under that name
	Version string // our version, or the one we are compatible with
	Own     string // our version in any case
	Commit  string // what it was built from; empty: not known
	Exe     string // base name of argv[0]: the ports file is called after it
}

// IdentityFor makes the identity of a process from its argv[0] and what it was
// built from. Tools that drive nats-server start us under its name and
// read the version, so it is then nats-server's.
func IdentityFor(argv0 string, b Build) Identity {
	exe := filepath.Base(argv0)
	id := Identity{Name: ownName, Version: b.Version, Own: b.Version, Commit: b.Commit, Exe: exe}
	if exe == compatName {
		id.Name, id.Version = compatName, CompatVersion
	}
	return id
}

// Compatible says that it presents itself as nats-server.
func (id Identity) Compatible() bool { return id.Name == compatName }

// VersionLine is what -v prints: under nats-server's name what nats-server
// prints, and no more, since there are programs that read it.
func (id Identity) VersionLine() string {
	line := fmt.Sprintf("%s: v%s", id.Name, id.Version)
	if id.Compatible() {
		return line
	}
	return fmt.Sprintf("%s (commit %s, %s, like nats-server %s)", line, cmp.Or(id.Commit, "not known"), runtime.Version(), CompatVersion)
}
