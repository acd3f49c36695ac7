package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/nats-broker/nats-broker/confparse"
)

// PackagedFile is the main file of the packages. Its drop-ins come from the vendor, the running system and the
// administrator, in the sense of systemd.unit(5); any other main file has those in FILE.d.
const PackagedFile = "/etc/nats/nats.conf"

// Roots are the directories that hold drop-ins of the packaged configuration file, weakest first.
type Roots struct {
	Vendor, Volatile, Admin string
}

// packagedRoots are the directories of the system.
var packagedRoots = Roots{
	Vendor:   "/usr/lib/nats/nats.conf.d",
	Volatile: "/run/nats/nats.conf.d",
	Admin:    "/etc/nats/nats.conf.d",
}

// dropInDirs are the directories of drop-ins for the main file, weakest first.
func (req *LoadRequest) dropInDirs() []string {
	roots := req.Roots
	if abs, err := filepath.Abs(req.File); roots == nil && err == nil && abs == PackagedFile {
		roots = &packagedRoots
	}
	if roots != nil {
		return []string{roots.Vendor, roots.Volatile, roots.Admin}
	}
	return []string{req.File + ".d"}
}

// layDropIns puts the drop-ins over the main file, of which these are the files. Who keeps includes of the main file in
// the directory of drop-ins, in whatever place of it they belong, does not want them read once more: a file that is
// included is not a drop-in.
func (s *stack) layDropIns(included []confparse.File, found *problems) {
	s.dirs = s.req.dropInDirs()
	for _, path := range dropIns(s.dirs, found) {
		if slices.ContainsFunc(included, func(f confparse.File) bool { return sameFile(f.Path, path) }) {
			continue
		}
		tree := s.parse(path, LayerDropIn, found)
		if tree.Root.Fields().Len() > 0 {
			s.plain = false
			s.merged = confparse.Merge(s.merged, tree.Root)
		}
	}
}

// dropIns lists the drop-ins that count, in the order in which they are laid over the main file: by file name, each
// name once, from the strongest directory that has it. An empty file or a link to /dev/null hides the files of its name
// in weaker directories.
func dropIns(dirs []string, found *problems) []string {
	byName := map[string]string{}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
				found.errs = append(found.errs, confparse.Errorf(confparse.Span{}, "cannot read drop-ins: %v", err))
			}
			continue
		}
		for _, e := range entries {
			name := e.Name()
			if strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".conf") {
				continue
			}
			path := filepath.Join(dir, name)
			hides, err := masks(path)
			switch {
			case err != nil:
				found.errs = append(found.errs, confparse.Errorf(confparse.Span{}, "cannot read drop-in: %v", err))
			case hides:
				delete(byName, name)
			default:
				byName[name] = path
			}
		}
	}
	paths := make([]string, 0, len(byName))
	for _, path := range byName {
		paths = append(paths, path)
	}
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	return paths
}

// masks reports whether the file at path is empty or /dev/null. A directory is a mistake: nobody calls one *.conf on
// purpose.
func masks(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return false, err
	case info.IsDir():
		return false, fmt.Errorf("%s is a directory", path)
	case info.Mode().IsRegular():
		return info.Size() == 0, nil
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null), nil
}

func sameFile(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}
