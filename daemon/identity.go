package daemon

import (
	"fmt"
	"path/filepath"
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
	Exe     string // base name of argv[0]: the ports file is called after it
}

// IdentityFor makes the identity of a process from its argv[0] and the version
// that was built in. Tools that drive nats-server start us under its name and
// read the version, so it is then nats-server's.
func IdentityFor(argv0, version string) Identity {
	exe := filepath.Base(argv0)
	id := Identity{Name: ownName, Version: version, Own: version, Exe: exe}
	if exe == compatName {
		id.Name, id.Version = compatName, CompatVersion
	}
	return id
}

// VersionLine is what -v prints.
func (id Identity) VersionLine() string { return fmt.Sprintf("%s: v%s", id.Name, id.Version) }
